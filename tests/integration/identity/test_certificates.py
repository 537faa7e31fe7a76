"""Certificates in place of secrets (RFC 8705): who gets a token, and who can use it."""

import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from gateway.identity import PeerCertificate
from gateway.identity.peer_certificate import thumbprint
from tests.authority import Authority, certificate_of, der_of, self_signed
from tests.integration.identity_api import URL, Actor, IdentityApi, an_identity_api
from tests.problems import problem_of

HOST = "app.dukcapil.go.id"
LEAF = x509.BasicConstraints(ca=False, path_length=None)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whom the operator trusts to name clients."""
    return Authority(tmp_path)


@pytest.fixture
async def api(database_url: str, authority: Authority) -> AsyncIterator[IdentityApi]:
    files = {"NUSABUS_TLS_CLIENT_CA_FILE": str(authority.file)}
    async with an_identity_api(database_url, empty=True, **files) as api:
        yield api


@pytest.fixture
async def client(api: IdentityApi) -> Actor:
    return await api.actor("dukcapil", "publisher")


async def register(admin: Actor, client: Actor, kind: str, value: str) -> httpx.Response:
    body = {"kind": kind, "value": value}
    return await admin.post(f"/v1/clients/{client.id}/certificates", body)


async def login(api: IdentityApi, id: str, shown: Path | None) -> httpx.Response:
    """Ask for a token on a connection that shows this certificate."""
    api.peer = PeerCertificate(der_of(shown)) if shown is not None else None
    form = {"grant_type": "client_credentials", "client_id": id}
    try:
        return await api.http.post("/oauth/token", data=form)
    finally:
        api.peer = None


async def use(api: IdentityApi, token: str, shown: Path | None) -> httpx.Response:
    api.peer = PeerCertificate(der_of(shown)) if shown is not None else None
    headers = {"authorization": f"Bearer {token}"}
    try:
        return await api.http.get("/v1/organisations/dukcapil", headers=headers)
    finally:
        api.peer = None


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("subject_dn", f"CN={HOST}"),
        ("san_dns", HOST.upper()),
    ],
)
async def test_a_name_that_an_authority_certifies(
    api: IdentityApi, admin: Actor, client: Actor, authority: Authority, kind: str, value: str
) -> None:
    shown = authority.issue(HOST, x509.DNSName(HOST))
    assert (await login(api, client.id, shown)).status_code == 401
    made = await register(admin, client, kind, value)
    assert made.status_code == 201, made.text
    answer = await login(api, client.id, shown)
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    assert claims(token)["cnf"] == {"x5t#S256": thumbprint(der_of(shown))}
    assert (await use(api, token, shown)).status_code == 200
    renewed = authority.issue(HOST, x509.DNSName(HOST))
    assert (await login(api, client.id, renewed)).status_code == 200
    refused = await use(api, token, renewed)
    problem_of(refused, 401, "not-authenticated")
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert (await use(api, token, None)).status_code == 401


async def test_a_certificate_itself(
    api: IdentityApi, admin: Actor, client: Actor, tmp_path: Path
) -> None:
    own, other = (self_signed(tmp_path / f"{n}.pem", "a", LEAF) for n in (1, 2))
    made = await register(admin, client, "certificate", certificate_of(own))
    assert made.json()["value"] == thumbprint(der_of(own))
    assert (await login(api, client.id, other)).status_code == 401
    token = (await login(api, client.id, own)).json()["access_token"]
    assert (await use(api, token, own)).status_code == 200
    assert (await use(api, token, other)).status_code == 401
    listed = await admin.get(f"/v1/clients/{client.id}/certificates")
    assert listed.json()["items"] == [made.json()]
    path = f"/v1/clients/{client.id}/certificates/{made.json()['id']}"
    assert (await admin.delete(path)).status_code == 204
    assert (await use(api, token, own)).status_code == 401
    assert (await login(api, client.id, own)).status_code == 401
    problem_of(await admin.delete(path), 404, "not-found")


async def test_a_name_that_nobody_of_trust_has_written(
    api: IdentityApi, admin: Actor, client: Actor, tmp_path: Path
) -> None:
    """Self-signed, of a stranger's authority, or of one that has the same name as ours."""
    await register(admin, client, "san_dns", HOST)
    (tmp_path / "other").mkdir()
    forged = [
        self_signed(tmp_path / "own.pem", HOST, x509.SubjectAlternativeName([x509.DNSName(HOST)])),
        Authority(tmp_path / "other").issue(HOST, x509.DNSName(HOST)),
    ]
    for each in forged:
        assert (await login(api, client.id, each)).status_code == 401


async def test_names_are_compared_whole(
    api: IdentityApi, admin: Actor, client: Actor, authority: Authority
) -> None:
    await register(admin, client, "san_dns", HOST)
    await register(admin, client, "subject_dn", f"CN={HOST},O=Dukcapil")
    for name in (f"x.{HOST}", "*.dukcapil.go.id", HOST.replace(".", "-")):
        shown = authority.issue("elsewhere", x509.DNSName(name))
        assert (await login(api, client.id, shown)).status_code == 401
    by_uri = authority.issue(HOST, x509.UniformResourceIdentifier(HOST))
    assert (await login(api, client.id, by_uri)).status_code == 401


async def test_an_expired_certificate_is_refused(
    api: IdentityApi, admin: Actor, client: Actor, authority: Authority, tmp_path: Path
) -> None:
    await register(admin, client, "san_dns", HOST)
    expired = authority.issue(HOST, x509.DNSName(HOST), days=0)
    assert (await login(api, client.id, expired)).status_code == 401
    old = self_signed(tmp_path / "old.pem", "a", LEAF, days=0)
    problem_of(await register(admin, client, "certificate", certificate_of(old)), 422, "invalid")


