"""The rules of context attributes (CloudEvents 1.0.2), and the limits that this gateway adds.

Decided here, where the specification leaves it open:
- an extension name has at most 20 characters (the specification says SHOULD);
- `sequence`, `sequencetype`, `recordedtime` and `dataclassification` are refused, because the
  gateway sets them on delivery, and what a publisher wrote there would be lost without a word;
- a `traceparent` or `tracestate` that is not sound is left out, as W3C Trace Context asks.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

from gateway.base.errors import Malformed
from gateway.base.event import AttributeValue, Event, attribute_text
from gateway.publishing import media_type, tracing
from gateway.publishing.media_type import MediaType
from gateway.publishing.timestamp import is_timestamp
from gateway.publishing.uri import is_absolute, is_reference

COUNT: Final = 48  # attributes: the eight of the specification and 40 extensions
SIZE: Final = 32 << 10  # bytes of all names and values in UTF-8

_SET_BY_GATEWAY: Final = {"sequence", "sequencetype", "recordedtime", "dataclassification"}
# A client says the same thing in these again and again, so a verdict on them is remembered.
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
    """What the text of an attribute must be: not empty, so many bytes of UTF-8, and so written."""

    limit: int
    holds: Callable[[str], bool] | None = None
    sentence: str = "must not be empty"


def _is_routable(text: str) -> bool:
    return not _NOT_IN_ROUTING_KEY.search(text)


def _is_mediatype(text: str) -> bool:
    try:
        return not (media := media_type.parse(text)).is_json or media.is_utf8
    except media_type.NoMediaType:
        return False


_RULES: Final = {
    "specversion": Rule(255, "1.0".__eq__, 'must be "1.0"'),
    "id": Rule(255),
    "source": Rule(
        512, is_reference, "must be a URI-reference (RFC 3986), not empty, such as /dukcapil/ktp"
    ),
    "type": Rule(255, _is_routable, "must not be empty, nor hold white space, * or #"),
    "subject": Rule(512),
    "time": Rule(
        64, is_timestamp, "must be an RFC 3339 date and time with offset: 2024-05-01T08:00:00+07:00"
    ),
    "datacontenttype": Rule(
        255,
        _is_mediatype,
        "must be a media type (RFC 2046) such as application/json, and JSON must be UTF-8",
    ),
    "dataschema": Rule(
        2048, is_absolute, "must be an absolute URI (RFC 3986, section 4.3), without a fragment"
    ),
    "partitionkey": Rule(255),
    "dataref": Rule(2048, is_reference, "must be a URI-reference (RFC 3986), not empty"),
}


def accept(attributes: dict[str, AttributeValue], data: bytes | None, binary: bool) -> Event:
    """The event that has these attributes, specversion among them. Takes the dictionary over.

    Raises Malformed with the name of the attribute that breaks a rule.
    """
    require_count(len(attributes))
    if "traceparent" in attributes or "tracestate" in attributes:
        _drop_broken_trace(attributes)
    size = 0
    for name, value in attributes.items():
        size_of = _size_of_repeated if name in _REPEATED else _size_of_sound
        size += len(name) + size_of(name, value)
    if size > SIZE:
        raise Malformed(f"the attributes hold {size} bytes together: {SIZE} are allowed")
    try:
        del attributes["specversion"]
        id, source, type = attributes.pop("id"), attributes.pop("source"), attributes.pop("type")
    except KeyError as error:
        name = error.args[0]
        raise Malformed(
            f"the attribute {name} is missing: every event has it", pointer=name
        ) from None
    subject = cast("str | None", attributes.pop("subject", None))
    return Event(str(id), str(source), str(type), subject, attributes, data, binary)


def media_of(attributes: dict[str, AttributeValue]) -> MediaType | None:
    """The media type of the data, and leaves its canonical form in `attributes`.

    Raises Malformed for a datacontenttype that is none.
    """
    declared = attributes.get("datacontenttype")
    if declared is None:
        return None
    _size_of_repeated("datacontenttype", declared)
    media = media_type.parse(str(declared))
    attributes["datacontenttype"] = media.canonical
    return media


def require_count(count: int) -> None:
    """Raises Malformed when an event has more attributes than it may."""
    if count > COUNT:
        raise Malformed(f"the event has {count} attributes: {COUNT} are allowed")


def shown(name: str) -> str:
    """A name as it stands in an error: cut where no attribute has a name so long."""
    return name if len(name) <= _SHOWN else name[:_SHOWN] + "..."


def _size_of_sound(name: str, value: AttributeValue) -> int:
    """The bytes of a value that breaks no rule. Raises Malformed when it does."""
    rule = _RULES.get(name)
    if rule is None:
        _require_extension(name)
    if not isinstance(value, str):
        if rule is not None:
            raise Malformed(f"the attribute {name} must be a string", pointer=name)
        if value not in _INTEGER:
            raise Malformed(f"the attribute {name} must be an integer of 32 bits", pointer=name)
        return len(attribute_text(value))
    size = len(value) if value.isascii() and value.isprintable() else _size_of_text(name, value)
    if rule is not None:
        if size > rule.limit:
            raise Malformed(
                f"the attribute {name} has {size} bytes: {rule.limit} are allowed", pointer=name
            )
        if not size or (rule.holds is not None and not rule.holds(value)):
            raise Malformed(f"the attribute {name} {rule.sentence}", pointer=name)
    return size


_size_of_repeated = lru_cache(maxsize=4096)(_size_of_sound)


def _size_of_text(name: str, value: str) -> int:
    found = _FORBIDDEN.search(value)
    if found is not None:
        raise Malformed(
            f"the attribute {name} holds U+{ord(found[0]):04X}: control characters, noncharacters "
            "and halves of surrogate pairs are no text",
            pointer=name,
        )
    return len(value.encode())


def _require_extension(name: str) -> None:
    if name in _SET_BY_GATEWAY:
        raise Malformed(
            f"the attribute {name} is set by the gateway when it delivers: leave it out",
            pointer=name,
        )
    if name == "data" or not _NAME.fullmatch(name):
        raise Malformed(
            f"{shown(name)!r} cannot name an attribute: use 1 to 20 of the characters a-z and 0-9",
            pointer=shown(name),
        )


def _drop_broken_trace(attributes: dict[str, AttributeValue]) -> None:
    parent, state = attributes.get("traceparent"), attributes.get("tracestate")
    if not (isinstance(parent, str) and tracing.is_traceparent(parent)):
        attributes.pop("traceparent", None)
        attributes.pop("tracestate", None)
    elif state is not None and not (isinstance(state, str) and tracing.is_tracestate(state)):
        del attributes["tracestate"]
