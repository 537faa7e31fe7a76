"""The shared end of the journal: nothing is ever missing in what it gives."""

from typing import cast

from gateway.delivery.recent_types import RecentTypes
from gateway.delivery.webhook.journal_tail import ENTRIES, JournalTail
from gateway.journal import Cursor, Entry, JournalReader
from tests.builders import FREE, a_subscription, an_event
from tests.memory_journal import RECORDED, MemoryJournal

OTHER = "id.go.uji.lain.dicatat.v1"


class Journal(MemoryJournal):
    """A journal, and its heads as they are now."""

    def add(self, type: str = FREE, **changes: object) -> dict[int, Cursor]:
        self.append(an_event(type=type, **changes))
        return self.now

    @property
    def now(self) -> dict[int, Cursor]:
        return {0: Cursor(self.last, RECORDED)}


def a_tail() -> tuple[Journal, JournalTail]:
    journal = Journal()
    return journal, JournalTail(cast(JournalReader, journal), RecentTypes())


def sequences(entries: list[Entry] | None) -> list[int] | None:
    return None if entries is None else [entry.sequence for entry in entries]


async def test_it_holds_what_came_since_it_began() -> None:
    journal, tail = a_tail()
    journal.add()
    assert await tail.extend(journal.now, frozenset({FREE})) is None
    journal.add(OTHER)
    journal.add()
    assert await tail.extend(journal.now, frozenset({FREE})) == {FREE}
    assert sequences(tail.after(0, 1, [FREE])) == [3]
    assert sequences(tail.after(0, 3, [FREE])) == []
    assert tail.after(0, 0, [FREE]) is None
    assert tail.after(0, 1, [OTHER]) is None
    assert tail.after(1, 0, [FREE]) is None


async def test_further_types_begin_anew() -> None:
    journal, tail = a_tail()
    await tail.extend(journal.now, frozenset({FREE}))
    await tail.extend(journal.add(), frozenset({FREE}))
    assert await tail.extend(journal.add(OTHER), frozenset({FREE, OTHER})) is None
    assert tail.after(0, 0, [FREE]) is None
    await tail.extend(journal.add(), frozenset({FREE, OTHER}))
    assert sequences(tail.after(0, 2, [FREE, OTHER])) == [3]


async def test_what_is_old_or_large_is_forgotten_and_said_to_be_so() -> None:
    journal, tail = a_tail()
    await tail.extend(journal.now, frozenset({FREE}))
    for _ in range(3):
        for _ in range(ENTRIES - 1):
            journal.add()
        await tail.extend(journal.now, frozenset({FREE}))
    assert tail.after(0, 0, [FREE]) is None
    last = journal.now[0].sequence
    assert sequences(tail.after(0, last - 10, [FREE])) == list(range(last - 9, last + 1))
    for _ in range(9):
        await tail.extend(journal.add(data=b"x" * (1 << 20)), frozenset({FREE}))
    assert tail.after(0, last, [FREE]) is None
    assert sequences(tail.after(0, last + 6, [FREE])) == [last + 7, last + 8, last + 9]


async def test_what_is_of_other_types_is_passed_over_without_a_look_at_the_entries() -> None:
    journal, tail = a_tail()
    pattern = "id.go.uji.*"
    subscription = a_subscription(organisation="uji", name="uji", types=(FREE,))
    other = a_subscription(organisation="uji", name="lain", types=(OTHER,))
    await tail.extend(journal.now, frozenset({FREE, pattern}))
    await tail.extend(journal.add(OTHER), frozenset({FREE, pattern}))
    begin, head = Cursor(0, RECORDED), journal.now[0]
    assert tail.recent.pass_over(subscription, 0, begin) == head
    assert tail.recent.pass_over(other, 0, begin) == begin  # the tail does not read its types
    await tail.extend(journal.add(), frozenset({FREE, pattern}))
    assert tail.recent.pass_over(subscription, 0, begin) == begin


async def test_after_a_leap_everybody_reads_for_himself() -> None:
    journal, tail = a_tail()
    await tail.extend(journal.now, frozenset({FREE}))
    for _ in range(ENTRIES + 1):
        journal.add()
    assert await tail.extend(journal.now, frozenset({FREE})) is None
    assert tail.after(0, 0, [FREE]) is None
