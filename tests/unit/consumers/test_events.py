"""The event in a message, by every mode and prefix in use."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.events import Event, NotAnEvent, event_from_message

HEAD = {"specversion": "1.0", "id": "7", "source": "/uji", "type": "id.go.uji.a.b.v1"}
STRUCTURED = "application/cloudevents+json; charset=utf-8"


def test_structured() -> None:
    body = json.dumps({**HEAD, "subject": "a", "partitionkey": "k", "data": {"n": 1}}).encode()
    event = event_from_message(body, {}, STRUCTURED)
    assert event == Event("7", "/uji", HEAD["type"], "a", {"n": 1}, {"partitionkey": "k"})
    assert (event.identity, event.ordering_key) == (("/uji", "7"), "k")


def test_bytes_in_structured_mode() -> None:
    body = json.dumps({**HEAD, "data_base64": b64encode(b"\xff").decode()}).encode()
    assert event_from_message(body, {}, STRUCTURED).data == b"\xff"


@pytest.mark.parametrize("prefix", ["ce-", "cloudEvents_", "cloudEvents:", ""])
def test_binary_by_every_prefix(prefix: str) -> None:
    headers: dict[str, Any] = {f"{prefix}{name}": value for name, value in HEAD.items()}
    headers["x-death"] = []
    event = event_from_message(b'{"n": 1}', headers, "application/json")
    assert (event.id, event.data) == ("7", {"n": 1})
    assert event.attributes == {"datacontenttype": "application/json"}
    assert event_from_message(b"\xff", headers, "application/octet-stream").data == b"\xff"


@pytest.mark.parametrize(("subject", "key"), [(None, "7"), ("a", "/uji\na")])
def test_what_order_is_kept_by(subject: str | None, key: str) -> None:
    assert Event("7", "/uji", "t", subject).ordering_key == key


@pytest.mark.parametrize(
    ("body", "headers", "content_type", "says"),
    [
        (b"{", {}, STRUCTURED, "not a CloudEvent"),
        (b"[]", {}, STRUCTURED, "not a CloudEvent"),
        (b"{}", {}, STRUCTURED, "id is missing"),
        (json.dumps({**HEAD, "id": 7}).encode(), {}, STRUCTURED, "id is missing"),
        (json.dumps({**HEAD, "data_base64": "*"}).encode(), {}, STRUCTURED, "not a CloudEvent"),
        (b"x", {}, None, "neither"),
        (b"{", {f"ce-{k}": v for k, v in HEAD.items()}, "application/json", "not a CloudEvent"),
        (b"x", {"ce-specversion": "1.0", "ce-id": "7"}, None, "source is missing"),
    ],
)
def test_what_is_no_event(
    body: bytes, headers: dict[str, Any], content_type: str | None, says: str
) -> None:
    with pytest.raises(NotAnEvent, match=says):
        event_from_message(body, headers, content_type)


@given(st.binary(max_size=100), st.sampled_from([STRUCTURED, "application/json", None]))
def test_any_bytes_are_an_event_or_none(body: bytes, content_type: str | None) -> None:
    headers = {f"ce-{name}": value for name, value in HEAD.items()}
    try:
        event_from_message(body, headers, content_type)
    except NotAnEvent as error:
        assert "CloudEvent" in str(error)  # noqa: PT017 - either way is right
