"""Parent and child records joined to one event, and taken apart again."""

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.records.segments import (
    AssembledEvent,
    Segment,
    SegmentRecord,
    SegmentTree,
)

ASSEMBLY = SegmentTree([Segment("item", "order", "items"), Segment("note", "item", "notes")])


def join(*records: tuple[str | None, int | None]) -> list[AssembledEvent]:
    """Records as (kind, number in the document or None for a reject)."""
    return list(
        ASSEMBLY.join(
            SegmentRecord(number, kind, None if n is None else {"n": n})
            for number, (kind, n) in enumerate(records, 1)
        )
    )


def test_children_go_to_the_last_parent() -> None:
    first, second = join(("order", 1), ("item", 2), ("note", 3), ("item", 4), ("order", 5))
    assert first.document == {
        "n": 1, "items": [{"n": 2, "notes": [{"n": 3}]}, {"n": 4}],
    }  # fmt: skip
    assert (first.kind, first.numbers, first.broken) == ("order", [1, 2, 3, 4], [])
    assert (second.document, second.numbers) == ({"n": 5}, [5])


def test_a_child_without_its_parent_is_broken() -> None:
    alone, event = join(("item", 1), ("order", 2), ("note", 3))
    assert (alone.numbers, alone.broken) == ([1], [1])
    assert (event.numbers, event.broken) == ([2, 3], [3])


def test_a_reject_breaks_the_event_that_it_stands_in() -> None:
    broken, good = join(("order", 1), (None, None), ("order", 3))
    assert (broken.numbers, broken.broken) == ([1, 2], [2])
    assert good.broken == []
    (headless,) = join(("order", None), ("item", 2))
    assert headless.numbers == [1, 2]
    assert headless.broken == [1, 2]


def test_segments_form_a_tree() -> None:
    with pytest.raises(ValueError, match="tree"):
        SegmentTree([Segment("a", "b", "x"), Segment("b", "a", "y")])
    with pytest.raises(ValueError, match="two parents"):
        SegmentTree([Segment("a", "b", "x"), Segment("a", "c", "y")])


notes = st.fixed_dictionaries({"n": st.integers()})
items = st.fixed_dictionaries(
    {"n": st.integers()}, optional={"notes": st.lists(notes, min_size=1, max_size=3)}
)
orders = st.fixed_dictionaries(
    {"n": st.integers()}, optional={"items": st.lists(items, min_size=1, max_size=3)}
)


@given(st.lists(orders))
def test_events_come_back(events: list[dict[str, Any]]) -> None:
    parts = (part for event in events for part in ASSEMBLY.split("order", event))
    records = (
        SegmentRecord(number, kind, document) for number, (kind, document) in zip(count(1), parts)
    )
    assert [each.document for each in ASSEMBLY.join(records)] == events
