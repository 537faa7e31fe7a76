"""The URLs and addresses that webhooks may call.

A stranger chooses the endpoint. So its addresses are checked after the name was resolved and
before anything is sent. Source: the special-purpose address registries of IANA (RFC 6890 and its
successors).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.base.errors import Invalid
from gateway.base.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SECURE_PORTS, PLAIN_PORTS = frozenset({443, 8443}), frozenset({80, 8080})

# Prohibited even where an operator's network covers them: link-local and other addresses of cloud
# metadata, addresses that are not of a host, and those that contain another address.
_NEVER = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "192.0.0.192/32",
            "224.0.0.0/4",
            "255.255.255.255/32",
            "::/128",
            "::ffff:0:0/96",  # mapped
            "::ffff:0:0:0/96",  # translated
            "64:ff9b::/96",  # NAT64
            "64:ff9b:1::/48",
            "2001::/32",  # Teredo
            "2002::/16",  # 6to4
            "fd00:ec2::/32",
            "fd20:ce::254/128",
            "fe80::/10",
            "ff00::/8",
        ),
    )
)
_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
        ),
    )
)
# Of IPv6 only the range that is allocated for public use, without its special parts.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20", "5f00::/16"),
    )
)


LIMIT = 2000  # characters
_POINTER = "/terms/endpoint/url"
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class AddressProhibited(Exception):
    """An address that webhooks must not call; the text tells the owner of the endpoint."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The operator's policy: which private networks are permitted, and http:// inside them."""

    networks: Sequence[Network] = ()
    plain: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "AddressPolicy":
        """Read it from the settings."""
        return cls(networks_of(settings.webhook_networks or ""), settings.webhook_http)

    def check_address(self, address: Address, *, port: int, secure: bool) -> None:
        """Raises AddressProhibited where this address must not be called."""
        if _within(address, _NEVER) or getattr(address, "scope_id", None):
            raise AddressProhibited("its address must not be called")
        approved = _within(address, self.networks)
        if not approved and not _is_public(address):
            raise AddressProhibited("its address is neither public nor in an approved network")
        if not secure and not (approved and self.plain):
            raise AddressProhibited("http:// is not permitted there; use https://")
        ports = SECURE_PORTS if secure else PLAIN_PORTS
        if not approved and port not in ports:
            raise AddressProhibited(f"its port must be one of {', '.join(map(str, sorted(ports)))}")


def networks_of(text: str) -> tuple[Network, ...]:
    """Parse networks such as `10.0.0.0/8, fd00::/8`. Raises ValueError."""
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def literal(host: str) -> Address | None:
    """The address of a host that is written as one; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not _within(address, _NOT_PUBLIC_4)
    return address in _GLOBAL_UNICAST and not _within(address, _NOT_PUBLIC_6)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == each.version and address in each for each in networks)


class EndpointUrl(NamedTuple):
    """The parts of an endpoint's URL. `path` includes the query."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def parse_endpoint_url(url: str, policy: AddressPolicy) -> EndpointUrl:
    """Parse a URL strictly, so that no other parser finds another host in it.

    Raises Invalid where it could never be called. A name is not resolved here: its addresses are
    checked at each call.
    """
    if len(url) > LIMIT or not _CHARACTERS.fullmatch(url):
        raise Invalid(
            f"A URL has at most {LIMIT} characters of ASCII. Percent-encode others, and write "
            "international names as xn--...",
            pointer=_POINTER,
        )
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").removesuffix(".")
    except ValueError:
        raise Invalid("Invalid URL.", pointer=_POINTER) from None
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise Invalid("The URL must begin with https:// and a host.", pointer=_POINTER)
    if "@" in parts.netloc or "#" in url:
        raise Invalid("The URL must not contain credentials or a fragment.", pointer=_POINTER)
    secure = parts.scheme == "https"
    if port is None:
        port = 443 if secure else 80
    _check_host(host, port, policy, secure=secure, bracketed="[" in parts.netloc)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return EndpointUrl(secure, host, port, path)


def _check_host(
    host: str, port: int, policy: AddressPolicy, *, secure: bool, bracketed: bool
) -> None:
    """Check what needs no name server. Raises Invalid."""
    address = literal(host)
    if bracketed != (address is not None and address.version == 6) or (
        address is None
        and (len(host) > 253 or not _NAME.fullmatch(host) or _NUMBER.fullmatch(_last(host)))
    ):
        raise Invalid(
            "The host is neither a valid name nor an address in its usual form.", pointer=_POINTER
        )
    if not secure and not policy.plain:
        raise Invalid("http:// is not permitted. Use https://.", pointer=_POINTER)
    if address is not None:
        try:
            policy.check_address(address, port=port, secure=secure)
        except AddressProhibited as refusal:
            raise Invalid(f"The endpoint cannot be called: {refusal}.", pointer=_POINTER) from None


def _last(host: str) -> str:
    """The label by which a host would be read as a number (URL Standard, section 3.5)."""
    return host.rpartition(".")[2]
