"""The files of the client library for TLS: what cannot be used is said by name."""

from pathlib import Path

import pytest
from cryptography import x509

from adapters.client import Tls, UnusableFile
from tests.authority import Authority


def test_a_certificate_with_its_key_and_an_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("app", x509.DNSName("app"))
    context = Tls(str(pair), ca_file=str(authority.file)).context()
    assert [each["subject"] for each in context.get_ca_certs()]


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, other = (str(authority.issue(name, x509.DNSName(name))) for name in ("one", "other"))
    absent, text = str(tmp_path / "absent.pem"), tmp_path / "text.pem"
    text.write_text("no certificate")
    for files, named in (
        (Tls(absent), f"{absent} .*No such file"),
        (Tls(one, other), "KEY_VALUES_MISMATCH"),
        (Tls(str(text)), "text.pem"),
        (Tls(ca_file=absent), f"authorities in {absent} .*No such file"),
        (Tls(ca_file=str(text)), "authorities in .*text.pem"),
    ):
        with pytest.raises(UnusableFile, match=named):
            files.context()
