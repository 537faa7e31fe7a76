"""The small grammars that attributes and headers are written in, as tables."""

import pytest

from gateway.publishing.syntax import (
    InvalidMediaType,
    is_timestamp,
    is_traceparent,
    is_tracestate,
    parse_media_type,
)


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01T08:00:00Z",
        "2024-05-01t08:00:00z",
        "2024-05-01T08:00:00.1+07:00",
        "2024-05-01T08:00:00.123456789012-23:59",
        "2024-05-01T08:00:00-00:00",
        "2000-02-29T00:00:00Z",
        "0001-01-01T00:00:00+07:00",
        "9999-12-31T23:59:59-07:00",
        "2016-12-31T23:59:60Z",
        "2015-06-30T23:59:60.5Z",
        "2017-01-01T06:59:60+07:00",
    ],
)
def test_timestamps(text: str) -> None:
    assert is_timestamp(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "besok",
        "2024-05-01T08:00Z",
        "2024-05-01T08:00:00",
        "2024-05-01 08:00:00Z",
        "2024-05-01T08:00:00X",
        "2024-05-01T08:00:00+07",
        "2024-05-01T08:00:00+0700",
        "2024-05-01T08:00:00+24:00",
        "2024-05-01T08:00:00+07:60",
        "2024-05-01T24:00:00Z",
        "2024-05-01T08:60:00Z",
        "2024-05-01T08:00:61Z",
        "2024-05-01T08:00:60Z",
        "2016-12-31T23:59:60+07:00",
        "2016-11-30T23:59:60Z",
        "0001-01-01T00:00:60+07:00",
        "2024-05-01T08:00:00.Z",
        "2024-05-01T08:00:00,5Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "+2024-05-01T08:00:00Z",
        "24-05-01T08:00:00Z",
        "2024-W18-3T08:00:00Z",
        "２024-05-01T08:00:00Z",
        "2024-05-01T08:00:00Z\n",
    ],
)
def test_no_timestamps(text: str) -> None:
    assert not is_timestamp(text)


@pytest.mark.parametrize(
    ("text", "essence", "canonical"),
    [
        ("application/json", "application/json", "application/json"),
        (" Application/JSON ", "application/json", "application/json"),
        ("application/json;charset=UTF-8", "application/json", "application/json"),
        ('application/json; charset="utf-8"', "application/json", "application/json"),
        (
            'application/ld+json ; Profile="a b";x=1',
            "application/ld+json",
            'application/ld+json; profile="a b"; x=1',
        ),
        ('a/json;x="\\"\\a"', "a/json", 'a/json; x="\\"a"'),
        ("Text/Plain; Charset=x", "text/plain", "Text/Plain; Charset=x"),
    ],
)
def test_media_types(text: str, essence: str, canonical: str) -> None:
    media = parse_media_type(text)
    assert (media.essence, media.canonical) == (essence, canonical)
    assert parse_media_type(canonical).canonical == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "json",
        "/json",
        "text/",
        "text /plain",
        "text/plain;",
        "text/plain; charset",
        "text/plain; =x",
        "text/plain; charset=",
        "text/plain; charset =x",
        'text/plain; a="b',
        "text/plain, text/html",
        "text/plain x",
        "te\u00e9t/plain",
        "text/plain\n",
    ],
)
def test_no_media_types(text: str) -> None:
    with pytest.raises(InvalidMediaType):
        parse_media_type(text)


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ("a/json", True),
        ("a/b+json", True),
        ("a/xjson", False),
        ("json/a", False),
        ("a/b+jsonx", False),
    ],
)
def test_json_media_types(text: str, json: bool) -> None:
    assert parse_media_type(text).is_json is json


@pytest.mark.parametrize(
    ("parameters", "utf8"),
    [
        ("", True),
        ("; a=b", True),
        ("; charset=utf-8", True),
        ('; CHARSET="UTF-8"', True),
        ("; charset=utf8", False),
        ("; charset=latin-1", False),
        ("; charset=utf-8; charset=utf-8", False),
    ],
)
def test_charsets(parameters: str, utf8: bool) -> None:
    assert parse_media_type("text/plain" + parameters).is_utf8 is utf8


TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        (f"00-{TRACE_ID}-{PARENT_ID}-01", True),
        (f"cc-{TRACE_ID}-{PARENT_ID}-01", True),
        (f"cc-{TRACE_ID}-{PARENT_ID}-01-more", True),
        (f"00-{TRACE_ID}-{PARENT_ID}-01-more", False),
        (f"cc-{TRACE_ID}-{PARENT_ID}-01more", False),
        (f"cc-{TRACE_ID}-{PARENT_ID}-01-\u00e9", False),
        (f"ff-{TRACE_ID}-{PARENT_ID}-01", False),
        (f"00-{'0' * 32}-{PARENT_ID}-01", False),
        (f"00-{TRACE_ID}-{'0' * 16}-01", False),
        (f"00-{TRACE_ID.upper()}-{PARENT_ID}-01", False),
        (f"00-{TRACE_ID}-{PARENT_ID}-1", False),
        ("", False),
    ],
)
def test_traceparents(text: str, sound: bool) -> None:
    assert is_traceparent(text) is sound


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("a=1", True),
        ("a=1, b@c=x y,", True),
        ("1t@sys=z", True),
        ("", False),
        (",", False),
        ("a", False),
        ("A=1", False),
        ("a=1,a=2", False),
        ("a=b=c", False),
        ("a=\u00e9", False),
        (",".join(f"k{number}=1" for number in range(33)), False),
        ("a=" + "x" * 256 + ",b=" + "x" * 256, False),
    ],
)
def test_tracestates(text: str, sound: bool) -> None:
    assert is_tracestate(text) is sound
