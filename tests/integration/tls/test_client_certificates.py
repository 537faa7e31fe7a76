"""Client certificates on the connection itself, and by a proxy that ends TLS."""

import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from deploy.local.ports import LOOPBACK
from tests.authority import Authority, certificate_of, der_of, self_signed
from tests.builders import a_document
from tests.bus import STRUCTURED, Actor, Bus
from tests.integration.tls.conftest import PROXY

HOST = "app.uji.go.id"
STRANGER = "127.0.0.10"
LEAF = x509.BasicConstraints(ca=False, path_length=None)


@pytest.fixture
def uji(https: Bus) -> Actor:
    """A client without a secret."""
    body = {"organisation": "uji", "title": "By certificate", "roles": ["publisher"]}
    made = https.admin.post("/v1/clients", json=body).raise_for_status().json()
    return Actor(https, "uji", made["id"], "")


def register(uji: Actor, kind: str, value: str) -> str:
    path = f"/v1/clients/{uji.id}/certificates"
    made = uji.bus.admin.post(path, json={"kind": kind, "value": value})
    assert made.status_code == 201, made.text
    return f"{path}/{made.json()['id']}"


def connected(bus: Bus, trusted: str, shown: Path | None, source: str = LOOPBACK) -> httpx.Client:
    """A connection that shows a certificate."""
    context = ssl.create_default_context(cafile=trusted)
    context.check_hostname = False
    if shown is not None:
        context.load_cert_chain(shown)
    transport = httpx.HTTPTransport(verify=context, local_address=source)
    return httpx.Client(base_url=bus.http.base_url, transport=transport, timeout=60)


def login(http: httpx.Client, id: str, **headers: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": id}
    return http.post("/oauth/token", data=form, headers=headers)


def publish(http: httpx.Client, token: str, **headers: str) -> int:
    return http.post(
        "/v1/events",
        json=a_document(source="/uji"),
        headers={"authorization": f"Bearer {token}", **STRUCTURED, **headers},
    ).status_code


def test_a_name_of_the_authority(https: Bus, uji: Actor, authority: Authority) -> None:
    register(uji, "san_dns", HOST)
    shown = authority.issue(HOST, x509.DNSName(HOST))
    trusted = str(authority.file)
    with connected(https, trusted, shown) as own, connected(https, trusted, None) as other:
        token = login(own, uji.id).raise_for_status().json()["access_token"]
        assert publish(own, token) == 202
        assert publish(other, token) == 401
        assert publish(own, token) == 202


def test_a_self_signed_certificate(
    https: Bus, uji: Actor, authority: Authority, tmp_path: Path
) -> None:
    """Taken once it is registered; before that, and afterwards, the handshake fails."""
    own = self_signed(tmp_path / "own.pem", "app", LEAF)
    trusted = str(authority.file)
    with connected(https, trusted, own) as http, pytest.raises(httpx.TransportError):
        login(http, uji.id)
    path = register(uji, "certificate", certificate_of(own))
    with connected(https, trusted, own) as http:
        token = login(http, uji.id).raise_for_status().json()["access_token"]
        assert publish(http, token) == 202
        uji.bus.admin.delete(path).raise_for_status()
        assert publish(http, token) == 401
    with connected(https, trusted, own) as http, pytest.raises(httpx.TransportError):
        login(http, uji.id)


def test_a_registered_certificate_makes_no_others(
    https: Bus, uji: Actor, authority: Authority, tmp_path: Path
) -> None:
    """Its holder signs one for somebody else's name: TLS refuses the chain."""
    victim, own = register(uji, "san_dns", HOST), Authority(tmp_path, is_leaf=True)
    assert victim
    register(uji, "certificate", own.file.read_text())
    forged = own.issue(HOST, x509.DNSName(HOST))
    with connected(https, str(authority.file), forged) as http, pytest.raises(httpx.TransportError):
        login(http, uji.id)


def test_a_proxy_says_which_certificate_it_has_seen(
    https: Bus, uji: Actor, authority: Authority
) -> None:
    """Only the proxy, and only one certificate as RFC 9440 writes it."""
    register(uji, "san_dns", HOST)
    shown = der_of(authority.issue(HOST, x509.DNSName(HOST)))
    said = {"client-cert": f":{b64encode(shown).decode()}:"}
    trusted = str(authority.file)
    with (
        connected(https, trusted, None, PROXY) as proxy,
        connected(https, trusted, None, STRANGER) as stranger,
    ):
        token = login(proxy, uji.id, **said).raise_for_status().json()["access_token"]
        assert publish(proxy, token, **said) == 202
        assert publish(proxy, token) == 401
        assert publish(stranger, token, **said) == 401
        assert login(stranger, uji.id, **said).status_code == 401
        for wrong in ("x", ":", "::", ":x:", f"{b64encode(shown).decode()}", ": :"):
            assert login(proxy, uji.id, **{"client-cert": wrong}).status_code == 400
            assert login(stranger, uji.id, **{"client-cert": wrong}).status_code == 401
        two: Any = [("client-cert", said["client-cert"])] * 2
        assert proxy.get("/health/live", headers=two).status_code == 400


def test_the_certificate_of_the_proxy_itself_is_nobodys(
    https: Bus, uji: Actor, authority: Authority
) -> None:
    register(uji, "san_dns", HOST)
    shown = authority.issue(HOST, x509.DNSName(HOST))
    with connected(https, str(authority.file), shown, PROXY) as proxy:
        assert login(proxy, uji.id).status_code == 401
