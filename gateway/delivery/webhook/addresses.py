"""Which addresses a webhook may reach: an endpoint is chosen by a stranger, so what it names is
looked at as an address, after the name was resolved and before anything is sent.

DispatchContext: the special-purpose address registries of IANA (RFC 6890 and its successors).
"""

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

from gateway.base.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SECURE_PORTS, PLAIN_PORTS = frozenset({443, 8443}), frozenset({80, 8080})

# Not even where an operator's network covers them: link-local, where clouds keep their metadata,
# their other places for those, and what is no address of a host or hides one.
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
# Of IPv6 only what is allocated for use in the public network, without its special parts.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20", "5f00::/16"),
    )
)


class Prohibited(Exception):
    """An address that no webhook may reach; the text says so to the owner of the endpoint."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What the operator permits: private networks, and http:// inside of those."""

    networks: Sequence[Network] = ()
    plain: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Reach":
        """As the settings have it."""
        return cls(networks_of(settings.webhook_networks or ""), settings.webhook_http)

    def judge(self, address: Address, *, port: int, secure: bool) -> None:
        """Return if this may be connected to. Raises Prohibited."""
        if _within(address, _NEVER) or getattr(address, "scope_id", None):
            raise Prohibited("its address is none that may be called")
        approved = _within(address, self.networks)
        if not approved and not _is_public(address):
            raise Prohibited("its address is in no public network and in none that is approved")
        if not secure and not (approved and self.plain):
            raise Prohibited("http:// is not permitted there: offer https://")
        ports = SECURE_PORTS if secure else PLAIN_PORTS
        if not approved and port not in ports:
            raise Prohibited(f"its port is none of {', '.join(map(str, sorted(ports)))}")


def networks_of(text: str) -> tuple[Network, ...]:
    """Networks as `10.0.0.0/8, fd00::/8`. Raises ValueError."""
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def literal(host: str) -> Address | None:
    """The address that a host is written as, None where it is a name."""
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
