"""gRPC with TLS: the certificates of clients, and the tokens that are bound to them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from adapters.cli.app import run
from adapters.client import Nusabus, Tls, UnusableFile
from adapters.client.grpc_channel import open_channel
from adapters.client.grpc_publishing import StreamPublisher
from deploy.local.gateway import ROOT
from deploy.local.ports import LOOPBACK
from tests.authority import Authority, certificate_of, self_signed
from tests.builders import a_document
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
CHECK_HEALTH = """
import asyncio, sys
import grpc
from adapters.client import Tls
from adapters.client.grpc_channel import open_channel
async def main():
    async with open_channel(sys.argv[1], Tls(sys.argv[2])) as channel:
        try:
            await channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=20)
            print("OK")
        except grpc.aio.AioRpcError as error:
            print(error.code().name)
asyncio.run(main())
"""


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


@pytest.fixture
def tls(uji: Actor, authority: Authority) -> Tls:
    """The files of a program whose certificate authenticates it."""
    name = f"{uji.id}.uji.go.id"
    register(uji, "san_dns", name)
    return Tls(str(authority.issue(name, x509.DNSName(name))), ca_file=str(authority.file))


async def test_the_library_shows_its_certificate(
    https: Bus, uji: Actor, port: int, tls: Tls
) -> None:
    async with Nusabus(str(https.http.base_url), uji.id, tls=tls) as bus:
        publisher = StreamPublisher(f"{LOOPBACK}:{port}", bus.access_token, tls=tls)
        answers = [each async for each in publisher.publish(lambda _: [[a_document()]])]
        assert [each.stored for each in answers] == [1]


def test_the_command_shows_the_certificate_of_its_profile(
    https: Bus, uji: Actor, port: int, tls: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text(json.dumps(a_document()))
    for name, value in (
        ("XDG_CONFIG_HOME", str(tmp_path)),
        ("NUSABUS_URL", str(https.http.base_url)),
        ("NUSABUS_CLIENT_ID", uji.id),
        ("NUSABUS_CERTIFICATE_FILE", tls.certificate_file),
        ("NUSABUS_CA_FILE", tls.ca_file),
    ):
        monkeypatch.setenv(name, value)
    assert run(["publish", "--stream", str(file), "--grpc", f"{LOOPBACK}:{port}"]) == 0


@pytest.mark.parametrize(("trusted", "status"), [(True, "OK"), (False, "UNAVAILABLE")])
def test_authorities_are_named_by_the_environment(
    https: Bus, port: int, tls: Tls, authority: Authority, trusted: bool, status: str
) -> None:
    """In a program of its own: gRPC reads the file once."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    if trusted:
        environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(authority.file)
    command = [sys.executable, "-c", CHECK_HEALTH, f"{LOOPBACK}:{port}", tls.certificate_file]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == status, done.stderr


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="absent"):
        open_channel("localhost:1", Tls(str(tmp_path / "absent")))
