"""What makes two events the same, and what order is kept by."""

from typing import Any

import pytest

from gateway.base.event import attribute_text, identity_of
from tests.builders import an_event


@pytest.mark.parametrize(
    "change",
    [
        {"id": "other"},
        {"source": "/other"},
        {"type": "id.go.uji.lain.dicatat.v1"},
        {"subject": "other"},
        {"subject": None},
        {"data": b'{"n":2}'},
        {"data": b'{"n": 1}'},
        {"data": None},
        {"binary": True},
        {"attributes": {}},
        {"attributes": {"datacontenttype": "application/json", "time": "2026-05-04T00:00:00Z"}},
        {"attributes": {"datacontenttype": "application/json", "partitionkey": "p"}},
    ],
    ids=str,
)
def test_every_part_counts(change: dict[str, Any]) -> None:
    assert an_event(id="x").digest != an_event(**{"id": "x", **change}).digest


def test_the_trace_and_what_the_gateway_sets_do_not_count() -> None:
    event = an_event(id="x")
    names = (
        "traceparent",
        "tracestate",
        "sequence",
        "recordedtime",
        "publisher",
        "dataclassification",
    )
    traced = dict(event.attributes) | dict.fromkeys(names, "y")
    assert an_event(id="x", attributes=traced).digest == event.digest


def test_the_order_of_attributes_does_not_count_and_neither_does_their_spelling() -> None:
    a = an_event(id="x", attributes={"a": 1, "b": True})
    b = an_event(id="x", attributes={"b": "true", "a": "1"})
    assert a.digest == b.digest


def test_parts_cannot_be_pushed_into_each_other() -> None:
    a = an_event(id="x", subject="y", attributes={"z": "1"})
    b = an_event(id="x", subject="y\nz=1", attributes={})
    none = an_event(id="x", data=None)
    assert a.digest != b.digest
    assert none.digest != an_event(id="x", data=b"", binary=True).digest
    assert identity_of("a", "b") != identity_of("a\nb", "")[:15]


def test_the_ordering_key() -> None:
    assert an_event(attributes={"partitionkey": "p"}).ordering_key == "p"
    assert an_event(subject="s").ordering_key == "/uji\ns"
    assert an_event(subject="", source="/a").ordering_key == "/a\n"
    event = an_event(subject=None)
    assert event.ordering_key == event.id


def test_attributes_as_text() -> None:
    assert [attribute_text(value) for value in (True, False, 7, -1, "x")] == [
        "true", "false", "7", "-1", "x",
    ]  # fmt: skip
