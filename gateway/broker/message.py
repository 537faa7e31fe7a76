"""Converts events to messages and messages to events.

There is no CloudEvents binding for AMQP 0-9-1, and structured JSON is the format most widely read.
So the body is the whole event (`application/cloudevents+json`), with the data exactly as the
publisher sent them, and string headers repeat the attributes for routing and filters.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from gateway.base.errors import Malformed
from gateway.base.event import AttributeValue, Event, attribute_text
from gateway.broker import names

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

HEADERS_LIMIT = 3500
"""Bytes of all headers together, as they are sent. A content header must fit one frame, or a
connection ends: ours, or that of a receiver whose frames are the smallest of AMQP, 4,096 bytes. The
rest of such a frame is for the other properties and for what the broker adds. Attributes beyond the
limit are in the body alone."""
_HEADER_OVERHEAD = 6  # the length of the name, the type and the length of the value
_LONGEST_CHARACTER = 4  # bytes in UTF-8

_PREFIXES = ("ce-", "cloudEvents_", "cloudEvents:", "")  # ours first, then the others in use
_CORE = frozenset({"specversion", "id", "source", "type", "subject"})
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_value = msgspec.json.Decoder(str | int | bool | None).decode
_base64 = msgspec.json.Decoder(str).decode


class OutgoingMessage(NamedTuple):
    """A message to publish. A tuple, because the relay makes tens of thousands a second.

    `bcc` holds further routing keys (RabbitMQ's sender-selected distribution): the exchange routes
    by all keys, a queue matched by several gets one copy, and no receiver sees them. `token`
    belongs to the publisher of the message and comes back with its outcome. `expiration` is in
    milliseconds, as text. A request also has a `correlation_id`.
    """

    exchange: str
    routing_key: str
    mandatory: bool
    bcc: tuple[str, ...]
    body: bytes
    message_id: str
    headers: Mapping[str, str]
    token: object
    expiration: str = ""
    correlation_id: str = ""


def body(
    event: Event, sequence: str, recordedtime: str, publisher: str, dataclassification: str | None
) -> bytes:
    """The event as structured CloudEvents JSON, with the data byte for byte as received.

    `sequence`, `recordedtime` (RFC 3339), `publisher` (an organisation) and `dataclassification`
    come from the journal and the contract; they replace attributes of these names.
    """
    document: dict[str, AttributeValue] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
    }
    if event.subject is not None:
        document["subject"] = event.subject
    document.update(event.attributes)
    document["sequence"] = sequence
    document["recordedtime"] = recordedtime
    document["publisher"] = publisher
    if dataclassification is not None:
        document["dataclassification"] = dataclassification
    text = _encode(document)
    if event.data is None:
        return text
    if event.binary:
        return b'%b,"data_base64":"%b"}' % (text[:-1], b64encode(event.data))
    return b'%b,"data":%b}' % (text[:-1], event.data)


def headers(
    event: Event, sequence: str, recordedtime: str, publisher: str, dataclassification: str | None
) -> dict[str, str]:
    """The attributes as `ce-<attribute>` headers in canonical string form."""
    found = {
        "ce-specversion": "1.0",
        "ce-id": event.id,
        "ce-source": event.source,
        "ce-type": event.type,
        "ce-sequence": sequence,
        "ce-recordedtime": recordedtime,
        "ce-publisher": publisher,
    }
    if dataclassification is not None:
        found["ce-dataclassification"] = dataclassification
    if event.subject is not None:
        found["ce-subject"] = event.subject
    for name, value in event.attributes.items():
        found.setdefault(f"ce-{name}", value if type(value) is str else attribute_text(value))
    characters = sum(map(len, found)) + sum(map(len, found.values()))
    if _LONGEST_CHARACTER * characters > HEADERS_LIMIT - _HEADER_OVERHEAD * len(found):
        return _within_limit(found)
    return found


def _within_limit(found: dict[str, str]) -> dict[str, str]:
    """The headers that fit, in order; a name must be a short string."""
    kept: dict[str, str] = {}
    room = HEADERS_LIMIT
    for name, value in found.items():
        size = len(name) + len(value.encode()) + _HEADER_OVERHEAD
        if size <= room and len(name) <= names.LIMIT:
            kept[name] = value
            room -= size
    return kept


def event_from_message(
    body: bytes, headers: Mapping[str, object], content_type: str | None = None
) -> Event:
    """The event in a message, in structured or binary mode, with any prefix in use.

    Raises Malformed if the message holds no event. In binary mode attributes are text or integers,
    as the headers have them.
    """
    if (content_type or "").strip().lower().startswith("application/cloudevents"):
        return _structured(body)
    return _binary(body, headers, content_type)


def binary_attributes(headers: Mapping[str, object]) -> dict[str, object]:
    """The context attributes among the headers of a binary-mode message, without their prefix.

    The prefix is the first in use that has a `specversion`. Empty if none has.
    """
    for prefix in _PREFIXES:
        if f"{prefix}specversion" in headers:
            return {
                name.removeprefix(prefix): value
                for name, value in headers.items()
                if name.startswith(prefix)
            }
    return {}


def _structured(body: bytes) -> Event:
    try:
        members = _members(body)
        data = members.pop("data", None)
        encoded = members.pop("data_base64", None)
        attributes = {name: _value(raw) for name, raw in members.items()}
        if encoded is not None:
            return _event(attributes, b64decode(_base64(encoded), validate=True), binary=True)
    except ValueError as error:  # msgspec's and base64's errors are ValueErrors
        raise Malformed(f"The message is not a CloudEvent in JSON: {error}") from None
    return _event(attributes, None if data is None else bytes(data), binary=False)


def _binary(body: bytes, headers: Mapping[str, object], content_type: str | None) -> Event:
    found = binary_attributes(headers)
    if not found:
        raise Malformed("The message has neither a CloudEvents body nor CloudEvents headers.")
    attributes: dict[str, AttributeValue | None] = {
        name: value if isinstance(value, str | int) else str(value)
        for name, value in found.items()
        if name.isalnum() and value is not None
    }
    if content_type:
        attributes["datacontenttype"] = content_type
    media_type = str(attributes.get("datacontenttype", "")).partition(";")[0].strip().lower()
    json = media_type.endswith(("/json", "+json"))
    return _event(attributes, body or None, binary=bool(body) and not json)


def _event(
    attributes: Mapping[str, AttributeValue | None], data: bytes | None, *, binary: bool
) -> Event:
    required = {name: attributes.get(name) for name in ("id", "source", "type")}
    for name, value in required.items():
        if not isinstance(value, str) or not value:
            raise Malformed(f"Attribute {name} is missing.", pointer=f"/{name}")
    subject = attributes.get("subject")
    return Event(
        id=str(required["id"]),
        source=str(required["source"]),
        type=str(required["type"]),
        subject=None if subject is None else str(subject),
        attributes={
            name: value
            for name, value in attributes.items()
            if name not in _CORE and value is not None
        },
        data=data,
        binary=binary,
    )
