"""The certificate that a client has shown on its connection (RFC 8705)."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from gateway.identity.values import CertificateKind, ClientCertificate


def thumbprint(der: bytes) -> str:
    """`x5t#S256`: the SHA-256 of a certificate (RFC 8705, section 3.1)."""
    return urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode()


class PeerCertificate:
    """A certificate that the other side has proved to hold the key of. Strangers wrote it."""

    def __init__(self, der: bytes) -> None:
        self._der = der
        self.thumbprint = thumbprint(der)

    def shows(
        self, registered: ClientCertificate, authorities: Iterable[x509.Certificate], now: datetime
    ) -> bool:
        """Whether this is what a client has registered, and in force.

        A name counts only in a certificate that one of the authorities itself has issued: neither a
        self-signed one of another client nor a careless proxy may say who somebody is.
        """
        if registered.kind is CertificateKind.CERTIFICATE:
            return registered.value == self.thumbprint and self._in_force(now)
        return (
            registered.value in self._names.get(registered.kind, ())
            and self._in_force(now)
            and any(map(self._is_issued_by, authorities))
        )

    @cached_property
    def _parsed(self) -> x509.Certificate | None:
        try:
            return x509.load_der_x509_certificate(self._der)
        except ValueError:
            return None

    @cached_property
    def _names(self) -> dict[CertificateKind, list[str]]:
        if self._parsed is None:
            return {}
        try:
            names = {CertificateKind.SUBJECT_DN: [self._parsed.subject.rfc4514_string()]}
            found = self._parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return names
        except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            return {}
        hosts = found.value.get_values_for_type(x509.DNSName)
        names[CertificateKind.SAN_DNS] = [host.lower() for host in hosts]
        names[CertificateKind.SAN_URI] = found.value.get_values_for_type(
            x509.UniformResourceIdentifier
        )
        return names

    def _in_force(self, now: datetime) -> bool:
        parsed = self._parsed
        return (
            parsed is not None and parsed.not_valid_before_utc <= now < parsed.not_valid_after_utc
        )

    def _is_issued_by(self, authority: x509.Certificate) -> bool:
        assert self._parsed is not None  # noqa: S101 - it has names
        try:
            self._parsed.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True
