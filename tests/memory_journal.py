"""A fake of JournalReader for unit tests. `tests/contract/test_journal_reader.py` proves it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from gateway.base.errors import JournalUnavailable
from gateway.base.event import Event
from gateway.journal import Cursor, Entry
from gateway.journal.reader import SPAN

RECORDED = datetime(2026, 5, 4, tzinfo=UTC)


class MemoryJournal:
    """One shard in memory. `unavailable` lets every query fail; `queries` counts them by name."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.unavailable = False
        self.queries: Counter[str] = Counter()

    def append(self, event: Event) -> Entry:
        """Store an event."""
        entry = Entry(0, self.last + 1, RECORDED, event, "uji-client", "uji", 1)
        self.entries.append(entry)
        return entry

    @property
    def last(self) -> int:
        """The sequence of the last entry."""
        return len(self.entries)

    async def heads(self) -> dict[int, Cursor]:
        """See JournalReader."""
        self._query("heads")
        return {0: Cursor(self.last, RECORDED)}

    async def matching(
        self, shard: int, cursor: Cursor, *, until: int, types: str, limit: int
    ) -> list[Entry]:
        """See JournalReader."""
        self._query("matching")
        entries = self.entries[cursor.sequence : until] if shard == 0 else []
        return [entry for entry in entries if re.search(types, entry.event.type)][:limit]

    def span_end(self, shard: int, after: Cursor, head: Cursor, span: int) -> int:
        """See JournalReader."""
        return min(head.sequence, after.sequence + span)

    async def types_between(
        self, low: Mapping[int, Cursor], high: Mapping[int, Cursor]
    ) -> dict[int, set[str]] | None:
        """See JournalReader."""
        self._query("types_between")
        if 0 not in low or high[0].sequence - low[0].sequence > SPAN:
            return None
        entries = self.entries[low[0].sequence : high[0].sequence]
        return {0: {entry.event.type for entry in entries}} if entries else {}

    async def find_all(self, identities: Iterable[bytes]) -> dict[bytes, Entry]:
        """See JournalReader."""
        self._query("find_all")
        wanted = set(identities)
        found = {entry.event.identity: entry for entry in self.entries}
        return {identity: found[identity] for identity in wanted & found.keys()}

    def _query(self, name: str) -> None:
        self.queries[name] += 1
        if self.unavailable:
            raise JournalUnavailable("The journal does not answer.")
