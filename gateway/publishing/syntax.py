"""The syntax of attribute values: timestamps, media types and trace context.

Each is read as strictly as its standard is written, so that every reader of the standard
understands what is accepted here.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache

# Timestamps (RFC 3339, section 5.6).
_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIMESTAMP = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_MINUTE}:[0-6][0-9](?:\.[0-9]+)?(?:[Zz]|[+-]{_MINUTE})"
)
_LEAP_DAYS = {(6, 30), (12, 31)}


def is_timestamp(text: str) -> bool:
    """Whether `text` is a date of the calendar and a time with its offset from UTC.

    Second 60 is a time only where a leap second can be: 23:59:60 UTC at the end of June or of
    December (section 5.7). The year 0000 is refused, as most libraries cannot hold it.
    """
    if not _TIMESTAMP.fullmatch(text):
        return False
    leap = text[17:19] == "60"
    try:
        at = datetime.fromisoformat((text[:17] + "59" + text[19:] if leap else text).upper())
        return not leap or _may_leap(at.astimezone(UTC))
    except (ValueError, OverflowError):
        return False


def _may_leap(at: datetime) -> bool:
    return (at.hour, at.minute) == (23, 59) and (at.month, at.day) in _LEAP_DAYS


# Media types (RFC 9110, section 8.3.1; RFC 2046).
_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_QUOTED_STRING = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*+"'
_ESSENCE = re.compile(rf"({_NAME})/({_NAME})")
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*({_NAME})=({_NAME}|{_QUOTED_STRING})")
_ESCAPE = re.compile(r"\\(.)")

_EVENT_TYPES = "application/cloudevents"


class InvalidMediaType(ValueError):
    """The text is not a media type."""


@dataclass(frozen=True)
class MediaType:
    """`type/subtype` in small letters and the parameters, their names in small letters."""

    essence: str
    parameters: tuple[tuple[str, str], ...]
    text: str

    @cached_property
    def is_json(self) -> bool:
        """Whether it declares JSON (CloudEvents JSON format 1.0.2, section 3.1.1)."""
        return self.essence.endswith(("/json", "+json"))

    @cached_property
    def is_event(self) -> bool:
        """Whether it is CloudEvents' own (HTTP binding 1.0.2, section 3), in any format."""
        return self.essence.startswith(_EVENT_TYPES)

    @cached_property
    def is_utf8(self) -> bool:
        """Whether text of this type is UTF-8, as its charset says or as nothing else is said."""
        charsets = [value.lower() for name, value in self.parameters if name == "charset"]
        return charsets in ([], ["utf-8"])

    @cached_property
    def canonical(self) -> str:
        """The form in which events are compared.

        JSON is always UTF-8 (RFC 8259, section 8.1), and libraries differ in adding the charset,
        so for JSON that parameter goes. Any other type stays as it was written.
        """
        if not self.is_json:
            return self.text
        rest = [
            f"; {name}={_quoted(value)}" for name, value in self.parameters if name != "charset"
        ]
        return self.essence + "".join(rest)


@lru_cache(maxsize=1024)
def parse_media_type(text: str) -> MediaType:
    """The media type that `text` is. Raises InvalidMediaType."""
    text = text.strip(" \t")
    essence = _ESSENCE.match(text)
    if essence is None:
        raise InvalidMediaType
    parameters, end = [], essence.end()
    while end < len(text):
        found = _PARAMETER.match(text, end)
        if found is None:
            raise InvalidMediaType
        name, value = found.groups()
        if value.startswith('"'):
            value = _ESCAPE.sub(r"\1", value[1:-1])
        parameters.append((name.lower(), value))
        end = found.end()
    return MediaType(essence[0].lower(), tuple(parameters), text)


def _quoted(value: str) -> str:
    if re.fullmatch(_NAME, value):
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


# Trace context (W3C Trace Context, level 1).
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    r"(?P<more>-[\x21-\x7e]*)?"
)
_MEMBER = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MEMBERS = 32
_LENGTH = 512


def is_traceparent(text: str) -> bool:
    """Whether `text` is a traceparent. Later versions may add fields, version 00 may not."""
    found = _TRACEPARENT.fullmatch(text)
    return found is not None and not (found["version"] == "00" and found["more"])


def is_tracestate(text: str) -> bool:
    """Whether `text` is a list of at most 32 members, in the 512 characters all must carry."""
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    return (
        len(text) <= _LENGTH
        and 0 < len(members) <= _MEMBERS
        and all(map(_MEMBER.fullmatch, members))
        and len({member.partition("=")[0] for member in members}) == len(members)
    )
