"""Filters on attributes."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import Invalid
from gateway.subscriptions import Terms, compile_filters
from tests.builders import QUESTION, a_subscription, an_entry

EVENT = an_entry(
    id="7",
    source="/dukcapil/jakarta",
    type="id.go.dukcapil.ktp.dibuat.v1",
    subject="31.74",
    attributes={"urgent": True},
)


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ([], True),
        ([{"exact": {"subject": "31.74"}}], True),
        ([{"exact": {"subject": "31"}}], False),
        ([{"prefix": {"subject": "31", "source": "/dukcapil"}}], True),
        ([{"prefix": {"subject": "31", "source": "/pajak"}}], False),
        ([{"suffix": {"type": ".v1"}}], True),
        ([{"exact": {"urgent": "true"}}], True),
        ([{"exact": {"missing": "x"}}], False),
        ([{"not": {"exact": {"missing": "x"}}}], True),
        ([{"all": [{"exact": {"id": "7"}}, {"exact": {"id": "8"}}]}], False),
        ([{"any": [{"exact": {"id": "7"}}, {"exact": {"id": "8"}}]}], True),
        ([{"exact": {"id": "7"}}, {"exact": {"id": "8"}}], False),
        ([{"exact": {"specversion": "1.0"}}], True),
        ([{"exact": {"publisher": "uji"}}], True),
        ([{"prefix": {"publisher": "ujian"}}], False),
    ],
)
def test_what_passes(filters: list[dict[str, Any]], passes: bool) -> None:
    assert compile_filters(filters)(EVENT) is passes


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ("x", "/filters/0"),
        ({}, "/filters/0"),
        ({"exact": {"a": "b"}, "prefix": {"a": "b"}}, "/filters/0"),
        ({"sql": "id = '7'"}, "/filters/0"),
        ({"exact": []}, "/filters/0/exact"),
        ({"exact": {"id": 7}}, "/filters/0/exact/id"),
        ({"exact": {"data.magnitudo": "5.6"}}, "/filters/0/exact"),
        ({"suffix": {"Subject": "a"}}, "/filters/0/suffix"),
        ({"prefix": {"my-attr": "x"}}, "/filters/0/prefix"),
        ({"not": {"exact": {"": "x"}}}, "/filters/0/not/exact"),
        ({"exact": {"a" * 21: "x"}}, "/filters/0/exact"),
        ({"exact": {"subject\n": "x"}}, "/filters/0/exact"),
        ({"exact": {"dataclassification": "public"}}, "/filters/0/exact"),
        ({"any": [{"prefix": {"recordedtime": "20"}}]}, "/filters/0/any/0/prefix"),
        ({"any": "x"}, "/filters/0/any"),
        ({"all": [{"exact": {"a": "b"}}, {"not": {"all": []}}]}, "/filters/0/all/1/not/all"),
        ({"any": [{"exact": {"a": "b"}}] * 101}, "/filters/0/any/99"),
    ],
)
def test_what_is_no_filter(given: Any, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        compile_filters([given])
    assert refused.value.pointer == pointer


def test_nesting_has_a_limit() -> None:
    deep: dict[str, Any] = {"exact": {"id": "7"}}
    for _ in range(7):
        deep = {"not": deep}
    compile_filters([deep])
    with pytest.raises(Invalid, match="8 deep"):
        compile_filters([{"not": deep}])


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["exact", "any", "not", "x"]), inner, max_size=2)
        ),
    )
)
def test_anything_else_is_refused_and_never_breaks(given: Any) -> None:
    with suppress(Invalid):
        assert compile_filters([given])(EVENT) in (True, False)


@pytest.mark.parametrize(
    "filters",
    [(), ({"any": [{"prefix": {"requestedby": "a"}}, {"suffix": {"requestedby": "n"}}]},)],
)
def test_a_callback_takes_the_replies_to_its_own_organisation_whatever_it_filters(
    filters: tuple[Any, ...],
) -> None:
    callback = a_subscription(types=(f"{QUESTION}.reply",), terms=Terms(filters=filters))
    assert callback.accepts(an_entry(attributes={"requestedby": "lain"}))
    for other in ({}, {"requestedby": "asing"}, {"requestedby": "lainn"}, {"requestedby": "LAIN"}):
        assert not callback.accepts(an_entry(attributes=other))
    assert a_subscription(terms=Terms(filters=())).accepts(an_entry())
