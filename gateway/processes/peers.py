"""Which certificate a client has shown: on its connection, or to the proxy that ends TLS."""

import binascii
from base64 import b64decode
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from gateway.identity import PeerCertificate
from gateway.processes.http_refusal import Refusal

Headers = Sequence[tuple[bytes, bytes]]
_HEADER = b"client-cert"
_REMEMBERED = 1024  # certificates of the clients of proxies


def peer_reader(
    transport: Any, *, by_header: bool
) -> Callable[[Headers], PeerCertificate | None] | None:
    """What says, of each request on a connection, which certificate its client has shown.

    None where none has. `by_header`: the other side is a trusted proxy, whose own certificate says
    nothing about its clients.
    """
    if by_header:
        return _forwarded
    encrypted = transport.get_extra_info("ssl_object")
    der = encrypted.getpeercert(binary_form=True) if encrypted is not None else None
    if der is None:
        return None
    peer = PeerCertificate(der)
    return lambda _: peer


def _forwarded(headers: Headers) -> PeerCertificate | None:
    """The certificate in `Client-Cert` (RFC 9440). Raises Refusal."""
    found = [value for name, value in headers if name == _HEADER]
    if not found:
        return None
    peer = _parsed(found[0]) if len(found) == 1 else None
    if peer is None:
        text = "The proxy must send one Client-Cert header with one certificate (RFC 9440)."
        raise Refusal(400, "malformed", text)
    return peer


@lru_cache(_REMEMBERED)
def _parsed(value: bytes) -> PeerCertificate | None:
    """A byte sequence of RFC 8941, section 3.3.5: base64 between colons."""
    if len(value) < 3 or not value.startswith(b":") or not value.endswith(b":"):
        return None
    try:
        return PeerCertificate(b64decode(value[1:-1], validate=True))
    except binascii.Error:
        return None
