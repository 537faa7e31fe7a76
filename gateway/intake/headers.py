"""The headers of a publish request, as the CloudEvents HTTP binding 1.0.2 reads them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from gateway.errors import Malformed

_PREFIX = b"ce-"
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)"')
_ESCAPE = re.compile(rb"\\(.)")
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Headers:
    """What of the headers says how to read the body, and the `ce-` headers without their prefix."""

    content_type: str | None
    content_encoding: bytes | None
    attributes: dict[str, bytes]


def read(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Pick the headers that matter from pairs as ASGI gives them, names in small letters.

    Raises Malformed for one that stands twice, as no rule says which of the two counts.
    """
    content_type: bytes | None = None
    content_encoding: bytes | None = None
    attributes: dict[str, bytes] = {}
    for name, value in pairs:
        if name.startswith(_PREFIX):
            attribute = name[3:].decode("latin-1")
            if attribute in attributes:
                raise _twice(name)
            attributes[attribute] = value
        elif name == b"content-type":
            if content_type is not None:
                raise _twice(name)
            content_type = value
        elif name == b"content-encoding":
            if content_encoding is not None:
                raise _twice(name)
            content_encoding = value
    media = None if content_type is None else content_type.decode("latin-1")
    return Headers(media, content_encoding, attributes)


def decode(name: str, value: bytes) -> str:
    """The text of a `ce-` header (section 3.1.3.2): unquoted, then percent-decoded once as UTF-8.

    Raises Malformed with the attribute's name.
    """
    value = value.strip(b" \t")
    if not value.isascii():
        raise Malformed(
            f"the header ce-{name} holds bytes outside of ASCII: percent-encode its UTF-8",
            pointer=name,
        )
    if value.startswith(b'"'):
        quoted = _QUOTED.fullmatch(value)
        if quoted is None:
            raise Malformed(f"the quotes of the header ce-{name} do not match", pointer=name)
        value = _ESCAPE.sub(rb"\1", quoted[1])
    if b"%" not in value:
        return value.decode()
    if _BROKEN.search(value):
        raise Malformed(
            f"the header ce-{name} has a % without two hexadecimal digits: write %25 for the sign",
            pointer=name,
        )
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise Malformed(f"the header ce-{name} decodes to no UTF-8 text", pointer=name) from None


def _twice(name: bytes) -> Malformed:
    header = name.decode("latin-1")
    pointer = header.removeprefix("ce-") if header.startswith("ce-") else None
    return Malformed(f"the header {header} stands twice: send it once", pointer=pointer)
