"""The ports of the tests' broker that speak TLS, and who may come in there."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from cryptography import x509

from deploy.local.ports import LOOPBACK, free_port
from tests.authority import Authority


@dataclass(frozen=True, slots=True)
class EncryptedPorts:
    """AMQP and the management API with TLS: a client needs a certificate of the same authority."""

    authority: Authority
    server: Path
    """Certificate and key of the broker."""
    amqp: int
    management: int

    @classmethod
    def of(cls, folder: Path) -> "EncryptedPorts":
        """On free ports, with an authority of their own."""
        authority = Authority(folder)
        server = authority.issue(LOOPBACK, x509.IPAddress(ip_address(LOOPBACK)))
        amqp = free_port()
        return cls(authority, server, amqp, free_port({amqp}))

    @property
    def settings(self) -> dict[str, str]:
        """Of RabbitMQ."""
        each = {
            "cacertfile": str(self.authority.file),
            "certfile": str(self.server),
            "keyfile": str(self.server),
            "verify": "verify_peer",
            "fail_if_no_peer_cert": "true",
        }
        return {
            "listeners.ssl.1": f"{LOOPBACK}:{self.amqp}",
            **{f"ssl_options.{name}": value for name, value in each.items()},
            "management.ssl.ip": LOOPBACK,
            "management.ssl.port": str(self.management),
            **{f"management.ssl.{name}": value for name, value in each.items()},
        }

    def files(self, name: str = "nusabus", authority: Authority | None = None) -> str:
        """The parameters of a URL with a client's certificate."""
        pair = self.authority.issue(name, x509.DNSName(name))
        ca = (authority or self.authority).file
        return f"?cafile={ca}&certfile={pair}&keyfile={pair}"

    def amqp_url(self, plain: str, *hosts: str) -> str:
        """A URL of the same broker with TLS; `hosts` come before it."""
        parts = urlsplit(plain)
        login = parts.netloc.rpartition("@")[0]
        places = ",".join((*hosts, f"{LOOPBACK}:{self.amqp}"))
        return urlunsplit(parts._replace(scheme="amqps", netloc=f"{login}@{places}"))

    def management_url(self, plain: str) -> str:
        """The same of the management API."""
        parts = urlsplit(plain)
        login = parts.netloc.rpartition("@")[0]
        place = f"{login}@{LOOPBACK}:{self.management}"
        return urlunsplit(parts._replace(scheme="https", netloc=place))
