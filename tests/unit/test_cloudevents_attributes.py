"""Every rule of a context attribute, in the modes in which it can be broken."""

from typing import Any

import pytest

from gateway.base.errors import Malformed
from gateway.publishing.attributes import COUNT, SIZE
from gateway.publishing.cloudevents import parse_request
from tests.unit.cloudevents_requests import LIMITS, NISN, binary, envelope, headers, structured

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

ACCEPTED: list[tuple[str, Any]] = [
    ("id", "x" * 255),
    ("id", "é" * 127),
    ("id", "dua kata, \U0001f600"),
    ("source", "s" * 512),
    ("source", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"),
    ("source", "https://dukcapil.go.id/ktp?a=b#c"),
    ("source", "#fragment"),
    ("source", "//host/path"),
    ("type", "t" * 255),
    ("type", "com.example.Jenis-1_x"),
    ("subject", "3174012501900001"),
    ("time", "2024-02-29T23:59:59.123456789+07:00"),
    ("dataschema", "https://bus.go.id/schemas/1?x"),
    ("dataschema", "urn:schema:1"),
    ("datacontenttype", 'text/plain; charset="iso-8859-1"'),
    ("partitionkey", "3174"),
    ("dataref", "/berkas/1"),
    ("abc123", "x"),
    ("a" * 20, ""),
    ("ext", "TWE="),
]

REFUSED: list[tuple[str, Any, str]] = [
    ("specversion", "", "must be"),
    ("specversion", "0.3", "must be"),
    ("specversion", "1.0.2", "must be"),
    ("id", "", "must not be empty"),
    ("id", "x" * 256, "limit is 255"),
    ("id", "é" * 128, "limit is 255"),
    ("id", "a\tb", "U+0009"),
    ("id", "a\x7fb", "U+007F"),
    ("id", "a\u0085b", "U+0085"),
    ("id", "a\ufdd0b", "U+FDD0"),
    ("id", "a\uffffb", "U+FFFF"),
    ("id", "a\U0003fffeb", "U+3FFFE"),
    ("source", "", "URI-reference"),
    ("source", "s" * 513, "limit is 512"),
    ("source", "dua kata", "URI-reference"),
    ("source", "/é", "URI-reference"),
    ("source", "/%zz", "URI-reference"),
    ("type", "", "must not be empty"),
    ("type", "t" * 256, "limit is 255"),
    ("type", "id.go.*", "white space"),
    ("type", "id.go.#", "white space"),
    ("type", "id go", "white space"),
    ("type", "id\u2003go", "white space"),
    ("subject", "", "must not be empty"),
    ("subject", "s" * 513, "limit is 512"),
    ("time", "", "RFC 3339"),
    ("time", "2024-05-01", "RFC 3339"),
    ("dataschema", "", "absolute URI"),
    ("dataschema", "/relative", "absolute URI"),
    ("dataschema", "https://a/b#fragment", "absolute URI"),
    ("datacontenttype", "xyz", "media type"),
    ("datacontenttype", "", "media type"),
    ("datacontenttype", "application/json; charset=latin-1", "UTF-8"),
    ("partitionkey", "", "must not be empty"),
    ("partitionkey", "x" * 256, "limit is 255"),
    ("dataref", "a b", "URI-reference"),
    ("sequence", "1", "gateway sets the attribute"),
    ("sequencetype", "Integer", "gateway sets the attribute"),
    ("recordedtime", "2024-05-01T00:00:00Z", "gateway sets the attribute"),
    ("dataclassification", "public", "gateway sets the attribute"),
    ("publisher", "dukcapil", "gateway sets the attribute publisher"),
    ("publisher", 1, "gateway sets the attribute publisher"),
    ("requestedby", "dukcapil", "gateway sets the attribute requestedby"),
    ("corrects", "00-0000000000000001", "gateway sets the attribute corrects"),
    ("causationid", "1", "gateway sets the attribute causationid"),
    ("requestid", "0" * 32, "gateway sets the attribute requestid"),
    ("requestexpiry", "2024-05-01T00:00:00Z", "gateway sets the attribute requestexpiry"),
    ("a" * 21, "x", "Invalid attribute name"),
    ("my_ext", "x", "Invalid attribute name"),
    ("my.ext", "x", "Invalid attribute name"),
    ("siti aminah", "x", "Invalid attribute name '…'"),
    ("n3273014105900001" + "n" * 20, "x", "Invalid attribute name '…'"),
    ("", "x", "Invalid attribute name"),
]
# A name that may be that of a person is not told.
SHOWN = {each: "…" for each in ("my.ext", "siti aminah", "n3273014105900001" + "n" * 20)}


def without(name: str) -> dict[str, Any]:
    return {name: None}


def _as_binary(name: str, value: Any) -> dict[str, Any]:
    if name == "datacontenttype":
        return {"content_type": value}
    return {name: value, "content_type": None}


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_accepted(name: str, value: Any) -> None:
    for event in (structured(envelope(**{name: value})), binary(**_as_binary(name, value))):
        known = {"id": event.id, "source": event.source, "type": event.type}
        assert {**event.attributes, **known, "subject": event.subject}[name] == value


@pytest.mark.parametrize(("name", "value", "says"), REFUSED)
def test_refused_in_structured_mode(name: str, value: Any, says: str) -> None:
    with pytest.raises(Malformed, match=says.replace("+", r"\+")) as caught:
        structured(envelope(**{name: value}))
    assert caught.value.pointer == f"/{SHOWN.get(name, name)}"


@pytest.mark.parametrize(("name", "value", "says"), REFUSED)
def test_refused_in_binary_mode(name: str, value: Any, says: str) -> None:
    with pytest.raises(Malformed, match=says.replace("+", r"\+")) as caught:
        binary(**_as_binary(name, value))
    assert caught.value.pointer == f"/{SHOWN.get(name, name)}"


@pytest.mark.parametrize("name", NISN)
@pytest.mark.parametrize("read", [structured, binary])
def test_required(name: str, read: Any) -> None:
    with pytest.raises(Malformed, match=f"{name} is missing") as caught:
        structured(envelope(**without(name))) if read is structured else binary(**without(name))
    assert caught.value.pointer == f"/{name}"


@pytest.mark.parametrize("name", [*NISN, "subject", "time", "datacontenttype", "partitionkey"])
@pytest.mark.parametrize("value", [b"1", b"true"])
def test_defined_attributes_are_strings(name: str, value: bytes) -> None:
    body = envelope(**without(name))[:-1] + b',"%s":%s}' % (name.encode(), value)
    with pytest.raises(Malformed, match="must be a string") as caught:
        structured(body)
    assert caught.value.pointer == f"/{name}"


@pytest.mark.parametrize("value", [5, -(2**31), 2**31 - 1, True, False, "x"])
def test_extensions_keep_their_json_type(value: Any) -> None:
    (got,) = structured(envelope(ext=value)).attributes.values()
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    "value",
    [b"1.0", b"1e2", b"1e400", b"2147483648", b"-2147483649", b"9" * 5000, b"{}", b"[]", b"{1}"],
)
def test_other_extension_values_are_refused(value: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        structured(envelope()[:-1] + b',"ext":' + value + b"}")
    assert (caught.value.pointer or "/ext").startswith("/ext")


@pytest.mark.parametrize("member", ['":1}', '":1.5}', '":"\\ud800"}', '":[]}'])
def test_a_name_is_cut_before_it_fills_the_answer(member: str) -> None:
    with pytest.raises(Malformed) as caught:
        structured(envelope()[:-1] + b',"' + b"n" * 100_000 + member.encode())
    assert len(str(caught.value)) < 200
    assert len(caught.value.pointer or "") <= 512
    with pytest.raises(Malformed) as caught:
        parse_request([*headers(), (b"ce-" + b"n" * 60_000, b"%")], b"", LIMITS)
    assert len(str(caught.value)) < 200


def test_null_is_unset() -> None:
    body = (
        envelope()[:-1]
        + b',"subject":null,"time":null,"ext":null,"sequence":null,"datacontenttype":null}'
    )
    assert structured(body) == structured(envelope())


def test_null_does_not_stand_for_a_required_attribute() -> None:
    with pytest.raises(Malformed, match="id is missing"):
        structured(envelope(id=None)[:-1] + b',"id":null}')


def test_lone_surrogates_are_refused_with_their_place() -> None:
    with pytest.raises(Malformed, match="surrogate") as caught:
        structured(envelope()[:-1] + b',"ext":"\\ud800"}')
    assert caught.value.pointer == "/ext"


def test_the_number_of_attributes_is_limited() -> None:
    most: dict[str, Any] = {f"x{number}": "1" for number in range(COUNT - 4)}
    assert len(structured(envelope(**most)).attributes) == COUNT - 4
    assert len(binary(content_type=None, **most).attributes) == COUNT - 4
    with pytest.raises(Malformed, match="attributes"):
        structured(envelope(**most, more=1))
    with pytest.raises(Malformed, match="attributes"):
        binary(**most, more="1")


def test_the_size_of_all_attributes_is_limited() -> None:
    with pytest.raises(Malformed, match="bytes together"):
        structured(envelope(ext="é" * (SIZE // 2)))
    assert structured(envelope(ext="e" * (SIZE - 500))).attributes["ext"] == "e" * (SIZE - 500)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"traceparent": TRACE, "tracestate": "a=1"}, {"traceparent", "tracestate"}),
        ({"traceparent": TRACE, "tracestate": ";"}, {"traceparent"}),
        ({"traceparent": TRACE.upper(), "tracestate": "a=1"}, set()),
        ({"tracestate": "a=1"}, set()),
    ],
)
def test_a_broken_trace_is_left_out(given: dict[str, Any], kept: set[str]) -> None:
    assert structured(envelope(**given)).attributes.keys() == kept
    assert binary(content_type=None, **given).attributes.keys() == kept


def test_a_trace_that_is_no_string_is_left_out() -> None:
    assert structured(envelope(traceparent=5, tracestate=True)).attributes == {}
    assert structured(envelope(traceparent=TRACE, tracestate=True)).attributes.keys() == {
        "traceparent"
    }


def test_a_repeated_attribute_is_refused() -> None:
    with pytest.raises(Malformed, match="twice") as caught:
        structured(envelope()[:-1] + b',"id":"2"}')
    assert caught.value.pointer == "/id"
    with pytest.raises(Malformed, match="ce-id is repeated") as caught:
        parse_request([*headers(), (b"ce-id", b"2")], b"", LIMITS)
    assert caught.value.pointer == "/id"
