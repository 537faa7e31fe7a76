"""The rules of context attributes (CloudEvents 1.0.2), and the limits that this gateway adds.

Decided here, where the specification leaves it open:
- an extension name has at most 20 characters (the specification says SHOULD);
- the attributes that the gateway sets are refused: a value of the sender would be lost silently, or
  be taken for the gateway's word. A reply may repeat what the gateway says about its request;
- an invalid `traceparent` or `tracestate` is dropped: the event is accepted without it, as W3C
  Trace Context asks of a receiver (sections 3.2 and 3.3).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

from gateway.base.errors import Malformed
from gateway.base.event import REQUESTED_BY, AttributeValue, Event, attribute_text
from gateway.base.invisible import invisible_character
from gateway.base.json_pointer import escaped
from gateway.base.masking import mask_name
from gateway.base.uris import is_absolute_uri, is_uri_reference
from gateway.publishing.syntax import (
    InvalidMediaType,
    MediaType,
    is_timestamp,
    is_traceparent,
    is_tracestate,
    parse_media_type,
)

COUNT: Final = 48  # attributes: the eight of the specification and 40 extensions
SIZE: Final = 32 << 10  # bytes of all names and values in UTF-8

_LINKS_OF_REPLY: Final = frozenset({REQUESTED_BY, "causationid", "requestid", "requestexpiry"})
_SET_BY_GATEWAY: Final = _LINKS_OF_REPLY | {
    "sequence",
    "sequencetype",
    "recordedtime",
    "publisher",
    "dataclassification",
    "corrects",
}
# A client repeats the same values of these, so the result of checking one is cached.
_REPEATED: Final = {"specversion", "source", "type", "datacontenttype", "dataschema"}
_INTEGER = range(-(1 << 31), 1 << 31)
_SHOWN = 40  # characters of a name in an error

_NAME = re.compile(r"[a-z0-9]{1,20}")
# Control characters, surrogates and noncharacters (type system, String).
_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
    )
    + "]"
)
_NOT_IN_ROUTING_KEY = re.compile(r"[\s*#]")


@dataclass(frozen=True, slots=True)
class Rule:
    """What the text of an attribute must be: not empty, at most `limit` bytes of UTF-8, valid."""

    limit: int
    is_valid: Callable[[str], bool] | None = None
    sentence: str = "must not be empty"


def _is_routable(text: str) -> bool:
    return not _NOT_IN_ROUTING_KEY.search(text)


def _is_media_type(text: str) -> bool:
    try:
        return not (media := parse_media_type(text)).is_json or media.is_utf8
    except InvalidMediaType:
        return False


_RULES: Final = {
    "specversion": Rule(255, "1.0".__eq__, 'must be "1.0"'),
    "id": Rule(255),
    "source": Rule(
        512,
        is_uri_reference,
        "must be a URI-reference (RFC 3986), not empty, such as /dukcapil/ktp",
    ),
    "type": Rule(255, _is_routable, "must not be empty, nor contain white space, * or #"),
    "subject": Rule(512),
    "time": Rule(
        64, is_timestamp, "must be an RFC 3339 date and time with offset: 2024-05-01T08:00:00+07:00"
    ),
    "datacontenttype": Rule(
        255,
        _is_media_type,
        "must be a media type (RFC 2046) such as application/json, and JSON must be UTF-8",
    ),
    "dataschema": Rule(
        2048, is_absolute_uri, "must be an absolute URI (RFC 3986, section 4.3), without a fragment"
    ),
    "partitionkey": Rule(255),
    "dataref": Rule(2048, is_uri_reference, "must be a URI-reference (RFC 3986), not empty"),
}


def make_event(
    attributes: dict[str, AttributeValue],
    data: bytes | None,
    binary: bool,
    *,
    is_reply: bool = False,
) -> Event:
    """The event with these attributes, specversion among them. Changes the dictionary.

    Raises Malformed with the name of the attribute that breaks a rule.
    """
    require_count(len(attributes))
    if not _SET_BY_GATEWAY.isdisjoint(attributes):
        require_own(attributes, is_reply=is_reply)
    if "traceparent" in attributes or "tracestate" in attributes:
        _drop_invalid_trace(attributes)
    size = 0
    for name, value in attributes.items():
        check = _cached_size if name in _REPEATED else _checked_size
        size += len(name) + check(name, value)
    if size > SIZE:
        raise Malformed(f"The attributes have {size} bytes together. The limit is {SIZE}.")
    try:
        del attributes["specversion"]
        id, source, type = attributes.pop("id"), attributes.pop("source"), attributes.pop("type")
    except KeyError as error:
        name = error.args[0]
        raise Malformed(f"The required attribute {name} is missing.", pointer=f"/{name}") from None
    subject = cast("str | None", attributes.pop("subject", None))
    return Event(str(id), str(source), str(type), subject, attributes, data, binary)


def media_of(attributes: dict[str, AttributeValue]) -> MediaType | None:
    """The media type of the data. Puts its canonical form into `attributes`.

    Raises Malformed for an invalid datacontenttype.
    """
    declared = attributes.get("datacontenttype")
    if declared is None:
        return None
    _cached_size("datacontenttype", declared)
    media = parse_media_type(str(declared))
    attributes["datacontenttype"] = media.canonical
    return media


def require_own(names: Iterable[str], *, is_reply: bool = False) -> None:
    """Raises Malformed for the first attribute that the gateway alone sets."""
    for name in names:
        if name in _SET_BY_GATEWAY and not (is_reply and name in _LINKS_OF_REPLY):
            raise Malformed(f"The gateway sets the attribute {name}. Omit it.", pointer=f"/{name}")


def without_gateway_attributes(event: Event) -> dict[str, AttributeValue]:
    """The attributes of a stored event that its sender has set."""
    return {name: value for name, value in event.attributes.items() if name not in _SET_BY_GATEWAY}


def require_count(count: int) -> None:
    """Raises Malformed when an event has more attributes than it may."""
    if count > COUNT:
        raise Malformed(f"The event has {count} attributes. The limit is {COUNT}.")


def shown(name: str) -> str:
    """A name for an error text, cut, and masked unless it looks like an identifier."""
    cut = name if len(name) <= _SHOWN else name[:_SHOWN]
    return mask_name(cut) + ("..." if cut != name else "")


def pointer_to(name: str) -> str:
    """The JSON pointer to an attribute of an event."""
    return f"/{escaped(shown(name))}"


def _checked_size(name: str, value: AttributeValue) -> int:
    """The size of a valid value in bytes. Raises Malformed for an invalid one."""
    rule = _RULES.get(name)
    if rule is None:
        _require_extension(name)
    if not isinstance(value, str):
        if rule is not None:
            raise Malformed(f"The attribute {name} must be a string.", pointer=f"/{name}")
        if value not in _INTEGER:
            raise Malformed(
                f"The attribute {name} must be an integer of 32 bits.", pointer=f"/{name}"
            )
        return len(attribute_text(value))
    size = len(value) if value.isascii() and value.isprintable() else _text_size(name, value)
    if rule is not None:
        if size > rule.limit:
            raise Malformed(
                f"The attribute {name} has {size} bytes. The limit is {rule.limit}.",
                pointer=f"/{name}",
            )
        if not size or (rule.is_valid is not None and not rule.is_valid(value)):
            raise Malformed(f"The attribute {name} {rule.sentence}.", pointer=f"/{name}")
    return size


_cached_size = lru_cache(maxsize=4096)(_checked_size)


def _text_size(name: str, value: str) -> int:
    found = _FORBIDDEN.search(value)
    if found is not None:
        raise Malformed(
            f"The attribute {name} contains U+{ord(found[0]):04X}. Control characters, "
            "noncharacters and halves of surrogate pairs are not allowed.",
            pointer=f"/{name}",
        )
    invisible = invisible_character(value)
    if invisible is not None:
        raise Malformed(
            f"The attribute {name} contains {invisible}, which no reader sees. Remove it.",
            pointer=f"/{name}",
        )
    return len(value.encode())


def _require_extension(name: str) -> None:
    if name == "data" or not _NAME.fullmatch(name):
        raise Malformed(
            f"Invalid attribute name {shown(name)!r}. Use 1 to 20 of the characters a-z and 0-9.",
            pointer=pointer_to(name),
        )


def _drop_invalid_trace(attributes: dict[str, AttributeValue]) -> None:
    parent, state = attributes.get("traceparent"), attributes.get("tracestate")
    if not (isinstance(parent, str) and is_traceparent(parent)):
        attributes.pop("traceparent", None)
        attributes.pop("tracestate", None)
    elif state is not None and not (isinstance(state, str) and is_tracestate(state)):
        del attributes["tracestate"]
