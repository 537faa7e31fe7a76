"""gRPC with TLS: the certificates of clients, and the tokens that are bound to them."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from deploy.local.ports import LOOPBACK
from tests.authority import Authority, certificate_of, self_signed
from tests.bus import Actor, Bus
from tests.grpc_calls import Door, GrpcProcess, a_message
from tests.integration.tls.conftest import NAME
from tests.integration.tls.test_client_certificates import (
    HOST,
    LEAF,
    connected,
    login,
    register,
)

CODE = grpc.StatusCode


@pytest.fixture
def uji(https: Bus) -> Actor:
    """A client without a secret."""
    body = {"organisation": "uji", "title": "By certificate", "roles": ["publisher"]}
    made = https.admin.post("/v1/clients", json=body).raise_for_status().json()
    return Actor(https, "uji", made["id"], "")


@pytest.fixture(scope="module")
def port(https: Bus) -> Iterator[int]:
    """A grpc process that asks for certificates."""
    process = GrpcProcess(https, NUSABUS_GRPC_REQUIRE_CERTIFICATE="true")
    yield process.port
    process.stop()


def shown_by(authority: Authority, shown: Path | None) -> grpc.ChannelCredentials:
    """What a client trusts and shows."""
    trusted, pair = authority.file.read_bytes(), shown.read_bytes() if shown else None
    return grpc.ssl_channel_credentials(trusted, pair, pair)


async def publish(
    actor: Actor, port: int, authority: Authority, shown: Path | None, token: str
) -> str:
    """The name of the status."""
    credentials = shown_by(authority, shown)
    named = [("grpc.ssl_target_name_override", NAME)]
    async with grpc.aio.secure_channel(f"{LOOPBACK}:{port}", credentials, named) as channel:
        try:
            metadata = [("authorization", f"Bearer {token}")]
            door = Door(port, actor, channel)
            await door.publish(a_message(), metadata=metadata, timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return CODE.OK.name


async def test_a_token_is_bound_to_its_certificate(
    https: Bus, uji: Actor, authority: Authority, port: int, tmp_path: Path
) -> None:
    register(uji, "san_dns", HOST)
    shown = authority.issue(HOST, x509.DNSName(HOST))
    other = authority.issue("lain.go.id", x509.DNSName("lain.go.id"))
    with connected(https, str(authority.file), shown) as http:
        token = login(http, uji.id).raise_for_status().json()["access_token"]
    assert await publish(uji, port, authority, shown, token) == "OK"
    assert await publish(uji, port, authority, other, token) == "UNAUTHENTICATED"
    assert await publish(uji, port, authority, None, token) == "UNAVAILABLE"  # no handshake
    stranger = self_signed(tmp_path / "stranger.pem", "app", LEAF)
    assert await publish(uji, port, authority, stranger, token) == "UNAVAILABLE"


async def test_a_registered_certificate_of_nobody_else(
    https: Bus, uji: Actor, authority: Authority, port: int, tmp_path: Path
) -> None:
    own = self_signed(tmp_path / "own.pem", "app", LEAF)
    register(uji, "certificate", certificate_of(own))
    with connected(https, str(authority.file), own) as http:
        token = login(http, uji.id).raise_for_status().json()["access_token"]
    assert await publish(uji, port, authority, own, token) == "OK"
