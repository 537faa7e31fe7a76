"""CloudEvents 1.0.2 over HTTP: the binary, structured and batched content modes, JSON format.

The same event has an equal `Event.digest` in every mode. So, in every mode:
- JSON data are the bytes as received without the white space around them;
- data of a JSON media type are JSON, even where `data_base64` carries them, and of any other type
  they are bytes: a JSON string in `data` stands for its text in UTF-8;
- `datacontenttype` is application/json where the structured mode implies it, and has no charset
  for JSON;
- an empty body is no data, while the JSON value null is data.

A JSON `Event.data` is split off here but not parsed: that is done once, by `validate`.
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import msgspec
from msgspec import Raw

from gateway.base import strict_json
from gateway.base.errors import Malformed, Refused, TooLarge, UnsupportedMediaType
from gateway.base.event import AttributeValue, Event
from gateway.publishing.attributes import make_event, media_of, pointer_to, require_count, shown
from gateway.publishing.http_request import (
    Headers,
    attribute_headers,
    decode_attribute,
    inflate,
    single_header,
)
from gateway.publishing.syntax import InvalidMediaType, MediaType, parse_media_type

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"

_CONTENT_TYPE = 255  # bytes, as of a datacontenttype
_JSON = "application/json"
_SPACE = b" \t\n\r"
_EXAMINED = 16 << 10  # bytes in which faults are located; that takes some milliseconds
_WHAT_TO_SEND = (
    f"Send an event as {STRUCTURED}, several as {BATCHED}, or the data as the body with its "
    "Content-Type and the attributes as ce-specversion, ce-id, ce-source and ce-type headers."
)
_NO_ATTRIBUTE = "An attribute must be a string, an integer of 32 bits or a boolean."
_NO_BASE64 = (
    "data_base64 must be padded base64 (RFC 4648, section 4) in a string, without line breaks."
)
_NO_TEXT = (
    "Where datacontenttype is not JSON, data must be a string. Send other content as base64 in "
    "data_base64."
)
_SCALAR: msgspec.json.Decoder[str | int | float | bool | None] = msgspec.json.Decoder(
    str | int | float | bool | None
)
_TEXT: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one request. Bytes count as sent and again as inflated."""

    event_bytes: int = 1 << 20
    batch_bytes: int = 4 << 20
    batch_events: int = 1000


@dataclass(frozen=True, slots=True)
class Batch:
    """The elements of a batch in order: each an event, or why it is invalid.

    The pointer of a Malformed starts at the batch; its byte counts from the start of the element.
    """

    items: tuple[Event | Refused, ...]
    elements: tuple[Raw, ...]

    def digest(self, index: int) -> bytes:
        """SHA-256 of the text of an element, which identifies an invalid one."""
        return sha256(self.elements[index]).digest()


def parse_event(headers: Headers, body: bytes, *, limit: int, is_reply: bool = False) -> Event:
    """Read a request that must hold one event, of at most `limit` bytes.

    A reply may repeat what the gateway says about its request.

    Raises Malformed, TooLarge, or UnsupportedMediaType, also for a batch.
    """
    parsed = parse_request(headers, body, Limits(limit, limit, 1), is_reply=is_reply)
    if isinstance(parsed, Batch):
        raise UnsupportedMediaType("A request or reply is one event. Do not send a batch.")
    return parsed


def parse_request(
    headers: Headers, body: bytes, limits: Limits, *, is_reply: bool = False
) -> Event | Batch:
    """Read a publish request: its headers as ASGI gives them, and its body as received.

    Raises Malformed, TooLarge or UnsupportedMediaType. For a batch only errors of the batch as a
    whole are raised.
    """
    declared = single_header(headers, b"content-type")
    coding = single_header(headers, b"content-encoding")
    if declared is not None and len(declared) > _CONTENT_TYPE:
        raise UnsupportedMediaType(f"The Content-Type is longer than {_CONTENT_TYPE} bytes.")
    content_type = None if declared is None else declared.decode("latin-1")
    event_format = _event_format(content_type)
    if event_format == BATCHED:
        return _batched(inflate(coding, body, limits.batch_bytes), limits)
    text = inflate(coding, body, limits.event_bytes)
    if event_format == STRUCTURED:
        return _structured(text, is_reply=is_reply)
    return _binary(headers, content_type, text, is_reply=is_reply)


@lru_cache(maxsize=256)
def _event_format(content_type: str | None) -> str | None:
    """The event format that a Content-Type names; None where it is that of the data."""
    try:
        media = parse_media_type(content_type or "")
    except InvalidMediaType:
        return None
    if not media.is_event:
        return None
    if media.essence not in (STRUCTURED, BATCHED):
        raise UnsupportedMediaType(f"{media.essence} is not supported. {_WHAT_TO_SEND}")
    if not media.is_utf8:
        raise UnsupportedMediaType("The charset of an event must be utf-8.")
    return media.essence


