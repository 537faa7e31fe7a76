"""An event and its message, there and back."""

import json
from struct import Struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame

from gateway.base.errors import Malformed
from gateway.base.event import Event, attribute_text
from gateway.broker import OutgoingMessage, message
from gateway.broker.frames import FRAME_OVERHEAD, Marshaller
from gateway.broker.message import CONTENT_TYPE, HEADERS_LIMIT, event_from_message

STAMP = ("2/41", "2026-05-04T03:02:01.5Z", "dukcapil", "confidential")
STAMPED = dict(
    zip(("sequence", "recordedtime", "publisher", "dataclassification"), STAMP, strict=True)
)
TAKEN = {"specversion", "id", "source", "type", "subject", "data", *STAMPED}

text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
values = st.one_of(text, st.integers(-(2**31), 2**31 - 1), st.booleans())
attributes = st.dictionaries(
    st.from_regex("[a-z0-9]{1,20}", fullmatch=True).filter(lambda name: name not in TAKEN),
    values,
    max_size=8,
)
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), text), lambda inner: st.lists(inner)
)
json_data = st.builds(
    lambda value, ascii: json.dumps(value, ensure_ascii=ascii).encode(), documents, st.booleans()
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    data, binary = draw(
        st.one_of(
            st.just((None, False)),
            st.tuples(json_data, st.just(False)),
            st.tuples(st.binary(), st.just(True)),
        )
    )
    return Event(
        id=draw(text),
        source=draw(text),
        type=draw(text),
        subject=draw(st.none() | text),
        attributes=draw(attributes),
        data=data,
        binary=binary,
    )


def an_event(**changes: object) -> Event:
    fields: dict[str, object] = {
        "id": "7",
        "source": "/dukcapil",
        "type": "id.go.dukcapil.ktp.dibuat.v1",
        "subject": "3171",
        "attributes": {"time": "2026-05-04T03:02:01Z", "tries": 3, "urgent": True},
        "data": b'{"nik" : 1.0e2 }',
    }
    return Event(**{**fields, **changes})  # type: ignore[arg-type]  # a builder for tests


@given(event=events())
def test_a_structured_message_gives_the_event_back(event: Event) -> None:
    body = message.body(event, *STAMP)
    found = event_from_message(body, {}, CONTENT_TYPE)
    assert found == Event(
        event.id, event.source, event.type, event.subject,
        {**event.attributes, **STAMPED}, event.data, event.binary,
    )  # fmt: skip
    assert json.loads(body)["specversion"] == "1.0"


@given(event=events(), prefix=st.sampled_from(["ce-", "cloudEvents_", "cloudEvents:", ""]))
def test_a_binary_message_gives_the_event_back_as_text(event: Event, prefix: str) -> None:
    headers = {
        name.replace("ce-", prefix, 1): value
        for name, value in message.headers(event, *STAMP).items()
        if name != "ce-datacontenttype"
    }
    json_type = None if event.binary else "application/json"
    found = event_from_message(event.data or b"", headers, json_type)
    assert (found.id, found.source, found.type) == (event.id, event.source, event.type)
    assert (found.subject, found.data or b"") == (event.subject, event.data or b"")
    wanted = {name: attribute_text(value) for name, value in event.attributes.items()} | STAMPED
    wanted.pop("datacontenttype", None)
    assert wanted.items() <= dict(found.attributes).items()


def test_data_stand_in_the_body_as_they_were_received() -> None:
    body = message.body(an_event(), "1/2", "2026-05-04T03:02:01Z", "dukcapil", None)
    assert body == (
        b'{"specversion":"1.0","id":"7","source":"/dukcapil",'
        b'"type":"id.go.dukcapil.ktp.dibuat.v1","subject":"3171",'
        b'"time":"2026-05-04T03:02:01Z","tries":3,"urgent":true,'
        b'"sequence":"1/2","recordedtime":"2026-05-04T03:02:01Z",'
        b'"publisher":"dukcapil","data":{"nik" : 1.0e2 }}'
    )


@pytest.mark.parametrize(
    ("data", "binary", "members"),
    [
        (None, False, set()),
        (b"\x00\xff", True, {"data_base64"}),
        (b"", True, {"data_base64"}),
        (b"null", False, {"data"}),
    ],
)
def test_data_take_the_member_that_fits(
    data: bytes | None, binary: bool, members: set[str]
) -> None:
    body = message.body(an_event(data=data, binary=binary), *STAMP)
    assert {"data", "data_base64"} & json.loads(body).keys() == members


def test_the_journal_has_the_last_word_on_its_own_attributes() -> None:
    event = an_event(attributes=dict.fromkeys(STAMPED, "mine"))
    assert (
        dict(event_from_message(message.body(event, *STAMP), {}, CONTENT_TYPE).attributes)
        == STAMPED
    )
    assert message.headers(event, *STAMP)["ce-sequence"] == STAMP[0]
    assert message.headers(event, *STAMP)["ce-dataclassification"] == STAMP[3]
    assert message.headers(event, *STAMP)["ce-publisher"] == STAMP[2]


def test_headers_repeat_the_attributes_as_text() -> None:
    assert message.headers(an_event(), "1/2", "2026-05-04T03:02:01Z", "dukcapil", None) == {
        "ce-specversion": "1.0",
        "ce-id": "7",
        "ce-source": "/dukcapil",
        "ce-type": "id.go.dukcapil.ktp.dibuat.v1",
        "ce-subject": "3171",
        "ce-time": "2026-05-04T03:02:01Z",
        "ce-tries": "3",
        "ce-urgent": "true",
        "ce-sequence": "1/2",
        "ce-recordedtime": "2026-05-04T03:02:01Z",
        "ce-publisher": "dukcapil",
    }


def test_headers_that_fit_no_frame_stay_in_the_body_alone() -> None:
    event = an_event(attributes={"long": "x" * HEADERS_LIMIT, "short": "y", "n" * 300: "z"})
    headers = message.headers(event, *STAMP)
    assert "ce-long" not in headers
    assert "ce-" + "n" * 300 not in headers
    assert headers["ce-short"] == "y"
    assert headers["ce-id"] == "7"
    assert event_from_message(message.body(event, *STAMP), headers, CONTENT_TYPE).attributes["long"]


@pytest.mark.parametrize("text", ["x" * 90, "火" * 200, "é" * 2, "🌋" * 60, "x"])
@pytest.mark.parametrize("id", ["7", "i" * 255])
def test_headers_fit_the_smallest_frame_with_room_for_what_the_broker_adds(
    text: str, id: str
) -> None:
    """A receiver may ask for frames of 4,096 bytes; a quorum queue adds `x-delivery-count`."""
    extensions = {f"ext{number:02}": text for number in range(40)}
    event = an_event(attributes=extensions, source="/" + "s" * 511, subject="火" * 170, id=id)
    headers = message.headers(event, *STAMP)
    sent = OutgoingMessage(
        "bus.events", event.type, True, (), b"{}", id, headers, None, "86400000", "f" * 32
    )
    size, _, _ = frame.unmarshal(Marshaller(1, 4096).marshal((sent,)))
    (head_size,) = Struct(">I").unpack_from(Marshaller(1, 4096).marshal((sent,)), size + 3)
    assert head_size + FRAME_OVERHEAD + 100 <= 4096
    assert headers["ce-subject"] == event.subject
    assert headers["ce-ext00"] == text


@pytest.mark.parametrize(
    ("body", "headers", "content_type"),
    [
        (b"{}", {}, "application/json"),
        (b"{}", {}, None),
        (b"not json", {}, CONTENT_TYPE),
        (b"[]", {}, CONTENT_TYPE),
        (b'{"id":"1","source":"s"}', {}, CONTENT_TYPE),
        (b'{"id":"","source":"s","type":"t"}', {}, CONTENT_TYPE),
        (b'{"id":"1","source":"s","type":"t","data_base64":"?"}', {}, CONTENT_TYPE),
        (b'{"id":"1","source":"s","type":"t","x":1.5}', {}, CONTENT_TYPE),
        (b"", {"ce-specversion": "1.0", "ce-id": "1"}, "application/json"),
    ],
)
def test_what_is_no_event_is_malformed(
    body: bytes, headers: dict[str, object], content_type: str | None
) -> None:
    with pytest.raises(Malformed):
        event_from_message(body, headers, content_type)
