"""Events of a stream as they wait to be applied, in the order of the stream."""

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from adapters.client import StreamedEvent
from consumers.events import Event, event_of
from consumers.projection.feeds import Feed

HELD = 20_000  # events in memory at most; a build that may not overtake the active one waits
_SEQUENCE = re.compile(r"([0-9]{2,})-([0-9]{16,})", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """An event, where it is in the journal, and the position to go on after it."""

    event: Event
    text: str
    shard: str
    sequence: int
    recorded: datetime
    position: str

    @classmethod
    def of(cls, streamed: StreamedEvent) -> Self:
        """Raises ValueError for an event without its place in the journal."""
        event = event_of(streamed.text)
        shard, sequence = parse_sequence(event.attributes.get("sequence"))
        try:
            recorded = datetime.fromisoformat(str(event.attributes.get("recordedtime")))
        except ValueError:
            raise ValueError("An event of a stream has no recordedtime.") from None
        if recorded.tzinfo is None:
            recorded = recorded.replace(tzinfo=UTC)
        return cls(event, streamed.text, shard, sequence, recorded, streamed.position)

    @property
    def replayed(self) -> bool:
        """Whether it was sent again by a replay."""
        return "replayof" in self.event.attributes


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """The journal was restored from a backup. It lacks these sequences: shard, first, last.

    None where nobody knows which.
    """

    lost: Sequence[tuple[str, int, int]] | None

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """The data of the stream's event `restored`."""
        ranges = []
        for each in document.get("lost", ()):
            shard, first = parse_sequence(each["first"])
            ranges.append((shard, first, parse_sequence(each["last"])[1]))
        return cls(ranges or None)

    def concerns(self, applied: dict[str, int]) -> bool:
        """Whether an event was applied that the journal does not have any more."""
        if self.lost is None:
            return bool(applied)
        return any(applied.get(shard, -1) >= first for shard, first, _ in self.lost)


def parse_sequence(text: object) -> tuple[str, int]:
    """Shard and sequence of the attribute `sequence`. Raises ValueError."""
    found = _SEQUENCE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("An event of a stream has no sequence such as 00-0000000000000001.")
    return str(int(found[1])), int(found[2])


class Backlog:
    """What has come and is not applied. It is filled from a feed while it is entered."""

    def __init__(self, feed: Feed, after: str) -> None:
        self._feed, self._after = feed, after
        self._items = deque[Received | Restored]()
        self._done = set[Received]()
        self._arrived, self._room = asyncio.Event(), asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(lambda _: self._arrived.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._reading

    async def _read(self) -> None:
        stream = self._feed.follow(self._after, lambda document: self._add(Restored.of(document)))
        async with aclosing(stream):
            async for streamed in stream:
                if not streamed.position:  # a test event
                    continue
                self._add(Received.of(streamed))
                while len(self._items) >= HELD:
                    self._room.clear()
                    await self._room.wait()

    def _add(self, item: Received | Restored) -> None:
        self._items.append(item)
        self._arrived.set()

    async def wait(self, seconds: float) -> None:
        """Wait until something arrives, for so many seconds at most. Raises what ended the feed."""
        if self._reading is not None and self._reading.done():
            self._reading.result()
            raise ConnectionError("The feed ended.")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        self._arrived.clear()  # before the caller looks

    def waiting(self) -> Iterator[Received]:
        """The events that are not applied, up to the news of a restore."""
        for each in self._items:
            if isinstance(each, Restored):
                return
            if each not in self._done:
                yield each

    @property
    def restored(self) -> Restored | None:
        """News of a restore, once everything before them is applied."""
        first = self._items[0] if self._items else None
        return first if isinstance(first, Restored) else None

    def passed_restore(self) -> None:
        """The news of a restore concern nothing that was applied."""
        self._items.popleft()

    def position_after(self, chosen: set[Received]) -> str:
        """The position before the first event that is neither applied nor chosen; "" if unmoved.

        A build that starts again there gets some events twice, and drops them by their sequence.
        """
        position = ""
        for each in self._items:
            if isinstance(each, Restored) or (each not in self._done and each not in chosen):
                break
            position = each.position
        return position

    def done(self, chosen: set[Received]) -> None:
        """The chosen events are applied."""
        self._done |= chosen
        while self._items and self._items[0] in self._done:
            first = self._items.popleft()
            assert isinstance(first, Received)  # noqa: S101 - only those are done
            self._done.discard(first)
        self._room.set()
