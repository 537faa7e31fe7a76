"""Cursors: opaque, exact, and refused when somebody made them up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import Invalid
from gateway.http.paging import PageRequest, cursor_of, key_of, page_request

KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(KEYS.filter(lambda key: len(key) < 300))
def test_a_cursor_gives_its_key_back(key: str) -> None:
    assert key_of(cursor_of(key)) == key


@pytest.mark.parametrize(
    "cursor",
    ["", "!", "YQ==", "YQ=", "YR", "Y", "a b", "ÿ", "/w", "_w", "AA", "YQA", "YQ\n", "A" * 4000],
)
def test_other_cursors_are_refused(cursor: str) -> None:
    with pytest.raises(Invalid):
        key_of(cursor)


@given(st.text())
def test_a_cursor_is_either_ours_or_refused(cursor: str) -> None:
    try:
        key = key_of(cursor)
    except Invalid:
        return
    assert cursor_of(key) == cursor


@given(st.lists(st.integers(0, 10**6), unique=True).map(sorted), st.integers(1, 200))
def test_pieces_make_up_the_whole(everything: list[int], limit: int) -> None:
    keys = [f"{number:07}" for number in everything]
    seen: list[str] = []
    asked = PageRequest(limit)
    while True:
        found = [key for key in keys if asked.after is None or key > asked.after]
        items, following = asked.cut(found[: limit + 1], str)
        seen += items
        assert len(items) <= limit
        if following is None:
            break
        asked = page_request(limit, following)
    assert seen == keys
