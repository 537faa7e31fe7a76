"""The three content modes: what is told from what, and that all of them say the same event."""

from typing import Any

import pytest

from gateway.base import strict_json
from gateway.base.errors import Malformed, Refused, UnsupportedMediaType
from gateway.base.event import Event
from gateway.publishing.cloudevents import parse_request
from tests.unit.cloudevents_requests import (
    DATA,
    LIMITS,
    Headers,
    batched,
    binary,
    envelope,
    headers,
    structured,
)

STRUCTURED = (b"content-type", b"application/cloudevents+json")


def in_every_mode(
    data: bytes, content_type: str, member: str, **attributes: Any
) -> tuple[Event, Event, Event]:
    """One event in structured (with `member` for its data), binary and batched mode."""
    text = envelope(datacontenttype=content_type, **attributes)[:-1] + b"," + member.encode() + b"}"
    (element,) = batched(text).items
    assert isinstance(element, Event)
    return structured(text), binary(data, content_type, **attributes), element


@pytest.mark.parametrize(
    ("data", "content_type", "member"),
    [
        (DATA, "application/json", f'"data":{DATA.decode()}'),
        (b" \n{}\t", "application/json; charset=utf-8", '"data":  {} '),
        (b'"text"', "application/json", '"data":"text"'),
        (b"null", "application/json", '"data":null'),
        (b"0", "application/vnd.x+json", '"data":0'),
        (b'{"a":1}', "application/json", '"data_base64":"eyJhIjoxfQ=="'),
        (b"<a/>", "application/xml", '"data":"<a/>"'),
        ("é\n".encode(), "text/plain", '"data":"\\u00e9\\n"'),
        (b"\x00\xff", "application/octet-stream", '"data_base64":"AP8="'),
        (b"", "text/plain", '"data":""'),
        (b"", "text/plain", '"data_base64":""'),
        (b"", "application/json", '"data_base64":null'),
    ],
)
def test_every_mode_says_the_same_event(data: bytes, content_type: str, member: str) -> None:
    one, two, three = in_every_mode(data, content_type, member, time="2024-05-01T00:00:00Z", n=5)
    assert one == three
    assert one.digest == two.digest == three.digest
    assert one.identity == two.identity
    assert (one.data, one.binary) == (two.data, two.binary)


def test_json_data_are_the_bytes_as_received() -> None:
    event = structured(envelope(DATA))
    assert (event.data, event.binary) == (DATA, False)
    assert event.attributes == {"datacontenttype": "application/json"}
    assert event == binary(DATA)


def test_null_is_data_and_nothing_is_none() -> None:
    assert structured(envelope(b"null")).data == b"null"
    assert structured(envelope()).data is None
    assert binary(b"").data is None
    assert structured(envelope()).attributes == {}


def test_data_without_a_content_type_are_bytes_in_binary_mode() -> None:
    event = binary(b"{}", content_type=None)
    assert (event.data, event.binary, event.attributes) == (b"{}", True, {})
    assert event == structured(envelope()[:-1] + b',"data_base64":"e30="}')


def test_data_are_proven_where_they_are_read() -> None:
    for event in (binary(b"{'a'}"), structured(envelope(b'{"a":1,"a":2}'))):
        assert event.data is not None
        with pytest.raises(Malformed):
            strict_json.parse(event.data)


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ('"data":1,"data_base64":"AA=="', "/data_base64"),
        ('"data":null,"data_base64":"AA=="', "/data_base64"),
        ('"data_base64":1', "/data_base64"),
        ('"data_base64":"AA"', "/data_base64"),
        ('"data_base64":"AA==\\n"', "/data_base64"),
        ('"data_base64":"AA==AA=="', "/data_base64"),
        ('"data_base64":"A_-="', "/data_base64"),
        ('"data_base64":"AB=="', "/data_base64"),
        ('"data_base64":"\\u00e9"', "/data_base64"),
        ('"data_base64":"\\ud800"', "/data_base64"),
        ('"data_base64":"IA=="', None),
        ('"datacontenttype":"application/json","data_base64":"IAo="', "/data"),
        ('"datacontenttype":"text/plain","data":{}', "/data"),
        ('"datacontenttype":"text/plain","data":null', "/data"),
        ('"datacontenttype":"text/plain","data":"\\ud800"', "/data"),
        ('"datacontenttype":"text/plain; charset=latin-1","data":"a"', "/datacontenttype"),
        ('"data":1,"data":2', "/data"),
    ],
)
def test_faults_of_data(members: str, pointer: str | None) -> None:
    text = envelope()[:-1] + b"," + members.encode() + b"}"
    if pointer is None:
        assert structured(text).data == b" "
        return
    with pytest.raises(Malformed) as caught:
        structured(text)
    assert caught.value.pointer == pointer


