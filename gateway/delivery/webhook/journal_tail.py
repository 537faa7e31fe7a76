"""The end of the journal, read once for all dispatchers of a process.

A dispatcher that keeps up finds here what is new, and only one that is behind reads for itself. So
a thousand webhooks cost the database one reader.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.base import type_pattern
from gateway.delivery.journal_scanner import SPAN, JournalScanner
from gateway.journal import Cursor, Entry, JournalReader
from gateway.subscriptions import Subscription

ENTRIES = 2_000  # of a shard that are kept
BYTES = 4 << 20  # of their data
STEP = 500  # entries of one query
IN_FLIGHT_BYTES = 8 << 20  # of the data of what is on its way to one endpoint
LARGE = 1 << 20  # bytes that an event is taken to have until some were read
SMALL = 1 << 10  # and at least
CHUNK = 64  # entries that are looked at together


@dataclass(slots=True)
class ShardTail:
    """Every entry of the types that lies above `start` and up to `end`."""

    start: int
    end: Cursor
    entries: list[Entry] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    size: int = 0

    def add(self, entries: list[Entry], end: Cursor) -> None:
        """Keep further ones."""
        self.end = end
        self.entries += entries
        self.sequences += [entry.sequence for entry in entries]
        self.size += sum(map(size_of, entries))
        if len(self.entries) > 2 * ENTRIES or self.size > 2 * BYTES:
            self._forget()

    def _forget(self) -> None:
        """Drop the oldest, down to the limits."""
        drop = max(0, len(self.entries) - ENTRIES)
        self.size -= sum(map(size_of, self.entries[:drop]))
        while self.size > BYTES:
            self.size -= size_of(self.entries[drop])
            drop += 1
        self.start = self.sequences[drop - 1]
        del self.entries[:drop], self.sequences[:drop]


class JournalTail:
    """The last entries of every shard, of the types that somebody wants."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._pieces: dict[int, ShardTail] = {}
        self._types: frozenset[str] = frozenset()
        self.heads: Mapping[int, Cursor] = {}
        """Where the journal ended at the last look."""

    def covers(self, types: Iterable[str]) -> bool:
        """Whether it holds all entries of these types."""
        return self._types.issuperset(types)

    async def extend(self, heads: Mapping[int, Cursor], types: frozenset[str]) -> set[str] | None:
        """Read on to the heads. Returns the types of what is new, None where that is not known."""
        if types != self._types:
            self._pieces, self._types = {}, types
        found: set[str] | None = set()
        for shard, head in heads.items():
            piece = self._pieces.get(shard)
            if piece is None or head.sequence - piece.end.sequence > ENTRIES or not types:
                self._pieces[shard] = ShardTail(head.sequence, head)
                found = None
                continue
            new = await self._read(shard, piece, head)
            if found is not None:
                found |= new
        self.heads = heads
        return found

    def after(self, shard: int, sequence: int, types: Iterable[str]) -> list[Entry] | None:
        """What lies above a place, up to the head; None where that is not all held here."""
        piece = self._pieces.get(shard)
        if piece is None or sequence < piece.start or not self.covers(types):
            return None
        return piece.entries[bisect_right(piece.sequences, sequence) :]

    async def _read(self, shard: int, piece: ShardTail, head: Cursor) -> set[str]:
        expression = type_pattern.expression(tuple(sorted(self._types)))
        found = set()
        while piece.end.sequence < head.sequence:
            entries = await self._reader.matching(
                shard, piece.end, until=head.sequence, types=expression, limit=STEP
            )
            last = entries[-1] if len(entries) == STEP else None
            piece.add(entries, Cursor(last.sequence, last.recorded) if last else head)
            found |= {entry.event.type for entry in entries}
        return found


class JournalFollower:
    """What comes next for a subscription: from memory where that reaches back, else read."""

    def __init__(
        self, subscription: Subscription, scanner: JournalScanner, tail: JournalTail
    ) -> None:
        self._subscription = subscription
        self._scanner = scanner
        self._tail = tail
        self._wants: dict[str, bool] = {}
        self._held = 0
        self._typical = LARGE

    def concerns(self, types: Iterable[str] | None) -> bool:
        """Whether it may want one of these types; None is any."""
        if types is None or not self._tail.covers(self._subscription.types):
            return True
        return any(self._is_wanted(type) for type in types)

    def hold(self, entry: Entry) -> None:
        """An entry is in memory."""
        self._held += size_of(entry)

    def let_go(self, entry: Entry) -> None:
        """It is no longer."""
        self._held -= size_of(entry)

    def head(self, shard: int) -> Cursor:
        """Where the journal ends."""
        return self._tail.heads.get(shard, Cursor(0))

    def limit(self, room: int) -> int:
        """How many entries may be read: one always where nothing is in memory."""
        affordable = (IN_FLIGHT_BYTES - self._held) // self._typical
        return min(room, max(affordable, 0 if self._held else 1))

    async def after(self, shard: int, place: Cursor, limit: int) -> tuple[list[Entry], Cursor]:
        """Up to `limit` entries that it is to get, and up to where that has looked."""
        entries, looked = await self._after(shard, place, limit)
        if entries:
            self._typical = max(sum(map(size_of, entries)) // len(entries), SMALL)
        return entries, looked

    async def _after(self, shard: int, place: Cursor, limit: int) -> tuple[list[Entry], Cursor]:
        head = self.head(shard)
        held = self._tail.after(shard, place.sequence, self._subscription.types)
        if held is None:
            until = min(head.sequence, place.sequence + SPAN)
            return await self._scanner.look(
                self._subscription, shard, place, until=until, limit=limit
            )
        return await self._among(held, head, limit)

    async def _among(
        self, held: Sequence[Entry], head: Cursor, limit: int
    ) -> tuple[list[Entry], Cursor]:
        wanted: list[Entry] = []
        for begin in range(0, len(held), CHUNK):
            chunk = [each for each in held[begin : begin + CHUNK] if each.sequence <= head.sequence]
            typed = [each for each in chunk if self._is_wanted(each.event.type)]
            wanted += await self._scanner.choose(self._subscription, typed)
            if len(wanted) >= limit:
                last = wanted[limit - 1]
                return wanted[:limit], Cursor(last.sequence, last.recorded)
        return wanted, Cursor(head.sequence, head.recorded)

    def _is_wanted(self, type: str) -> bool:
        if type not in self._wants:
            self._wants[type] = self._subscription.wants(type)
        return self._wants[type]


def size_of(entry: Entry) -> int:
    """Bytes of its data."""
    return len(entry.event.data or b"")
