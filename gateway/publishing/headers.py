"""The headers of a publish request, as the CloudEvents HTTP binding 1.0.2 reads them."""

import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from gateway.base.errors import Malformed

_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)"')
_ESCAPE = re.compile(rb"\\(.)")
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def only(pairs: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The value of a header, of pairs as ASGI gives them: names in small letters.

    Raises Malformed where it stands twice, as no rule says which of the two counts.
    """
    values = [value for each, value in pairs if each == name]
    if len(values) > 1:
        raise _twice(name, None)
    return values[0] if values else None


def attributes(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, bytes]:
    """The `ce-` headers by attribute name, not decoded yet. Raises Malformed for a repeated one."""
    found: dict[str, bytes] = {}
    for header, value in pairs:
        if header.startswith(b"ce-"):
            name = header[3:].decode("latin-1")
            if name in found:
                raise _twice(header[:40], name[:40])
            found[name] = value
    return found


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


def _twice(header: bytes, attribute: str | None) -> Malformed:
    return Malformed(
        f"the header {header.decode('latin-1')} stands twice: send it once", pointer=attribute
    )
