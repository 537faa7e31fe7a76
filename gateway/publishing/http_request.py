"""The headers and the body of a publish request.

Headers as the CloudEvents HTTP binding 1.0.2 reads them; the body under its content coding (RFC
9110, section 8.4).
"""

import re
import zlib
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.base.errors import Malformed, TooLarge, UnsupportedMediaType
from gateway.publishing.attributes import pointer_to

Headers = Sequence[tuple[bytes, bytes]]
"""Names and values as ASGI gives them: names in small letters."""

_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)"')
_ESCAPE = re.compile(rb"\\(.)")
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_WINDOW: Final = {  # zlib's wbits: which wrapper is read around the compressed data
    b"gzip": 31,  # RFC 1952
    b"x-gzip": 31,  # the same by RFC 9110, section 8.4.1.3
    b"deflate": 15,  # RFC 1950; bare RFC 1951 data is not what the name means
}


def single_header(headers: Headers, name: bytes) -> bytes | None:
    """The value of a header. Raises Malformed if it is repeated: no rule says which one counts."""
    values = [value for each, value in headers if each == name]
    if len(values) > 1:
        raise _repeated(name, None)
    return values[0] if values else None


def attribute_headers(headers: Headers) -> dict[str, bytes]:
    """The `ce-` headers by attribute name, not decoded yet. Raises Malformed for a repeated one."""
    found: dict[str, bytes] = {}
    for header, value in headers:
        if header.startswith(b"ce-"):
            name = header[3:].decode("latin-1")
            if name in found:
                raise _repeated(header[:40], name[:40])
            found[name] = value
    return found


def decode_attribute(name: str, value: bytes) -> str:
    """The text of a `ce-` header (section 3.1.3.2): unquoted, then percent-decoded once as UTF-8.

    Raises Malformed with the attribute's name.
    """
    value = value.strip(b" \t")
    if not value.isascii():
        raise Malformed(
            f"The header ce-{name} has bytes outside of ASCII. Percent-encode its UTF-8.",
            pointer=pointer_to(name),
        )
    if value.startswith(b'"'):
        quoted = _QUOTED.fullmatch(value)
        if quoted is None:
            raise Malformed(
                f"The quotes of the header ce-{name} do not match.", pointer=pointer_to(name)
            )
        value = _ESCAPE.sub(rb"\1", quoted[1])
    if b"%" not in value:
        return value.decode()
    if _BROKEN.search(value):
        raise Malformed(
            f"The header ce-{name} has a % without two hexadecimal digits. Write %25 for a "
            "percent sign.",
            pointer=pointer_to(name),
        )
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise Malformed(
            f"The header ce-{name} is not UTF-8 text.", pointer=pointer_to(name)
        ) from None


def inflate(encoding: bytes | None, body: bytes, limit: int) -> bytes:
    """The body without its content coding, of at most `limit` bytes before and after.

    One coding at most, and one gzip member: a second would only hide what the first inflates to.
    Raises TooLarge before more than `limit` bytes are held, Malformed and UnsupportedMediaType.
    """
    if len(body) > limit:
        raise _too_large(limit)
    coding = b"identity" if encoding is None else encoding.strip(b" \t").lower()
    if coding == b"identity":
        return body
    window = _WINDOW.get(coding)
    if window is None:
        raise UnsupportedMediaType(
            "This Content-Encoding is not supported. Send gzip, deflate or none, and only one."
        )
    inflater = zlib.decompressobj(window)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise Malformed(
            f"The body is not {coding.decode()}, as its Content-Encoding says."
        ) from None
    if len(inflated) > limit:
        raise _too_large(limit)
    if not inflater.eof:
        raise Malformed("The compressed body ends too early.", byte=len(body))
    if inflater.unused_data:
        end = len(body) - len(inflater.unused_data)
        raise Malformed("The compressed body continues after its end.", byte=end)
    return inflated


def _repeated(header: bytes, attribute: str | None) -> Malformed:
    return Malformed(
        f"The header {header.decode('latin-1')} is repeated. Send it once.",
        pointer=None if attribute is None else pointer_to(attribute),
    )


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes, the limit of one request.")
