"""The exact reader is slow: no request makes it read much, and the answers stay the same."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway.base import exact_json, strict_json
from gateway.base.errors import Malformed, Refused, TooLarge
from gateway.base.event import Event
from gateway.publishing import Batch, Limits, parse_request
from tests.builders import a_document

SINGLE = [(b"content-type", b"application/cloudevents+json")]
BATCHED = [(b"content-type", b"application/cloudevents-batch+json")]
VALUES = "[" + ",".join(["1"] * 400_000) + "]"
SOME = "[" + ",".join(["1"] * 1900) + "]"
NESTED = "[" + ",".join(["[" * 60 + "]" * 60] * 7000) + "]"


def document(data: str, **more: Any) -> str:
    return json.dumps(a_document(data=None, **more))[:-1] + f',"data":{data}}}'


def batch(*events: str) -> str:
    return "[" + ",".join(events) + "]"


class Counter:
    """Counts what the exact reader reads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.characters = 0
        decode = exact_json._EXACT.decode

        def counted(text: str) -> Any:
            self.characters += len(text)
            return decode(text)

        monkeypatch.setattr(exact_json._EXACT, "decode", counted)


HOSTILE = {
    "a colon in an attribute": (SINGLE, document(VALUES, subject='a":b')),
    "a colon in an attribute, and deep data": (SINGLE, document(NESTED, subject='a":b')),
    "an attribute twice": (SINGLE, document(VALUES, subject="a")[:-1] + ',"subject":"b"}'),
    "an attribute of many values": (SINGLE, document("1")[:-1] + f',"x":{VALUES}}}'),
    "an attribute of many values, and a colon": (
        SINGLE,
        document("1", subject='a":b')[:-1] + f',"x":{VALUES}}}',
    ),
    "an attribute that repeats the data": (
        SINGLE,
        f'{{"x":{VALUES},"subject":"a\\":b","data":{VALUES},"y":{VALUES}}}',
    ),
    "half a surrogate pair": (SINGLE, document(VALUES[:-1] + ',"\\ud800"]')),
    "no end": (SINGLE, document(VALUES)[:-1]),
    "a batch with half a surrogate pair": (BATCHED, batch(*[document(SOME)] * 250, '"\\ud800"')),
    "a batch of them": (BATCHED, batch(*[document(SOME[:-1] + ',"\\ud800"]')] * 250)),
    "a batch of colons": (BATCHED, batch(*[document(SOME, subject='a":b')] * 250)),
    "a batch of many values": (BATCHED, VALUES[:-1]),
    "a batch without end": (BATCHED, batch(*[document(SOME)] * 250)[:-1]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_request_makes_the_exact_reader_read_much(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, body = HOSTILE[name]
    counter = Counter(monkeypatch)
    with suppress(Malformed, TooLarge):
        parse_request(headers, body.encode(), Limits())
    assert counter.characters < 200_000, "of 800,000 and more"


def test_a_colon_in_an_attribute_is_as_valid_in_a_large_event() -> None:
    for data in (VALUES, NESTED, "[1]"):
        event = parse_request(SINGLE, document(data, subject='a":b').encode(), Limits())
        assert isinstance(event, Event)
        assert (event.subject, event.data) == ('a":b', data.encode())


def test_an_attribute_twice_is_refused_in_a_large_event() -> None:
    text = document(VALUES, subject="a")[:-1] + ',"subject":"b"}'
    with pytest.raises(Malformed, match="this member twice") as caught:
        parse_request(SINGLE, text.encode(), Limits())
    assert caught.value.pointer == "/subject"


def test_one_bad_event_of_a_large_batch_is_refused_alone() -> None:
    good, bad = document(SOME), document('"\\ud800"')
    found = parse_request(BATCHED, batch(*[good] * 50, bad, *[good] * 50).encode(), Limits())
    assert isinstance(found, Batch)
    refused = [index for index, item in enumerate(found.items) if isinstance(item, Refused)]
    assert refused == [50]
    assert {bytes(element) for element in found.elements} == {good.encode(), bad.encode()}


texts = st.text(max_size=5).map(json.dumps) | st.sampled_from(
    [
        '"\\ud800"',
        '"\\\\ud800"',
        '"\\udc00\\ud800"',
        '"\\ud83d\\ude00"',
        '"],["',
        "[]",
        "1.50",
        "{}",
    ]
)
spaces = st.sampled_from(["", " ", "\n\t"])


@given(st.lists(st.tuples(spaces, texts, spaces), max_size=8), st.integers(1, 8))
def test_long_arrays_are_split_as_short_ones(parts: list[tuple[str, str, str]], most: int) -> None:
    raw = f"[{','.join(map(''.join, parts)) if parts else ' '}]".encode()
    try:
        expected: list[Raw] | None = exact_json.split(raw, most)
    except Malformed:
        expected = None
    assert strict_json._split_large(raw, most) == expected
