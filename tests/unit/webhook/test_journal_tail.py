"""The shared end of the journal: nothing is ever missing in what it gives."""

from datetime import UTC, datetime

from gateway.delivery.webhook.journal_tail import ENTRIES, JournalTail
from gateway.journal import Cursor, Entry
from tests.builders import FREE, an_event

OTHER = "id.go.uji.lain.dicatat.v1"
THEN = datetime(2026, 5, 4, tzinfo=UTC)


class Journal:
    """One shard, as the JournalReader reads it."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def append(self, type: str = FREE, **changes: object) -> dict[int, Cursor]:
        event = an_event(type=type, **changes)
        self.entries.append(Entry(0, len(self.entries) + 1, THEN, event, b"", "uji-client", 1))
        return self.heads

    @property
    def heads(self) -> dict[int, Cursor]:
        return {0: Cursor(len(self.entries), THEN)}

    async def matching(
        self, shard: int, position: Cursor, *, until: int, types: str, limit: int
    ) -> list[Entry]:
        wanted = {FREE} if OTHER.replace(".", "\\.") not in types else {FREE, OTHER}
        found = [
            entry
            for entry in self.entries
            if position.sequence < entry.sequence <= until and entry.event.type in wanted
        ]
        return found[:limit]


def a_tail() -> tuple[Journal, JournalTail]:
    journal = Journal()
    return journal, JournalTail(journal)  # type: ignore[arg-type]  # reads as one


def sequences(entries: list[Entry] | None) -> list[int] | None:
    return None if entries is None else [entry.sequence for entry in entries]


async def test_it_holds_what_came_since_it_began() -> None:
    journal, tail = a_tail()
    journal.append()
    assert await tail.extend(journal.heads, frozenset({FREE})) is None
    journal.append(OTHER)
    journal.append()
    assert await tail.extend(journal.heads, frozenset({FREE})) == {FREE}
    assert sequences(tail.after(0, 1, [FREE])) == [3]
    assert sequences(tail.after(0, 3, [FREE])) == []
    assert tail.after(0, 0, [FREE]) is None
    assert tail.after(0, 1, [OTHER]) is None
    assert tail.after(1, 0, [FREE]) is None


async def test_further_types_begin_anew() -> None:
    journal, tail = a_tail()
    await tail.extend(journal.heads, frozenset({FREE}))
    await tail.extend(journal.append(), frozenset({FREE}))
    assert await tail.extend(journal.append(OTHER), frozenset({FREE, OTHER})) is None
    assert tail.after(0, 0, [FREE]) is None
    await tail.extend(journal.append(), frozenset({FREE, OTHER}))
    assert sequences(tail.after(0, 2, [FREE, OTHER])) == [3]


async def test_what_is_old_or_large_is_forgotten_and_said_to_be_so() -> None:
    journal, tail = a_tail()
    await tail.extend(journal.heads, frozenset({FREE}))
    for _ in range(3):
        for _ in range(ENTRIES - 1):
            journal.append()
        await tail.extend(journal.heads, frozenset({FREE}))
    assert tail.after(0, 0, [FREE]) is None
    last = journal.heads[0].sequence
    assert sequences(tail.after(0, last - 10, [FREE])) == list(range(last - 9, last + 1))
    for _ in range(9):
        await tail.extend(journal.append(data=b"x" * (1 << 20)), frozenset({FREE}))
    assert tail.after(0, last, [FREE]) is None
    assert sequences(tail.after(0, last + 6, [FREE])) == [last + 7, last + 8, last + 9]


async def test_after_a_leap_everybody_reads_for_himself() -> None:
    journal, tail = a_tail()
    await tail.extend(journal.heads, frozenset({FREE}))
    for _ in range(ENTRIES + 1):
        journal.append()
    assert await tail.extend(journal.heads, frozenset({FREE})) is None
    assert tail.after(0, 0, [FREE]) is None
