"""A bus that serves HTTPS by itself."""

import ssl
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from deploy.local.ports import LOOPBACK
from tests.authority import Authority
from tests.bus import Bus, MakeBus
from tests.wire import Wire

NAME = "bus.example.go.id"
SHORT = {"NUSABUS_HEADER_SECONDS": "5", "NUSABUS_KEEP_ALIVE_SECONDS": "5"}
PROXY = "127.0.0.9"
Connect = Callable[..., Wire]


@pytest.fixture(scope="package")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom clients trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="package")
def pair(authority: Authority) -> Path:
    """The certificate of the bus with its key."""
    return authority.issue(NAME, x509.DNSName(NAME), x509.IPAddress(ip_address(LOOPBACK)))


def encrypted(bus: Bus, context: ssl.SSLContext) -> Bus:
    """The same bus, called by HTTPS."""
    bus.http.close()
    bus.http = httpx.Client(base_url=f"https://{LOOPBACK}:{bus.port}", verify=context, timeout=60)
    return bus


@pytest.fixture(scope="package")
def https(make_bus: MakeBus, authority: Authority, pair: Path) -> Iterator[Bus]:
    """An api process."""
    files = {"NUSABUS_TLS_CERTIFICATE_FILE": str(pair), "NUSABUS_URL": f"https://{NAME}"}
    clients = {
        "NUSABUS_TLS_CLIENT_CA_FILE": str(authority.file),
        "NUSABUS_TRUSTED_PROXIES": PROXY,
        "NUSABUS_CLIENT_CERT_HEADER": "true",
    }
    with make_bus(**files, **clients, **SHORT) as bus:
        context = ssl.create_default_context(cafile=str(authority.file))
        context.check_hostname = False
        yield encrypted(bus, context).run("api")


@pytest.fixture
def connect(https: Bus, authority: Authority) -> Connect:
    """Connects to it."""

    def connected(context: ssl.SSLContext | None = None, source: str = LOOPBACK) -> Wire:
        context = context or ssl.create_default_context(cafile=str(authority.file))
        wire = Wire(https.port, source=source)
        wire.socket = context.wrap_socket(wire.socket, server_hostname=NAME)
        return wire

    return connected
