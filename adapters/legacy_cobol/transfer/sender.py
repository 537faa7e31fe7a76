"""Send batches to the gateway until the outcome of each event is known."""

import asyncio
import random
from collections.abc import Callable, Sequence

import httpx
import msgspec

from adapters.client import CallRetryPolicy, Nusabus, Problem
from adapters.client.call_retry import UNSETTLED

Answer = bool | Problem  # stored (True: before), or refused
_PATH = "/v1/events"
_HEADERS = {"content-type": "application/cloudevents-batch+json"}
_BLOCKED = frozenset({401, 403})  # not the fault of the record: a person has to grant the right
ONCE = CallRetryPolicy(attempts=1)  # the sender itself retries without end


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
    """Sends batches. Delays between two attempts are in seconds."""

    def __init__(
        self, bus: Nusabus, *, first_delay: float = 0.2, longest_delay: float = 20.0
    ) -> None:
        self._bus = bus
        self._first_delay = first_delay
        self._longest_delay = longest_delay

    async def send(self, texts: Sequence[bytes], note: Note) -> list[Answer]:
        """Send events. Returns the outcome of each: stored, or refused for its content.

        While an outcome is unknown, or the client lacks a right, it sends the same batch again,
        and calls `note` with the reason, and with "" once it goes on. Events have fixed ids, so
        each is stored once.
        """
        failed, noted = 0, False
        while True:
            reason, retry_after = "", 0.0
            try:
                answers = await self._once(texts)
            except (Problem, httpx.TransportError) as error:
                if isinstance(error, Problem) and error.status == 413 and len(texts) > 1:
                    middle = len(texts) // 2
                    parts = [await self.send(t, note) for t in (texts[:middle], texts[middle:])]
                    return parts[0] + parts[1]
                reason = f"the gateway: {error or type(error).__name__}"
                retry_after = error.retry_after or 0.0 if isinstance(error, Problem) else 0.0
            else:
                reason = _unsettled(answers)
                if not reason:
                    if noted:
                        note("")
                    return answers
            failed += 1
            if failed >= 3 and not noted:
                note(reason)
                noted = True
            await asyncio.sleep(self._delay(failed, retry_after))

    async def _once(self, texts: Sequence[bytes]) -> list[Answer]:
        body = b"[%b]" % b",".join(texts)
        response = await self._bus.request("POST", _PATH, content=body, headers=_HEADERS)
        try:
            found = _decode(response.content).results
        except msgspec.DecodeError as error:
            raise httpx.RemoteProtocolError(f"not an answer of the gateway: {error}") from None
        if len(found) != len(texts):
            raise httpx.RemoteProtocolError(f"{len(found)} answers to {len(texts)} events")
        return [
            Problem.of(each.problem or {"status": each.status, "title": "Refused"})
            if each.receipt is None
            else each.receipt.duplicate
            for each in found
        ]

    def _delay(self, failed: int, retry_after: float) -> float:
        bound = min(self._first_delay * 2.0 ** min(failed - 1, 30), self._longest_delay)
        # Random, so that callers which failed together do not come back together; no secret.
        return min(retry_after, self._longest_delay) + random.uniform(bound / 2, bound)  # noqa: S311


def _unsettled(answers: Sequence[Answer]) -> str:
    """Why the batch must be sent again; empty if each outcome is final."""
    for each in answers:
        if isinstance(each, Problem) and (each.status in UNSETTLED or each.status in _BLOCKED):
            return f"the gateway: {each}"
    return ""
