"""The end of the journal, read once for all dispatchers of a process.

A dispatcher that keeps up finds here what is new, and only one that is behind reads for itself. So
a thousand webhooks cost the database one reader.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.base import type_pattern
from gateway.journal import Cursor, Entry, JournalReader

ENTRIES = 2_000  # of a shard that are kept
BYTES = 4 << 20  # of their data
STEP = 500  # entries of one query


@dataclass(slots=True)
class Piece:
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


class Tail:
    """The last entries of every shard, of the types that somebody wants."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._pieces: dict[int, Piece] = {}
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
                self._pieces[shard] = Piece(head.sequence, head)
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

    async def _read(self, shard: int, piece: Piece, head: Cursor) -> set[str]:
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


def size_of(entry: Entry) -> int:
    """Bytes of its data."""
    return len(entry.event.data or b"")
