"""Random record descriptions are read as they were meant, in each form."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.layout import Item
from adapters.legacy_cobol.copybook.source import Form
from tests.unit.legacy.copybook.random_records import (
    Described,
    a_record,
    in_fixed_form,
    in_free_form,
)
from tests.unit.legacy.copybook.reading import copybook, with_form


@given(st.integers(0, 2**32))
def test_free_form(seed: int) -> None:
    random = Random(seed)
    described = a_record(random, "R")
    text = in_free_form(random, described)
    compare(copybook(text, with_form(Form.FREE)).record("R").root, described)


@given(st.integers(0, 2**32))
def test_fixed_form(seed: int) -> None:
    random = Random(seed)
    described = a_record(random, "R")
    text = in_fixed_form(random, described)
    compare(copybook(text, with_form(Form.FIXED)).record("R").root, described)


def compare(item: Item, described: Described) -> None:
    assert (item.name, item.level) == (described.name, described.level)
    assert (item.length, item.occurs.maximum if item.occurs else 1) == (
        described.length,
        described.times,
    )
    assert len(item.children) == len(described.children)
    after = item.offset
    for child, expected in zip(item.children, described.children, strict=True):
        compare(child, expected)
        if child.redefines is None:
            assert child.offset == after
            after += child.total
