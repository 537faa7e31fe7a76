"""Contexts follow their files."""

import re
import shutil
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gateway.base import tls
from gateway.base.settings import InvalidSettings, Settings
from gateway.base.tls import (
    Followed,
    TlsFiles,
    UnusableFiles,
    _server_context,
    client_context,
    own_certificate,
)
from tests.authority import Authority

NAME = "bus.example.go.id"
ENVIRON = {
    "NUSABUS_DATABASE_URL": "postgresql://a:b@c/d",
    "NUSABUS_AMQP_URL": "amqps://a:b@c/d",
    "NUSABUS_SECRET_KEY": "x" * 32,
}


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "LOOK", 0)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def a_pair(authority: Authority, folder: Path) -> tuple[Path, Path]:
    """A certificate and its key in two files."""
    both = authority.issue(NAME, x509.DNSName(NAME)).read_text()
    folder.mkdir()
    key, mark, certificate = both.partition("-----BEGIN CERTIFICATE-----")
    for name, text in (("key.pem", key), ("certificate.pem", mark + certificate)):
        (folder / name).write_text(text)
    return folder / "certificate.pem", folder / "key.pem"


def shown(context: ssl.SSLContext, authority: Authority) -> int:
    """The serial number of the certificate that a client sees; it trusts the authority alone."""
    ends = [ssl.MemoryBIO() for _ in range(4)]
    client = ssl.create_default_context(cafile=str(authority.file))
    server = context.wrap_bio(ends[0], ends[1], server_side=True)
    peer = client.wrap_bio(ends[1], ends[0], server_hostname=NAME)
    for side in (peer, server, peer):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return x509.load_der_x509_certificate(peer.getpeercert(binary_form=True) or b"").serial_number


def serial(certificate: Path) -> int:
    return x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number


def test_a_certificate_is_replaced_with_its_files(authority: Authority, tmp_path: Path) -> None:
    """Half of it changes nothing, and neither does what is no certificate."""
    certificate, key = a_pair(authority, tmp_path / "old")
    followed = Followed(TlsFiles(str(certificate), str(key)), _server_context)
    old = serial(certificate)
    assert shown(followed.current(), authority) == old
    fresh_certificate, fresh_key = a_pair(authority, tmp_path / "new")
    shutil.copy(fresh_certificate, certificate)
    assert shown(followed.current(), authority) == old
    certificate.write_text("nonsense")
    assert shown(followed.current(), authority) == old
    certificate.unlink()
    assert shown(followed.current(), authority) == old
    shutil.copy(fresh_certificate, certificate)
    shutil.copy(fresh_key, key)
    assert shown(followed.current(), authority) == serial(fresh_certificate) != old
    assert followed.current() is followed.current()


def test_a_certificate_is_replaced_behind_a_link(authority: Authority, tmp_path: Path) -> None:
    """As Kubernetes and certbot replace them."""
    pairs = [a_pair(authority, tmp_path / name) for name in ("old", "new")]
    link = tmp_path / "live"
    link.symlink_to(tmp_path / "old")
    files = TlsFiles(str(link / "certificate.pem"), str(link / "key.pem"))
    followed = Followed(files, _server_context)
    assert shown(followed.current(), authority) == serial(pairs[0][0])
    link.unlink()
    link.symlink_to(tmp_path / "new")
    assert shown(followed.current(), authority) == serial(pairs[1][0])


def test_what_cannot_be_used_is_named(authority: Authority, tmp_path: Path) -> None:
    certificate, key = map(str, a_pair(authority, tmp_path / "a"))
    _, other = map(str, a_pair(authority, tmp_path / "b"))
    empty, locked = tmp_path / "empty", tmp_path / "locked"
    empty.touch()
    private = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    locked.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    for files, named in [
        (TlsFiles(certificate, other), other),
        (TlsFiles(certificate, None), certificate),
        (TlsFiles(certificate, str(locked)), "without a password"),
        (TlsFiles(str(empty), key), str(empty)),
        (TlsFiles(str(tmp_path), key), str(tmp_path)),
        (TlsFiles(certificate, "/none"), "'/none' cannot be read"),
        (TlsFiles(certificate, "a\0b"), "cannot be read"),
        (TlsFiles(None, None, str(empty)), str(empty)),
    ]:
        with pytest.raises(UnusableFiles, match=re.escape(named)):
            client_context(files)


def test_a_client_trusts_its_own_authorities_alone(authority: Authority) -> None:
    context = client_context(TlsFiles(authorities=str(authority.file)))
    assert len(context.get_ca_certs()) == 1
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_settings_go_together(authority: Authority, tmp_path: Path) -> None:
    certificate, key = a_pair(authority, tmp_path / "a")
    https = {"NUSABUS_URL": f"https://{NAME}"}
    files = {"NUSABUS_TLS_CERTIFICATE_FILE": str(certificate), "NUSABUS_TLS_KEY_FILE": str(key)}
    assert own_certificate(Settings.parse(ENVIRON)) is None
    assert own_certificate(Settings.parse({**ENVIRON, **https, **files})) is not None
    for wrong, text in [
        (files, "NUSABUS_URL must begin with https"),
        ({**https, "NUSABUS_TLS_KEY_FILE": "k"}, "needs NUSABUS_TLS_CERTIFICATE_FILE"),
        ({"NUSABUS_AMQP_URL": "amqps://c/d?no_verify_ssl=1"}, "no_verify_ssl"),
    ]:
        with pytest.raises(InvalidSettings, match=text):
            Settings.parse({**ENVIRON, **wrong})
