"""Follow a subscription whose delivery is `stream`, by server-sent events."""

import asyncio
import codecs
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from adapters.client.call_retry import CallRetryPolicy, is_unknown
from adapters.client.nusabus import Nusabus
from adapters.client.problem import Problem

SILENCE = 60.0  # seconds; the gateway writes at least a comment four times as often
RECONNECT = CallRetryPolicy(attempts=1 << 30, first_delay=1.0, longest_delay=10.0)


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One message of a stream (WHATWG HTML, section 9.2). `event` is `message` by default."""

    data: str
    id: str = ""
    event: str = "message"


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """One event of a stream, in its CloudEvents JSON format on one line.

    `position` resumes the stream after this event. It is empty for a test event.
    """

    position: str
    text: str
    restored: bool = False
    """Whether it is no event, but news of a restore, which `follow` does not yield."""

    @property
    def document(self) -> dict[str, Any]:
        """The event as a dictionary."""
        found: dict[str, Any] = json.loads(self.text)
        return found


class Streams:
    """Follows streams over a client's connection."""

    def __init__(self, bus: Nusabus, retry: CallRetryPolicy = RECONNECT) -> None:
        self._bus = bus
        self._retry = retry

    async def follow(
        self,
        subscription: str,
        *,
        after: str = "",
        on_reconnect: Callable[[Exception | None], None] = lambda _: None,
        on_restored: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> AsyncGenerator[StreamedEvent, None]:
        """Yield each event as it comes, without an end. Close it with `aclosing`.

        A stream that breaks, or ends with its token, is opened again after the last event, so no
        event is missed or repeated. `on_reconnect` is called with each failure, and with None for
        a stream that just ended. `on_restored` is called when the journal was restored from a
        backup and lacks events that were yielded before: `lost` tells which. Raises Problem for a
        failure that trying again does not mend.
        """
        failed = 0
        while True:
            error: Exception | None = None
            try:
                async for event in self._read(subscription, after):
                    after, failed = event.position or after, 0
                    if event.restored:
                        on_restored(event.document)
                    else:
                        yield event
            except (Problem, httpx.TransportError) as problem:
                if not is_unknown(problem):
                    raise
                error = problem
            on_reconnect(error)
            failed += 1
            await asyncio.sleep(self._retry.delay(failed, error or httpx.ReadError("ended")) or 0)

    async def _read(self, subscription: str, after: str) -> AsyncIterator[StreamedEvent]:
        headers = {"last-event-id": after} if after else {}
        path = f"/v1/subscriptions/{quote(subscription, safe='')}/stream"
        async with self._bus.stream("GET", path, headers=headers, timeout=SILENCE) as response:
            async for each in server_sent_events(response.aiter_bytes()):
                if each.event in ("message", "restored"):
                    # Only white space between JSON tokens can be a line break here.
                    text = each.data.replace("\n", " ")
                    yield StreamedEvent(each.id, text, each.event == "restored")


async def server_sent_events(chunks: AsyncIterable[bytes]) -> AsyncIterator[ServerSentEvent]:
    """Parse a stream of server-sent events. What the end cuts off is left out, as the rules say."""
    data, id, event = list[str](), "", ""
    async for line in _lines(chunks):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name if line else None:
            case None:
                if data:
                    yield ServerSentEvent("\n".join(data), id, event or "message")
                data, event = [], ""
            case "data":
                data.append(value)
            case "id" if "\0" not in value:
                id = value
            case "event":
                event = value


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Lines that end with LF, CR or CR LF, and with nothing else, as `splitlines` would.

    JSON may hold U+2028 and its like within a text.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    rest = ""
    async for chunk in chunks:
        rest += decoder.decode(chunk)
        if rest.endswith("\r"):  # its LF may come in the next chunk
            continue
        *lines, rest = rest.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in lines:
            yield line
