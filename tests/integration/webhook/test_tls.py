"""https:// is verified: by the authorities that are trusted, and against the name."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from tests.authority import Authority
from tests.bus import Actor
from tests.integration.webhook.conftest import MakeInbox, hooked
from tests.waiting import eventually


def tried(uji: Actor, url: str) -> str:
    made = hooked(uji, url)
    answer = uji.post(f"/v1/subscriptions/{made['name']}/test").json()
    return str(answer["detail"])


def test_a_certificate_of_a_trusted_authority(
    uji: Actor, authority: Authority, make_inbox: MakeInbox
) -> None:
    inbox = make_inbox(tls=authority.serve("127.0.0.1"))
    hooked(uji, inbox.url)
    inbox.wait_for(uji.published())


def test_a_certificate_of_another_authority(
    uji: Actor, make_inbox: MakeInbox, tmp_path: Path
) -> None:
    inbox = make_inbox(tls=Authority(tmp_path).serve("127.0.0.1"))
    assert "its certificate is not trusted" in tried(uji, inbox.url)
    assert inbox.asked == []


def test_a_certificate_of_another_address(
    uji: Actor, authority: Authority, make_inbox: MakeInbox
) -> None:
    inbox = make_inbox(tls=authority.serve("127.0.0.2"))
    assert "its certificate is not trusted" in tried(uji, inbox.url)
    assert inbox.asked == []


def test_no_tls_at_all(uji: Actor, make_inbox: MakeInbox) -> None:
    inbox = make_inbox()
    detail = tried(uji, inbox.url.replace("http://", "https://"))
    assert "the TLS handshake failed" in detail


def requiring(
    authority: Authority, clients: Authority, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """An endpoint that requires a certificate of these clients."""
    context = authority.serve("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile=clients.file)
    context.maximum_version = newest
    return context


def test_an_endpoint_that_requires_a_client_certificate(
    uji: Actor, authority: Authority, make_inbox: MakeInbox
) -> None:
    inbox = make_inbox(tls=requiring(authority, authority))
    made = hooked(uji, inbox.url)
    inbox.wait_for(uji.published())
    shown = len(inbox.shown)
    assert uji.post(f"/v1/subscriptions/{made['name']}/test").json()["delivered"]
    assert set(inbox.shown) == {"bus"}
    assert len(inbox.shown) > shown  # the api process calls by itself


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_endpoint_that_does_not_accept_the_certificate_of_the_bus(
    uji: Actor,
    authority: Authority,
    make_inbox: MakeInbox,
    tmp_path: Path,
    newest: ssl.TLSVersion,
) -> None:
    inbox = make_inbox(tls=requiring(authority, Authority(tmp_path), newest))
    reason = "it requires a client certificate, and does not accept that of the bus"
    # In TLS 1.3 a connection that was reset can hide the alert that came before.
    eventually(lambda: reason in tried(uji, inbox.url))
    assert inbox.asked == []


def test_the_certificate_is_replaced_by_replacing_its_file(
    uji: Actor, authority: Authority, certificate: Path, make_inbox: MakeInbox
) -> None:
    inbox = make_inbox(tls=requiring(authority, authority))
    before = certificate.read_bytes()
    try:
        authority.issue("renewed", x509.DNSName("bus")).replace(certificate)
        made = hooked(uji, inbox.url)["name"]
        uji.post(f"/v1/subscriptions/{made}/pause")
        eventually(lambda: uji.post(f"/v1/subscriptions/{made}/test") and "renewed" in inbox.shown)
    finally:
        certificate.write_bytes(before)
