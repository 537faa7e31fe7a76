"""https:// is verified: by the authorities that are trusted, and against the name."""

from pathlib import Path

from tests.authority import Authority
from tests.bus import Actor
from tests.integration.webhook.conftest import MakeInbox, hooked


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
