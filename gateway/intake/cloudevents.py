"""CloudEvents 1.0.2 over HTTP: the binary, structured and batched content modes, JSON format.

The same event gives an equal `Event.digest` in every mode. So, whichever mode carried it:
- JSON data are the bytes as received without the white space around them;
- data of a JSON media type are JSON, even where `data_base64` carries them, and of any other type
  they are bytes: a JSON string in `data` stands for its text in UTF-8;
- `datacontenttype` is application/json where the structured mode implies it, and says no charset
  for JSON;
- no bytes are no data, while the JSON value null is data.

What a JSON `Event.data` holds is split off here but not read: `jsontext.parse(event.data)` proves
it to be JSON, once, where the contract is checked.
"""

import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import msgspec
from msgspec import Raw

from gateway import jsontext
from gateway.errors import Malformed, Refused, TooLarge, UnsupportedMediaType
from gateway.event import AttributeValue, Event
from gateway.intake import attributes as rules
from gateway.intake import headers, mediatype
from gateway.intake.body import inflate
from gateway.intake.mediatype import MediaType

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"

_JSON = "application/json"
_SPACE = b" \t\n\r"
_WHAT_TO_SEND = (
    f"send an event as {STRUCTURED}, several as {BATCHED}, or the data as the body with its "
    "Content-Type and the attributes as ce-specversion, ce-id, ce-source and ce-type headers"
)
_SCALAR = msgspec.json.Decoder(str | int | float | bool | None)
_STRING = msgspec.json.Decoder(str)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold. Bytes count as sent and again as inflated."""

    event_bytes: int = 1 << 20
    batch_bytes: int = 4 << 20
    batch_events: int = 1000


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An element of a batch that is no event: why, and the SHA-256 of its text.

    The pointer of a Malformed starts at the batch; its byte counts from the start of the element.
    """

    error: Refused
    digest: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of a batch, each judged on its own, in the places in which they were sent."""

    items: tuple[Event | Unreadable, ...]


def parse_request(
    pairs: Iterable[tuple[bytes, bytes]], body: bytes, limits: Limits
) -> Event | Batch:
    """Read a publish request: its headers as ASGI gives them, and its body as received.

    Raises Malformed, TooLarge or UnsupportedMediaType. Of an element of a batch that is no event
    the batch tells; only what concerns the batch as a whole is raised.
    """
    head = headers.read(pairs)
    media = _media_of(head)
    if media is None or not media.is_event:
        return _binary(head, media, inflate(head.content_encoding, body, limits.event_bytes))
    if media.essence == BATCHED:
        return _batched(inflate(head.content_encoding, body, limits.batch_bytes), limits)
    return _structured(inflate(head.content_encoding, body, limits.event_bytes), "")


def _media_of(head: headers.Headers) -> MediaType | None:
    """What the body claims to be, where that is something that an event can be read from."""
    try:
        media = mediatype.parse(head.content_type or "")
    except mediatype.NoMediaType:
        media = None
    if media is None or not media.is_event:
        if head.attributes:
            return media
        raise UnsupportedMediaType(f"this is no CloudEvent: {_WHAT_TO_SEND}")
    if media.essence not in (STRUCTURED, BATCHED):
        raise UnsupportedMediaType(f"{media.essence} is not supported: {_WHAT_TO_SEND}")
    if not media.is_utf8:
        raise UnsupportedMediaType("the charset of the Content-Type must be utf-8")
    return media


def _binary(head: headers.Headers, body: bytes) -> Event:
    rules.require_count(len(head.attributes))
    attributes: dict[str, AttributeValue] = {
        name: headers.decode(name, value) for name, value in head.attributes.items()
    }
    if "datacontenttype" in attributes:
        raise Malformed(
            "the header ce-datacontenttype must not be sent: Content-Type says it",
            pointer="datacontenttype",
        )
    if head.content_type is not None:
        attributes["datacontenttype"] = head.content_type
    media = rules.media_of(attributes)
    return rules.accept(attributes, *_payload(body, media))


def _batched(body: bytes, limits: Limits) -> Batch:
    items: list[Event | Unreadable] = []
    for index, element in enumerate(jsontext.elements(body, limit=limits.batch_events)):
        text = bytes(element)
        try:
            if len(text) > limits.event_bytes:
                raise TooLarge(f"the event is larger than the {limits.event_bytes} bytes of one")
            items.append(_structured(text, f"/{index}"))
        except Refused as error:
            items.append(Unreadable(error, sha256(text).digest()))
    return Batch(tuple(items))


def _structured(text: bytes, place: str) -> Event:
    """The event that a JSON text holds; `place` is the JSON pointer of that text."""
    try:
        return _event(text)
    except Malformed as error:
        inner = error.pointer
        pointer = place if not inner else place + "/" + inner.removeprefix("/")
        raise Malformed(str(error), pointer=pointer or None, byte=error.byte) from None


def _event(text: bytes) -> Event:
    found = jsontext.members(text, nested="data")
    data, base64 = found.pop("data", None), found.pop("data_base64", None)
    rules.require_count(len(found))
    attributes: dict[str, AttributeValue] = {}
    for name, raw in found.items():
        value = _scalar(name, raw)
        if value is not None:
            attributes[name] = value
    media = rules.media_of(attributes)
    content = None if base64 is None else _decoded(base64)
    if data is None:
        return rules.accept(attributes, *_payload(content or b"", media))
    if content is not None:
        raise Malformed(
            "data and data_base64 exclude each other: send one of them", pointer="data_base64"
        )
    if media is None:
        attributes["datacontenttype"] = _JSON
    elif not media.is_json:
        return rules.accept(attributes, *_payload(_spelled(data, media), media))
    return rules.accept(attributes, bytes(data), binary=False)


def _payload(content: bytes, media: MediaType | None) -> tuple[bytes | None, bool]:
    """What bytes of a media type are as `Event.data` and `Event.binary`."""
    if not content:
        return None, False
    if media is None or not media.is_json:
        return content, True
    content = content.strip(_SPACE)
    if not content:
        raise Malformed("the data are only white space, which is not JSON", pointer="data")
    return content, False


def _scalar(name: str, raw: Raw) -> AttributeValue | None:
    try:
        value = _SCALAR.decode(raw)
    except ValueError:
        jsontext.parse(bytes(raw))  # says more where the text itself is at fault
        value = ...
    if value is None or isinstance(value, AttributeValue):
        return value
    raise Malformed(
        "the value of an attribute must be a string, an integer of 32 bits or a boolean",
        pointer=name,
    )


def _decoded(base64: Raw) -> bytes | None:
    """The bytes of `data_base64` (RFC 4648, section 4); None where it is null, and so not set."""
    try:
        text = _BASE64.decode(base64)
        content = None if text is None else b64decode(text, validate=True)
        if content is None or b64encode(content).decode() == text:
            return content
    except ValueError:
        pass
    raise Malformed(
        "data_base64 must be a string of padded base64 (RFC 4648, section 4), without line breaks",
        pointer="data_base64",
    )


def _spelled(data: Raw, media: MediaType) -> bytes:
    """The bytes of data that are no JSON and stand as a JSON string for their text."""
    try:
        text = _STRING.decode(data)
    except msgspec.ValidationError:
        raise Malformed(
            f"data of {media.essence} must be a JSON string, or base64 in data_base64",
            pointer="data",
        ) from None
    except ValueError:
        jsontext.parse(bytes(data))
        raise
    if not media.is_utf8:
        raise Malformed(
            "data as a string are UTF-8, which datacontenttype denies: send data_base64",
            pointer="datacontenttype",
        )
    return text.encode()