async def test_without_a_certificate_the_id_alone_gets_nothing(
    api: IdentityApi, admin: Actor, client: Actor
) -> None:
    await register(admin, client, "san_dns", HOST)
    answer = await login(api, client.id, None)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_the_certificate_of_another_client_is_not_ones_own(
    api: IdentityApi, admin: Actor, client: Actor, authority: Authority
) -> None:
    stranger = await api.actor("kemenkes", "publisher")
    await register(admin, client, "san_dns", HOST)
    await register(admin, stranger, "san_dns", "app.kemenkes.go.id")
    shown = authority.issue("k", x509.DNSName("app.kemenkes.go.id"))
    assert (await login(api, client.id, shown)).status_code == 401
    assert (await login(api, stranger.id, shown)).status_code == 200


async def test_a_token_by_a_secret_is_not_bound(
    api: IdentityApi, client: Actor, tmp_path: Path
) -> None:
    """Perhaps the certificate is that of a proxy on the way."""
    shown = self_signed(tmp_path / "a.pem", "a", LEAF)
    api.peer = PeerCertificate(der_of(shown))
    token = (await client.login()).json()["access_token"]
    assert "cnf" not in claims(token)
    assert (await use(api, token, None)).status_code == 200


async def test_a_disabled_client_gets_nothing(
    api: IdentityApi, admin: Actor, client: Actor, tmp_path: Path
) -> None:
    own = self_signed(tmp_path / "a.pem", "a", LEAF)
    await register(admin, client, "certificate", certificate_of(own))
    token = (await login(api, client.id, own)).json()["access_token"]
    assert api.directory.self_signed == (der_of(own),)
    await admin.patch(f"/v1/clients/{client.id}", {"state": "disabled"})
    assert (await login(api, client.id, own)).status_code == 401
    assert (await use(api, token, own)).status_code == 401
    assert not api.directory.self_signed


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("certificate", "x"),
        ("certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("certificate", "\x00"),
        ("subject_dn", ""),
        ("subject_dn", "app"),
        ("subject_dn", "CN=a\nO=b"),
        ("subject_dn", f"CN={'x' * 2000}"),
        ("san_dns", "*.go.id"),
        ("san_dns", "a b"),
        ("san_dns", "ä.go.id"),
        ("san_dns", "x" * 300),
        ("san_uri", "no scheme"),
        ("san_uri", "https://a\x00b"),
        ("san_ip", "10.0.0.1"),
    ],
)
async def test_what_is_no_name_or_certificate(
    api: IdentityApi, admin: Actor, client: Actor, kind: str, value: str
) -> None:
    answer = await register(admin, client, kind, value)
    assert answer.status_code == 422, answer.text


async def test_what_could_sign_for_others_is_refused(
    admin: Actor, client: Actor, authority: Authority, tmp_path: Path
) -> None:
    """In the store of TLS it would be an authority; so would what only seems to be none."""
    usage = x509.KeyUsage(*(index == 5 for index in range(9)))
    may_sign = [
        self_signed(tmp_path / "ca.pem", "a", x509.BasicConstraints(ca=True, path_length=None)),
        self_signed(tmp_path / "usage.pem", "a", usage),
        self_signed(
            tmp_path / "netscape.pem", "a",
            x509.UnrecognizedExtension(
                x509.ObjectIdentifier("2.16.840.1.113730.1.1"), b"\x03\x02\x00\x07"
            ),
        ),
        authority.file,
    ]  # fmt: skip
    for each in may_sign:
        answer = await register(admin, client, "certificate", certificate_of(each))
        assert "may sign others" in problem_of(answer, 422, "invalid")["detail"]
    key_too = self_signed(tmp_path / "k.pem", "a", LEAF).read_text()
    assert (await register(admin, client, "certificate", key_too)).status_code == 422


async def test_there_are_two_at_most(admin: Actor, client: Actor) -> None:
    assert (await register(admin, client, "san_dns", "a.go.id")).status_code == 201
    problem_of(await register(admin, client, "san_dns", "A.go.id"), 409, "conflict")
    assert (await register(admin, client, "san_uri", "urn:x:app")).status_code == 201
    problem_of(await register(admin, client, "san_dns", "b.go.id"), 409, "conflict")


async def test_guessing_is_slowed_down(api: IdentityApi, client: Actor, tmp_path: Path) -> None:
    shown = self_signed(tmp_path / "a.pem", "a", LEAF)
    statuses = [(await login(api, client.id, shown)).status_code for _ in range(12)]
    assert statuses[0] == 401
    assert statuses[-1] == 429


async def test_garbage_in_place_of_a_certificate_is_refused(
    api: IdentityApi, admin: Actor, client: Actor
) -> None:
    await register(admin, client, "san_dns", HOST)
    for garbage in (b"", b"\x30\x82", bytes(3000)):
        api.peer = PeerCertificate(garbage)
        form = {"grant_type": "client_credentials", "client_id": client.id}
        assert (await api.http.post("/oauth/token", data=form)).status_code == 401


async def test_the_metadata_name_it(api: IdentityApi) -> None:
    found = (await api.http.get("/.well-known/oauth-authorization-server")).json()
    assert found["issuer"] == URL
    assert found["token_endpoint"] == f"{URL}/oauth/token"
    methods = found["token_endpoint_auth_methods_supported"]
    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= set(methods)
    assert found["tls_client_certificate_bound_access_tokens"] is True
