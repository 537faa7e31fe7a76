"""The newest entries of the journal in memory, and the followers that read them.

The process reads each new entry once for all its dispatchers. A dispatcher that keeps up reads
from this memory, and only one that is behind queries the database, so a thousand webhooks cost the
database one reader.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.base import type_pattern
from gateway.delivery.journal_scanner import SPAN, JournalScanner
from gateway.delivery.recent_types import RecentTypes
from gateway.journal import Cursor, Entry, JournalReader
from gateway.subscriptions import Subscription

ENTRIES = 2_000  # kept of each shard
BYTES = 4 << 20  # of their data, for each shard
BATCH = 500  # entries of one query
IN_FLIGHT_BYTES = 8 << 20  # of event data in memory for one endpoint
LARGEST_TYPICAL = 1 << 20  # bytes that an event is assumed to have until some were read
SMALLEST_TYPICAL = 1 << 10  # bytes that an event is assumed to have at least
CHUNK = 64  # entries that are filtered together


@dataclass(slots=True)
class ShardTail:
    """Every entry of the types with a sequence above `start` and up to `end`."""

    start: int
    end: Cursor
    entries: list[Entry] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    size: int = 0

    def add(self, entries: list[Entry], end: Cursor) -> None:
        """Add the entries up to `end`."""
        self.end = end
        self.entries += entries
        self.sequences += [entry.sequence for entry in entries]
        self.size += sum(map(data_size, entries))
        if len(self.entries) > 2 * ENTRIES or self.size > 2 * BYTES:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        drop = max(0, len(self.entries) - ENTRIES)
        self.size -= sum(map(data_size, self.entries[:drop]))
        while self.size > BYTES:
            self.size -= data_size(self.entries[drop])
            drop += 1
        self.start = self.sequences[drop - 1]
        del self.entries[:drop], self.sequences[:drop]


class JournalTail:
    """The newest entries of every shard, of the types that the dispatchers deliver."""

    def __init__(self, reader: JournalReader, recent: RecentTypes) -> None:
        """`recent` is told the types of new entries."""
        self._reader = reader
        self.recent = recent
        self._shards: dict[int, ShardTail] = {}
        self._types: frozenset[str] = frozenset()
        recent.begin(self._types)
        self.heads: Mapping[int, Cursor] = {}
        """The end of the journal at the last `extend`, by shard."""

    async def extend(self, heads: Mapping[int, Cursor], types: frozenset[str]) -> set[str] | None:
        """Read up to the heads. Returns the types of the new entries, None where it skipped some.

        Other types than last time mean a new beginning.
        """
        if types != self._types:
            self._shards, self._types = {}, types
            self.recent.begin(types)
        new: set[str] | None = set()
        for shard, head in heads.items():
            tail = self._shards.get(shard)
            if tail is None or head.sequence - tail.end.sequence > ENTRIES or not types:
                self._shards[shard] = ShardTail(head.sequence, head)
                self.recent.extend({}, {shard: head}, None)
                new = None
                continue
            low = tail.end
            found = await self._read(shard, tail, head)
            self.recent.extend({shard: low}, {shard: head}, {shard: found})
            if new is not None:
                new |= found
        self.heads = heads
        return new

    def span_end(self, shard: int, cursor: Cursor) -> int:
        """Where one query after a cursor ends."""
        head = self.heads.get(shard, cursor)
        return self._reader.span_end(shard, cursor, head, SPAN)

    def after(self, shard: int, sequence: int, types: Iterable[str]) -> list[Entry] | None:
        """The entries above the sequence up to the head; None where not all are in memory."""
        tail = self._shards.get(shard)
        if tail is None or sequence < tail.start or not self._types.issuperset(types):
            return None
        return tail.entries[bisect_right(tail.sequences, sequence) :]

    async def _read(self, shard: int, tail: ShardTail, head: Cursor) -> set[str]:
        expression = type_pattern.expression(tuple(sorted(self._types)))
        found = set()
        while tail.end.sequence < head.sequence:
            entries = await self._reader.matching(
                shard, tail.end, until=head.sequence, types=expression, limit=BATCH
            )
            last = entries[-1] if len(entries) == BATCH else None
            tail.add(entries, Cursor(last.sequence, last.recorded) if last else head)
            found |= {entry.event.type for entry in entries}
        return found


class JournalFollower:
    """Reads the next entries of one subscription, from the tail or from the database."""

    def __init__(
        self, subscription: Subscription, scanner: JournalScanner, tail: JournalTail
    ) -> None:
        self._subscription = subscription
        self._scanner = scanner
        self._tail = tail
        self._recent = tail.recent
        self._held = 0
        self._typical = LARGEST_TYPICAL

    def receives_any(self, types: Iterable[str] | None) -> bool:
        """Whether the subscription may receive one of these types; None is any type."""
        if types is None or not self._recent.covers(self._subscription.types):
            return True
        return any(self._is_wanted(type) for type in types)

    def hold(self, entry: Entry) -> None:
        """Count an entry as in memory."""
        self._held += data_size(entry)

    def release(self, entry: Entry) -> None:
        """Count an entry as no longer in memory."""
        self._held -= data_size(entry)

    def head(self, shard: int) -> Cursor:
        """The end of the shard."""
        return self._tail.heads.get(shard, Cursor(0))

    def limit(self, count: int) -> int:
        """Of `count` entries as many as memory allows; at least one where none is in memory."""
        affordable = (IN_FLIGHT_BYTES - self._held) // self._typical
        return min(count, max(affordable, 0 if self._held else 1))

    async def after(self, shard: int, cursor: Cursor, limit: int) -> tuple[list[Entry], Cursor]:
        """Up to `limit` entries for the subscription, and the cursor that was reached."""
        entries, reached = await self._after(shard, cursor, limit)
        if entries:
            self._typical = max(sum(map(data_size, entries)) // len(entries), SMALLEST_TYPICAL)
        return entries, reached

    async def _after(self, shard: int, cursor: Cursor, limit: int) -> tuple[list[Entry], Cursor]:
        head = self.head(shard)
        cursor = self._recent.pass_over(self._subscription, shard, cursor)
        if cursor.sequence >= head.sequence:
            return [], cursor
        held = self._tail.after(shard, cursor.sequence, self._subscription.types)
        if held is None:
            until = self._tail.span_end(shard, cursor)
            return await self._scanner.scan(
                self._subscription, shard, cursor, until=until, limit=limit
            )
        return await self._select(held, head, limit)

    async def _select(
        self, held: Sequence[Entry], head: Cursor, limit: int
    ) -> tuple[list[Entry], Cursor]:
        selected: list[Entry] = []
        for begin in range(0, len(held), CHUNK):
            chunk = [each for each in held[begin : begin + CHUNK] if each.sequence <= head.sequence]
            wanted = [each for each in chunk if self._is_wanted(each.event.type)]
            selected += await self._scanner.select(self._subscription, wanted)
            if len(selected) >= limit:
                last = selected[limit - 1]
                return selected[:limit], Cursor(last.sequence, last.recorded)
        return selected, Cursor(head.sequence, head.recorded)

    def _is_wanted(self, type: str) -> bool:
        return self._recent.wants(self._subscription, type)


def data_size(entry: Entry) -> int:
    """The size of its data in bytes."""
    return len(entry.event.data or b"")
