"""Counters asked for one by one, and where everything stands then."""

import pytest

from adapters.legacy_cobol.copybook.layout import Record
from adapters.legacy_cobol.copybook.placement import (
    Area,
    CounterNeeded,
    CountOutOfBounds,
    place,
    place_with,
)
from tests.unit.legacy.copybook.reading import record

TWO = record(
    """05 N PIC 9. 05 A PIC X(2) OCCURS 1 TO 4 DEPENDING ON N. 05 M PIC 9(2).
    05 B PIC X(3) OCCURS 0 TO 3 DEPENDING ON M. 05 C PIC X OCCURS 1 TO 4 DEPENDING ON N.
    05 D PIC X."""
)
OWN = record(
    """05 N PIC 9. 05 G OCCURS 1 TO 3 DEPENDING ON N. 10 M PIC 9.
    10 A OCCURS 0 TO 5 DEPENDING ON M. 15 B PIC X(2). 10 C PIC X. 05 D PIC X."""
)


def placed(of: Record, *counts: int) -> Area:
    found = place(of, counts)
    assert isinstance(found, Area)
    return found


def wanted(of: Record, *counts: int) -> CounterNeeded:
    found = place(of, counts)
    assert isinstance(found, CounterNeeded)
    return found


def test_a_fixed_record_wants_no_counter() -> None:
    area = placed(record("05 A PIC XX OCCURS 3. 05 B PIC X."))
    assert [(each.item.name, each.offset, each.count, each.stride) for each in area.walk()] == [
        ("R", 0, None, 7), ("A", 0, 3, 2), ("B", 6, None, 1),
    ]  # fmt: skip
    assert (area.length, area.end) == (7, 7)


def test_each_counter_is_wanted_once_and_where_it_then_stands() -> None:
    first = wanted(TWO)
    assert (first.item.name, first.offset, first.minimum, first.maximum) == ("N", 0, 1, 4)
    second = wanted(TWO, 2)
    assert (second.item.name, second.offset, second.table.name) == ("M", 5, "B")
    area = placed(TWO, 2, 1)
    assert {each.item.name: each.offset for each in area.walk()} == {
        "R": 0, "N": 0, "A": 1, "M": 5, "B": 7, "C": 10, "D": 12,
    }  # fmt: skip
    assert area.length == 13


def test_an_empty_table_takes_no_bytes() -> None:
    area = placed(TWO, 1, 0)
    assert area.children[3].count == 0
    assert area.children[3].end == area.children[3].offset == 5
    assert area.length == 7


def test_counters_inside_of_a_table_are_wanted_for_each_occurrence() -> None:
    assert [wanted(OWN, 2).offset, wanted(OWN, 2, 3).offset] == [1, 1 + 1 + 6 + 1]
    area = placed(OWN, 2, 3, 0)
    table, last = area.children[1], area.children[2]
    assert table.children == ()
    assert [(each.offset, each.length, each.count) for each in table.uneven] == [
        (1, 8, None), (9, 2, None),
    ]  # fmt: skip
    assert [each.children[1].count for each in table.uneven] == [3, 0]
    assert (last.offset, area.length) == (11, 12)


def test_counts_out_of_bounds_are_refused_with_names() -> None:
    with pytest.raises(CountOutOfBounds, match="N is 5, but A occurs 1 to 4 times") as caught:
        place(TWO, (5,))
    assert caught.value.counter == ("R", "N")
    assert caught.value.count == 5
    with pytest.raises(CountOutOfBounds):
        place(OWN, (0,))


def test_counts_may_come_from_anywhere() -> None:
    area = place_with(OWN.root, lambda wanted: wanted.maximum)
    assert area.length == OWN.maximum_length
    assert OWN.minimum_length == 1 + 2 + 1


def test_largest_places_are_those_of_the_layout() -> None:
    area = place_with(TWO.root, lambda wanted: wanted.maximum)
    assert [(each.offset, each.length) for each in area.walk()] == [
        (each.offset, each.length) for each in TWO.items()
    ]
