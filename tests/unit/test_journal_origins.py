"""What the events of a client have in common, as readers remember it."""

import pytest

from gateway.base.errors import JournalUnavailable
from gateway.journal.origins import Origins

FACTS = ("id.go.uji.umum.terjadi.v1", "uji-client", "uji", 1, False, '"datacontenttype":"a/b"')


class Table:
    """`journal_origins`, and what was asked of it."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self.asked: list[list[int]] = []

    async def fetch(self, statement: str, wanted: list[int]) -> list[tuple[object, ...]]:
        """The rows with these numbers."""
        self.asked.append(sorted(wanted))
        return [(number, *FACTS) for number in wanted if number in self.numbers]


async def test_an_origin_is_read_once() -> None:
    table = Table(1, 2, 3)
    origins = Origins(table.fetch)
    assert set(await origins.of([1, None, 2, 1])) >= {1, 2}
    assert (await origins.of([2, 3]))[3].attributes == {"datacontenttype": "a/b"}
    await origins.of([None])
    assert table.asked == [[1, 2], [3]]


async def test_an_origin_that_is_not_there_is_a_restored_journal() -> None:
    """Its entry was read before, and the origin after the journal was replaced."""
    with pytest.raises(JournalUnavailable):
        await Origins(Table(1).fetch).of([1, 2])
