"""The body of a request under its content coding (RFC 9110, section 8.4)."""

import zlib
from typing import Final

from gateway.base.errors import Malformed, TooLarge, UnsupportedMediaType

_WINDOW: Final = {  # zlib's wbits: which wrapper is read around the compressed data
    b"gzip": 31,  # RFC 1952
    b"x-gzip": 31,  # the same by RFC 9110, section 8.4.1.3
    b"deflate": 15,  # RFC 1950; bare RFC 1951 data is not what the name means
}


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
            "the Content-Encoding is not supported: send gzip, deflate or none, and only one"
        )
    inflater = zlib.decompressobj(window)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise Malformed(
            f"the body is not {coding.decode()}, as its Content-Encoding says"
        ) from None
    if len(inflated) > limit:
        raise _too_large(limit)
    if not inflater.eof:
        raise Malformed("the compressed body ends too early", byte=len(body))
    if inflater.unused_data:
        end = len(body) - len(inflater.unused_data)
        raise Malformed("the compressed body goes on behind its end", byte=end)
    return inflated


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than the {limit} bytes that one request may hold")
