"""The `nusabus` command, the client library and a feed show a client certificate."""

import io
import json
import sys
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from adapters.cli.app import run
from adapters.cli.profiles import path
from adapters.client import Nusabus, Problem, Tls
from tests.authority import Authority
from tests.builders import FREE, a_document
from tests.bus import Bus
from tests.legacy_feeds import a_feed, a_file, payments

HOST = "program.uji.go.id"


@pytest.fixture
def shown(authority: Authority) -> Path:
    """A certificate with its key."""
    return authority.issue(HOST, x509.DNSName(HOST))


@pytest.fixture
def client_id(https: Bus) -> str:
    """A client that has no secret, and is known by the name in the certificate."""
    body = {"organisation": "uji", "title": "A program", "roles": ["publisher"]}
    id = str(https.admin.post("/v1/clients", json=body).raise_for_status().json()["id"])
    name = {"kind": "san_dns", "value": HOST}
    https.admin.post(f"/v1/clients/{id}/certificates", json=name).raise_for_status()
    return id


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials of anybody."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    for name in ("URL", "CLIENT_ID", "CLIENT_SECRET", "CERTIFICATE_FILE", "KEY_FILE", "CA_FILE"):
        monkeypatch.delenv(f"NUSABUS_{name}", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())


def url(bus: Bus) -> str:
    return str(bus.http.base_url)


async def test_the_library(https: Bus, client_id: str, authority: Authority, shown: Path) -> None:
    tls = Tls(str(shown), ca_file=str(authority.file))
    async with Nusabus(url(https), client_id, tls=tls) as bus:
        assert not (await bus.publish(a_document(source="/uji"))).duplicate


async def test_without_the_certificate_or_the_authority_nothing_is_published(
    https: Bus, client_id: str, authority: Authority, shown: Path
) -> None:
    async with Nusabus(url(https), client_id, tls=Tls(ca_file=str(authority.file))) as bus:
        with pytest.raises(Problem, match="invalid_client"):
            await bus.log_in()
    async with Nusabus(url(https), client_id, tls=Tls(str(shown))) as bus:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await bus.log_in()


@pytest.mark.usefixtures("home")
def test_a_profile_that_login_has_saved(
    https: Bus,
    client_id: str,
    authority: Authority,
    shown: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = ("--cert", str(shown), "--ca", str(authority.file))
    line = ("login", "program", "--url", url(https), "--client-id", client_id, *files)
    assert run(line) == 0, capsys.readouterr().err
    assert "client_secret" not in path().read_text()
    data = ("publish", FREE, "--source", "/uji", "--data", "{}", "--profile", "program", "--json")
    assert run(data) == 0, capsys.readouterr().err
    [stored] = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert stored["receipt"]["duplicate"] is False


@pytest.mark.usefixtures("home")
def test_the_command_and_a_feed_by_the_environment(
    https: Bus,
    client_id: str,
    authority: Authority,
    shown: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environ = {"URL": url(https), "CLIENT_ID": client_id}
    files = {"CERTIFICATE_FILE": str(shown), "CA_FILE": str(authority.file)}
    for name, value in {**environ, **files}.items():
        monkeypatch.setenv(f"NUSABUS_{name}", value)
    feed, file = a_feed(tmp_path / "feed"), tmp_path / "PAY.DAT"
    file.write_bytes(a_file(payments(10)))
    sent = run(("legacy", "send", str(file), "--feed", str(feed.folder)))
    said = capsys.readouterr()
    assert (sent, "ACCEPTED" in said.out) == (0, True), said
    monkeypatch.setenv("NUSABUS_KEY_FILE", str(authority.file))
    assert run(("publish", FREE, "--source", "/uji", "--data", "{}")) == 1
    assert "Name a certificate (PEM) and its own key" in capsys.readouterr().err