def test_base64_carries_text_of_any_charset() -> None:
    event = structured(
        envelope(datacontenttype="text/plain; charset=latin-1")[:-1] + b',"data_base64":"6Q=="}'
    )
    assert (event.data, event.binary) == (b"\xe9", True)


def test_white_space_alone_is_no_json() -> None:
    with pytest.raises(Malformed, match="white space") as caught:
        binary(b" \n")
    assert caught.value.pointer == "/data"


# Which mode it is.


@pytest.mark.parametrize(
    "content_type",
    [
        "application/cloudevents+json",
        "Application/CloudEvents+JSON",
        "application/cloudevents+json; charset=utf-8",
        'application/cloudevents+json ;charset="UTF-8"; v=1',
    ],
)
def test_structured_mode(content_type: str) -> None:
    assert structured(envelope(), content_type).id == "evt-1"


def test_structured_mode_does_not_look_at_attributes_in_headers() -> None:
    event = parse_request([*headers(content_type=None, id="other"), STRUCTURED], envelope(), LIMITS)
    assert isinstance(event, Event)
    assert event.id == "evt-1"


@pytest.mark.parametrize(
    ("pairs", "error", "says"),
    [
        ([], UnsupportedMediaType, "not a CloudEvent. Send an event as application/cloudevents"),
        ([(b"content-type", b"application/json")], UnsupportedMediaType, "not a CloudEvent"),
        ([(b"content-type", b"\xff")], UnsupportedMediaType, "not a CloudEvent"),
        ([(b"content-type", b"a/" + b"b" * 300)], UnsupportedMediaType, "longer than 255"),
        ([(b"content-type", b"application/cloudevents+xml")], UnsupportedMediaType, "xml is not"),
        ([(b"content-type", b"application/cloudevents+avro")], UnsupportedMediaType, "avro is not"),
        ([(b"content-type", b"application/cloudevents")], UnsupportedMediaType, "is not"),
        (
            [(b"content-type", b"application/cloudevents-batch+xml")],
            UnsupportedMediaType,
            "xml is not",
        ),
        (
            [(b"content-type", b"application/cloudevents+json; charset=utf-16")],
            UnsupportedMediaType,
            "must be utf-8",
        ),
        (
            [(b"content-type", b"application/cloudevents-batch+json; charset=latin-1")],
            UnsupportedMediaType,
            "must be utf-8",
        ),
        ([STRUCTURED, STRUCTURED], Malformed, "content-type is repeated"),
        (
            [STRUCTURED, (b"content-encoding", b"gzip"), (b"content-encoding", b"gzip")],
            Malformed,
            "content-encoding is repeated",
        ),
        ([*headers(), (b"ce-datacontenttype", b"a/b")], Malformed, "Omit the header"),
        ([*headers(), (b"ce-data", b"1")], Malformed, "Invalid attribute name"),
        (headers(content_type="json"), Malformed, "media type"),
        ([(b"ce-id", b"1")], Malformed, "missing"),
    ],
)
def test_what_is_no_event(pairs: Headers, error: type[Refused], says: str) -> None:
    with pytest.raises(error, match=says):
        parse_request(pairs, envelope(), LIMITS)


# Headers.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b" \tplain ", "plain"),
        (b"Euro%20%E2%82%AC%20%f0%9f%98%80", "Euro \u20ac \U0001f600"),
        (b"%41", "A"),
        (b"100%25", "100%"),
        (b"%2541", "%41"),
        (b'"a b"', "a b"),
        (b'"a \\"b\\" \\\\ %41"', 'a "b" \\ A'),
        (b'a"b', 'a"b'),
        (b"a b", "a b"),
    ],
)
def test_header_values(value: bytes, text: str) -> None:
    event = parse_request([*headers(content_type=None), (b"ce-subject", value)], b"", LIMITS)
    assert isinstance(event, Event)
    assert event.subject == text


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"%", "two hexadecimal"),
        (b"a%4", "two hexadecimal"),
        (b"%zz", "two hexadecimal"),
        (b"%C0%A0", "not UTF-8"),
        (b"%ED%A0%80", "not UTF-8"),
        (b"%FF", "not UTF-8"),
        (b"\xc3\xa9", "Percent-encode"),
        (b'"open', "quotes"),
        (b'"a"b"', "quotes"),
        (b'"a\\"', "quotes"),
        (b"%0A", "U\\+000A"),
        (b"\x01", "U\\+0001"),
        (b"", "empty"),
    ],
)
def test_broken_header_values(value: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says) as caught:
        parse_request([*headers(content_type=None), (b"ce-subject", value)], b"", LIMITS)
    assert caught.value.pointer == "/subject"
