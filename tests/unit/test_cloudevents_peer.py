"""The official Python SDK as a peer: each side reads what the other sends as it was meant."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from gateway.base import strict_json
from gateway.base.event import Event
from gateway.base.invisible import invisible_character
from gateway.publishing.cloudevents import parse_request
from tests.unit.cloudevents_requests import DATA, LIMITS, NISN, envelope, headers

FORMAT = JSONFormat()


def received(message: http.HTTPMessage) -> Event:
    pairs = [(name.lower().encode(), value.encode()) for name, value in message.headers.items()]
    event = parse_request(pairs, message.body, LIMITS)
    assert isinstance(event, Event)
    return event


def sent(data: Any, **attributes: Any) -> tuple[Event, Event]:
    """What arrives here when the SDK sends an event in structured and in binary mode."""
    event = CloudEvent({"datacontenttype": "application/json", **NISN, **attributes}, data)
    return received(http.to_structured(event, FORMAT)), received(http.to_binary(event, FORMAT))


def test_what_it_sends_arrives() -> None:
    time = datetime(2024, 5, 1, 1, 2, 3, tzinfo=UTC)
    for event in sent(
        {"nisn": "0051234567"}, subject="Budi é \U0001f600 100%", time=time, ext="a b"
    ):
        assert event.id == NISN["id"]
        assert event.subject == "Budi é \U0001f600 100%"
        assert event.attributes == {
            "datacontenttype": "application/json",
            "time": "2024-05-01T01:02:03Z",
            "ext": "a b",
        }
        assert event.data is not None
        assert strict_json.parse(event.data) == {"nisn": "0051234567"}


VALUES = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20).filter(
    lambda text: invisible_character(text) is None
)


@given(
    subject=VALUES,
    ext=VALUES | st.integers(-(2**31), 2**31 - 1),
    data=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=4),
)
def test_both_of_its_modes_are_one_event(
    subject: str, ext: str | int, data: dict[str, Any]
) -> None:
    one, two = sent(data, subject=subject, ext=ext)
    assert one.digest == two.digest
    assert (one.subject, one.attributes["ext"]) == (subject, ext)
    assert one.data is not None
    assert strict_json.parse(one.data) == data


@pytest.mark.parametrize("content_type", ["application/octet-stream", "text/plain"])
def test_its_bytes_arrive(content_type: str) -> None:
    for event in sent(b"\x00\x01text", datacontenttype=content_type):
        assert (event.data, event.binary) == (b"\x00\x01text", True)


def test_its_text_arrives() -> None:
    for event in sent("<a>é</a>", datacontenttype="application/xml"):
        assert (event.data, event.binary) == ("<a>é</a>".encode(), True)


def test_it_reads_what_is_accepted_here() -> None:
    attributes = {"subject": "dua kata é", "ext": "100%", "time": "2024-05-01T08:00:00+07:00"}
    body = envelope(DATA, datacontenttype="application/json", **attributes)
    pairs = {name.decode(): value.decode() for name, value in headers(**attributes)}
    by_structure = http.from_structured(
        http.HTTPMessage({"content-type": "application/cloudevents+json"}, body), FORMAT
    )
    by_headers = http.from_binary(http.HTTPMessage(pairs, DATA), FORMAT)
    for theirs in (by_structure, by_headers):
        assert theirs.get_subject() == "dua kata é"
        assert theirs.get_extension("ext") == "100%"
        assert theirs.get_data() == json.loads(DATA)
