"""Media types (RFC 9110, section 8.3.1; RFC 2046), read strictly."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*+"'
_ESSENCE = re.compile(rf"({_NAME})/({_NAME})")
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*({_NAME})=({_NAME}|{_QUOTED})")
_ESCAPE = re.compile(r"\\(.)")

_EVENTS = "application/cloudevents"


class NoMediaType(ValueError):
    """The text is no media type."""


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
        return self.essence.startswith(_EVENTS)

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
def parse(text: str) -> MediaType:
    """The media type that `text` is. Raises NoMediaType."""
    text = text.strip(" \t")
    essence = _ESSENCE.match(text)
    if essence is None:
        raise NoMediaType
    parameters, end = [], essence.end()
    while end < len(text):
        found = _PARAMETER.match(text, end)
        if found is None:
            raise NoMediaType
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