def _binary(headers: Headers, content_type: str | None, body: bytes, *, is_reply: bool) -> Event:
    found = attribute_headers(headers)
    if not found:
        raise UnsupportedMediaType(f"This is not a CloudEvent. {_WHAT_TO_SEND}")
    require_count(len(found))
    if "datacontenttype" in found:
        raise Malformed(
            "Omit the header ce-datacontenttype. Content-Type states it.",
            pointer="/datacontenttype",
        )
    attributes: dict[str, AttributeValue] = {
        name: decode_attribute(shown(name), value) for name, value in found.items()
    }
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    return event_of_parts(attributes, body, is_reply=is_reply)


def event_of_parts(
    attributes: dict[str, AttributeValue], content: bytes, *, is_reply: bool = False
) -> Event:
    """The event with these attributes, specversion among them, and these bytes as its data.

    Changes the dictionary. Raises Malformed.
    """
    require_count(len(attributes))
    media = media_of(attributes)
    return make_event(attributes, *_payload(content, media), is_reply=is_reply)


def _batched(body: bytes, limits: Limits) -> Batch:
    elements = strict_json.elements(body, limit=limits.batch_events)
    items: list[Event | Refused] = []
    examined = 0  # bytes of invalid events in which the fault was located
    for index, text in enumerate(elements):
        item = _element(bytes(text), index, limits, exact=examined < _EXAMINED)
        examined += 0 if isinstance(item, Event) else len(bytes(text))
        items.append(item)
    return Batch(tuple(items), tuple(elements))


def _element(text: bytes, index: int, limits: Limits, *, exact: bool) -> Event | Refused:
    if len(text) > limits.event_bytes:
        return TooLarge(
            f"The event is larger than {limits.event_bytes} bytes, the limit of one event."
        )
    try:
        return _structured(text, exact=exact)
    except Malformed as error:
        return Malformed(str(error), pointer=f"/{index}{error.pointer or ''}", byte=error.byte)


def _structured(text: bytes, *, is_reply: bool = False, exact: bool = True) -> Event:
    found = strict_json.members(text, nested="data", exact=exact)
    data, base64 = found.pop("data", None), found.pop("data_base64", None)
    require_count(len(found))
    attributes: dict[str, AttributeValue] = {}
    for name, raw in found.items():
        value = _scalar(name, raw)
        if value is not None:
            attributes[name] = value
    media = media_of(attributes)
    content = None if base64 is None else _decoded(base64)
    if data is None:
        return make_event(attributes, *_payload(content or b"", media), is_reply=is_reply)
    if content is not None:
        raise Malformed(
            "data and data_base64 exclude each other. Send one of them.", pointer="/data_base64"
        )
    if media is None:
        attributes["datacontenttype"] = _JSON
    elif not media.is_json:
        return make_event(attributes, *_payload(_text_data(data, media), media), is_reply=is_reply)
    return make_event(attributes, bytes(data), False, is_reply=is_reply)


def _payload(content: bytes, media: MediaType | None) -> tuple[bytes | None, bool]:
    """`Event.data` and `Event.binary` for content of a media type."""
    if not content:
        return None, False
    if media is None or not media.is_json:
        return content, True
    content = content.strip(_SPACE)
    if not content:
        raise Malformed("The data are only white space, which is not JSON.", pointer="/data")
    return content, False


def _scalar(name: str, raw: Raw) -> AttributeValue | None:
    try:
        value = _SCALAR.decode(raw)
    except ValueError:
        raise _fault(name, raw, _NO_ATTRIBUTE) from None
    if isinstance(value, float):
        raise Malformed(_NO_ATTRIBUTE, pointer=pointer_to(name))
    return value


def _decoded(base64: Raw) -> bytes | None:
    """The bytes of `data_base64` (RFC 4648, section 4); None where it is null, and so not set."""
    try:
        text = _TEXT.decode(base64)
        content = None if text is None else b64decode(text, validate=True)
        # The last character of a quantum may hold bits that are no data: only zeros are canonical.
        if content is None or b64encode(content).decode() == text:
            return content
    except ValueError:
        pass
    raise _fault("data_base64", base64, _NO_BASE64)


def _text_data(data: Raw, media: MediaType) -> bytes:
    """The bytes of data that are not JSON: a JSON string holds their text, here as UTF-8."""
    try:
        text = _TEXT.decode(data)
    except ValueError:
        text = None
    if text is None:
        raise _fault("data", data, _NO_TEXT)
    if not media.is_utf8:
        raise Malformed(
            "data in a JSON string are UTF-8, but datacontenttype names another charset. "
            "Send data_base64.",
            pointer="/datacontenttype",
        )
    return text.encode()


def _fault(name: str, raw: Raw, message: str) -> Malformed:
    """Why the value of a member was not read: a fault in its JSON, else `message`."""
    try:
        if len(bytes(raw)) <= _EXAMINED:
            strict_json.parse(bytes(raw))
    except Malformed as error:
        return Malformed(str(error), pointer=pointer_to(name) + (error.pointer or ""))
    return Malformed(message, pointer=pointer_to(name))
