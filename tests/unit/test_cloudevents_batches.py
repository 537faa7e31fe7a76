"""CloudEvents batches and their limits."""

import json
from base64 import b64encode
from hashlib import sha256

import pytest

from gateway.base.errors import Malformed, TooLarge
from gateway.base.event import Event
from gateway.publishing.cloudevents import Limits, parse_request
from tests.unit.cloudevents_requests import (
    DATA,
    LIMITS,
    Headers,
    batched,
    envelope,
    headers,
    structured,
)

STRUCTURED = (b"content-type", b"application/cloudevents+json")


# Batches.


def test_each_element_of_a_batch_is_judged_on_its_own() -> None:
    texts = [
        envelope(DATA, id="a"),
        b'"text"',
        envelope(id=""),
        envelope(b'{"x":"\\ud800"}', id="d"),
        envelope(id="e")[:-1] + b',"ext":"\xff"}',
        envelope(id="f", specversion="0.3"),
        envelope(id="g")[:-1] + b',"id":"g"}',
        envelope(id="h"),
    ]
    batch = batched(*texts)
    kinds = [each.id if isinstance(each, Event) else type(each) for each in batch.items]
    assert kinds == ["a", *[Malformed] * 6, "h"]
    pointers = [each.pointer for each in batch.items if isinstance(each, Malformed)]
    assert pointers == ["/1", "/2/id", "/3/data/x", "/4", "/5/specversion", "/6/id"]
    assert batch.items[4].byte == len(texts[4]) - 3  # type: ignore[union-attr]  # is Malformed
    assert [batch.digest(index) for index in range(8)] == [sha256(t).digest() for t in texts]


def test_an_empty_batch_is_a_batch() -> None:
    assert batched().items == ()


def test_a_batch_must_be_an_array() -> None:
    for body in (b"{}", b"", b"[", b"[{}", b"[{},]"):
        with pytest.raises(Malformed):
            parse_request([(b"content-type", b"application/cloudevents-batch+json")], body, LIMITS)


def test_the_limits_of_a_batch() -> None:
    limits = Limits(event_bytes=200, batch_bytes=1000, batch_events=3)
    small, large = envelope(), envelope(ext="x" * 200)
    ok, refused = batched(small, large, limits=limits).items
    assert isinstance(ok, Event)
    assert isinstance(refused, TooLarge)
    with pytest.raises(TooLarge, match="more than 3"):
        batched(*[small] * 4, limits=limits)
    with pytest.raises(TooLarge, match="1000 bytes"):
        batched(*[large] * 4, limits=limits)


@pytest.mark.parametrize("pairs", [[STRUCTURED], headers()])
def test_the_limit_of_a_single_event(pairs: Headers) -> None:
    body = envelope() + b" " * 200
    parse_request(pairs, body, Limits(event_bytes=len(body)))
    with pytest.raises(TooLarge):
        parse_request(pairs, body, Limits(event_bytes=len(body) - 1))


def test_a_batch_of_too_many_small_elements_is_not_kept() -> None:
    with pytest.raises(TooLarge, match="more than 1000"):
        batched(*[b"1"] * 500_000)


def test_large_base64_goes_through_unchanged() -> None:
    content = bytes(range(256)) * 1000
    text = envelope(datacontenttype="application/octet-stream")[:-1]
    event = structured(
        text + b',"data_base64":' + json.dumps(b64encode(content).decode()).encode() + b"}"
    )
    assert event.data == content
