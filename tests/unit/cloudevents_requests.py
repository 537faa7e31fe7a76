"""Builders of publish requests: a valid event by default, changed by keyword."""

import json
from typing import Any
from urllib.parse import quote

from gateway.base.event import AttributeValue, Event, attribute_text
from gateway.publishing.cloudevents import Batch, Limits, parse_request

LIMITS = Limits()
NISN: dict[str, Any] = {
    "specversion": "1.0",
    "id": "evt-1",
    "source": "/kemendikbud/dapodik",
    "type": "id.go.kemendikbud.nisn.diverifikasi.v1",
}
DATA = b'{"nisn": "0051234567", "nilai": 1.10}'

Headers = list[tuple[bytes, bytes]]


def envelope(data: bytes | None = None, **members: Any) -> bytes:
    """A structured event; `data` is spliced in as it is, and None takes a member away."""
    kept = {name: value for name, value in {**NISN, **members}.items() if value is not None}
    text = json.dumps(kept, ensure_ascii=False).encode()
    return text if data is None else text[:-1] + b',"data":' + data + b"}"


def structured(body: bytes, content_type: str = "application/cloudevents+json") -> Event:
    """What is read from a structured request."""
    event = parse_request([(b"content-type", content_type.encode())], body, LIMITS)
    assert isinstance(event, Event)
    return event


def headers(content_type: str | None = "application/json", **attributes: Any) -> Headers:
    """The headers of a binary request, percent-encoded as the binding says."""
    kept = {name: value for name, value in {**NISN, **attributes}.items() if value is not None}
    pairs = [(b"ce-" + name.encode(), encoded(value)) for name, value in kept.items()]
    return pairs if content_type is None else [*pairs, (b"content-type", content_type.encode())]


def encoded(value: AttributeValue) -> bytes:
    """A header value."""
    return quote(attribute_text(value), safe="!#$&'()*+,-./:;<=>?@[\\]^_`{|}~").encode()


def binary(
    body: bytes = b"", content_type: str | None = "application/json", **attributes: Any
) -> Event:
    """What is read from a binary request."""
    event = parse_request(headers(content_type, **attributes), body, LIMITS)
    assert isinstance(event, Event)
    return event


def batched(*elements: bytes, limits: Limits = LIMITS) -> Batch:
    """What is read from a batch of these elements."""
    body = b"[" + b",".join(elements) + b"]"
    batch = parse_request([(b"content-type", b"application/cloudevents-batch+json")], body, limits)
    assert isinstance(batch, Batch)
    return batch
