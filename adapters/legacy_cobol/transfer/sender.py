"""Batches to the gateway, again and again until each event's outcome is known."""

import asyncio
import random
from collections.abc import Callable, Sequence

import httpx
import msgspec

from adapters.client import CallRetryPolicy, Nusabus, Problem
from adapters.client.call_retry import UNSETTLED

Answer = bool | Problem  # stored; True where it had been stored before
_PATH = "/v1/events"
_HEADERS = {"content-type": "application/cloudevents-batch+json"}
_BLOCKED = frozenset({401, 403})  # nothing is wrong with the record: somebody has to grant it
ONCE = CallRetryPolicy(attempts=1)  # of the client's own: here one waits without end


class _Receipt(msgspec.Struct):
    duplicate: bool


class _Result(msgspec.Struct):
    status: int
    receipt: _Receipt | None = None
    problem: dict[str, object] | None = None


class _Results(msgspec.Struct):
    results: list[_Result]


_decode = msgspec.json.Decoder(_Results).decode
Note = Callable[[str], None]


class Sender:
    """Sends batches over a connection. `first` and `longest` are pauses in seconds."""

    def __init__(self, bus: Nusabus, *, first: float = 0.2, longest: float = 20.0) -> None:
        self._bus = bus
        self._first = first
        self._longest = longest

    async def send(self, texts: Sequence[bytes], note: Note) -> list[Answer]:
        """The outcome of each event: stored, or refused for what it says.

        While nobody knows, or the client may not publish, it waits and sends the same again, and
        tells `note` why; "" when it goes on. Events have fixed ids, so that this stores each once.
        """
        failed, told = 0, False
        while True:
            reason, asked = "", 0.0
            try:
                answers = await self._once(texts)
            except (Problem, httpx.TransportError) as error:
                if isinstance(error, Problem) and error.status == 413 and len(texts) > 1:
                    middle = len(texts) // 2
                    parts = [await self.send(t, note) for t in (texts[:middle], texts[middle:])]
                    return parts[0] + parts[1]
                reason = f"the gateway: {error or type(error).__name__}"
                asked = error.retry_after or 0.0 if isinstance(error, Problem) else 0.0
            else:
                reason = _unsettled(answers)
                if not reason:
                    if told:
                        note("")
                    return answers
            failed += 1
            if failed >= 3 and not told:
                note(reason)
                told = True
            await asyncio.sleep(self._pause(failed, asked))

    async def _once(self, texts: Sequence[bytes]) -> list[Answer]:
        body = b"[%b]" % b",".join(texts)
        response = await self._bus.request("POST", _PATH, content=body, headers=_HEADERS)
        try:
            found = _decode(response.content).results
        except msgspec.DecodeError as error:
            raise httpx.RemoteProtocolError(f"no answer of the gateway: {error}") from None
        if len(found) != len(texts):
            raise httpx.RemoteProtocolError(f"{len(found)} answers to {len(texts)} events")
        return [
            Problem.of(each.problem or {"status": each.status, "title": "Refused"})
            if each.receipt is None
            else each.receipt.duplicate
            for each in found
        ]

    def _pause(self, failed: int, asked: float) -> float:
        bound = min(self._first * 2.0 ** min(failed - 1, 30), self._longest)
        # Spreads callers that failed together; nothing secret hangs on it.
        return min(asked, self._longest) + random.uniform(bound / 2, bound)  # noqa: S311


def _unsettled(answers: Sequence[Answer]) -> str:
    """Why the batch is to be sent again; empty where each outcome is the record's own."""
    for each in answers:
        if isinstance(each, Problem) and (each.status in UNSETTLED or each.status in _BLOCKED):
            return f"the gateway: {each}"
    return ""
