"""A journal in memory, and feeds of it that behave as streams of the gateway do."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from adapters.client import StreamedEvent
from consumers.projection.feeds import OnRestored

ROUND = 100  # events of a shard that a stream yields before it looks at the next shard
COUNTED = "id.go.uji.hitung.dicatat.v1"
OTHER = "id.go.uji.hitung.lain.v1"

_numbers = itertools.count(1)


def text_of(shard: int, sequence: int) -> str:
    """The attribute `sequence`."""
    return f"{shard:02}-{sequence:016}"


@dataclass
class MemoryJournal:
    """The journal: a list for each shard. A restore cuts it, and begins another incarnation."""

    shards: int = 2
    entries: list[list[tuple[int, str]]] = field(default_factory=list)
    incarnation: int = 0
    cut: list[int] = field(default_factory=list)
    _next: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.entries = [[] for _ in range(self.shards)]
        self._next = [1] * self.shards

    def append(self, subject: str, data: Any, *, shard: int | None = None, **more: Any) -> str:
        """Store an event; its id. The shard follows from the subject."""
        id = str(more.pop("id", next(_numbers)))
        place = sum(subject.encode()) % self.shards if shard is None else shard
        event = {
            "specversion": "1.0", "id": id, "source": "/uji", "type": COUNTED, "subject": subject,
            "data": data, "sequence": text_of(place, self._next[place]),
            "recordedtime": datetime.now(UTC).isoformat(), **more,
        }  # fmt: skip
        self.entries[place].append((self._next[place], json.dumps(event)))
        self._next[place] += 1
        return id

    def save(self, file: Path) -> None:
        """For another process."""
        file.write_text(json.dumps(self.entries))

    @classmethod
    def load(cls, file: Path) -> Self:
        """What another process has saved."""
        entries = json.loads(file.read_text())
        journal = cls(len(entries))
        journal.entries = entries
        return journal

    def restore(self, *kept: int) -> None:
        """Go back to so many entries of each shard."""
        self.cut = [
            entries[count - 1][0] if count else 0
            for entries, count in zip(self.entries, kept, strict=True)
        ]
        self.entries = [each[:count] for each, count in zip(self.entries, kept, strict=True)]
        self._next = [each + 1_000_000 for each in self._next]
        self.incarnation += 1


@dataclass
class MemoryFeed:
    """One stream. `pause` is awaited before each event; it may raise what breaks the stream."""

    journal: MemoryJournal
    pause: Callable[[], Any] = lambda: None
    removed: bool = False

    async def follow(
        self, after: str, on_restored: OnRestored
    ) -> AsyncGenerator[StreamedEvent, None]:
        """As the gateway does: a round of each shard, then the next one."""
        cursors = self._begin(after, on_restored)
        while True:
            found = False
            for shard, entries in enumerate(self.journal.entries):
                later = [each for each in entries if each[0] > cursors[shard]]
                for sequence, text in later[:ROUND]:
                    if (waiting := self.pause()) is not None:
                        await waiting
                    cursors[shard], found = sequence, True
                    yield StreamedEvent(self._position(cursors), text)
            await asyncio.sleep(0 if found else 0.01)

    def _begin(self, after: str, on_restored: OnRestored) -> list[int]:
        if not after:
            return [0] * self.journal.shards
        incarnation, _, rest = after.partition(":")
        cursors = [int(each) for each in rest.split(".")]
        if int(incarnation) < self.journal.incarnation:
            lost = [
                {"first": text_of(shard, good + 1), "last": text_of(shard, at)}
                for shard, (good, at) in enumerate(zip(self.journal.cut, cursors, strict=True))
                if at > good
            ]
            cursors = [min(each) for each in zip(cursors, self.journal.cut, strict=True)]
            if lost:
                on_restored({"incarnation": str(self.journal.incarnation), "lost": lost})
        return cursors

    def _position(self, cursors: list[int]) -> str:
        return f"{self.journal.incarnation}:{'.'.join(map(str, cursors))}"

    async def remove(self) -> None:
        """Nobody follows again."""
        self.removed = True
