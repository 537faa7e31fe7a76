"""Answers without the application: requests that are refused before it knows of them."""

import json
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.base.http_status import phrase
from gateway.http.problems import MEDIA_TYPE, TYPE

_LATER = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)


def response(status: int, headers: bytes, media_type: str, body: bytes) -> bytes:
    """A whole response, with these header lines and those of its body."""
    return b"%b%bcontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (
        STATUS_LINE[status],
        headers,
        media_type.encode(),
        len(body),
        body,
    )


class Refusal(Exception):
    """Why a request is not read any further. The connection ends with the answer.

    `reason` is that of the metric and the last part of the problem's `type`.
    """

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.reason = status, reason

    def answer(self, headers: bytes) -> bytes:
        """The whole response, with these headers."""
        document = {
            "type": f"{TYPE}{self.reason}",
            "title": phrase(self.status),
            "status": self.status,
            "detail": str(self),
        }
        body = json.dumps(document).encode()
        more = b"connection: close\r\n"
        if self.status in _LATER:
            more += b"retry-after: 2\r\n"
        return response(self.status, headers + more, MEDIA_TYPE, body)


def check(version: str, method: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """What the parser lets pass. Raises Refusal."""
    if method == b"CONNECT":
        raise Refusal(501, "unsupported", "CONNECT is not supported: this server is not a proxy.")
    if version not in ("1.1", "1.0"):
        raise Refusal(400, "malformed", "Use HTTP/1.1.")
    names = [name for name, _ in headers]
    if version == "1.1" and names.count(b"host") != 1:
        raise Refusal(400, "malformed", "Send exactly one Host header (RFC 9112, section 3.2).")
    if b"transfer-encoding" in names:
        if version == "1.0":
            raise Refusal(400, "malformed", "HTTP/1.0 has no Transfer-Encoding.")
        if dict(headers)[b"transfer-encoding"].lower() != b"chunked":
            raise Refusal(501, "unsupported", "Use no other Transfer-Encoding than chunked.")
