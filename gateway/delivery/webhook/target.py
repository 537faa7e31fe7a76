"""The URL of an endpoint, read strictly: two readers of one URL must not find two hosts in it."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.base.errors import Invalid
from gateway.delivery.webhook.addresses import Prohibited, Reach, literal

LIMIT = 2000  # characters
_POINTER = "/terms/endpoint/url"
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Target(NamedTuple):
    """Where to connect and what to ask there."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def read(url: str, reach: Reach) -> Target:
    """The target of a URL. Raises Invalid where it is none that could ever be called.

    A name is not resolved here: what it means is judged each time that it is called.
    """
    if len(url) > LIMIT or not _CHARACTERS.fullmatch(url):
        raise Invalid(
            f"the URL must have at most {LIMIT} characters, of those that URLs have "
            "(percent-encode others, write a name as xn--...)",
            pointer=_POINTER,
        )
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").removesuffix(".")
    except ValueError:
        raise Invalid("this is no URL", pointer=_POINTER) from None
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise Invalid("the URL must begin with https:// and a host", pointer=_POINTER)
    if "@" in parts.netloc or "#" in url:
        raise Invalid("the URL must have no login and no fragment", pointer=_POINTER)
    secure = parts.scheme == "https"
    if port is None:
        port = 443 if secure else 80
    _judge(host, port, reach, secure=secure, bracketed="[" in parts.netloc)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(secure, host, port, path)


def _judge(host: str, port: int, reach: Reach, *, secure: bool, bracketed: bool) -> None:
    """Refuse at once what can be seen without the name service."""
    address = literal(host)
    if bracketed != (address is not None and address.version == 6) or (
        address is None
        and (len(host) > 253 or not _NAME.fullmatch(host) or _NUMBER.fullmatch(_last(host)))
    ):
        raise Invalid("the host is no name and no address in its usual form", pointer=_POINTER)
    if not secure and not reach.plain:
        raise Invalid("http:// is not permitted: offer https://", pointer=_POINTER)
    if address is not None:
        try:
            reach.judge(address, port=port, secure=secure)
        except Prohibited as refusal:
            raise Invalid(f"the endpoint cannot be called: {refusal}", pointer=_POINTER) from None


def _last(host: str) -> str:
    """The label by which a host would be read as a number (URL Standard, section 3.5)."""
    return host.rpartition(".")[2]
