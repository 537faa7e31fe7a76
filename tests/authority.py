"""A certificate authority for tests."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


class Authority:
    """Issues certificates for servers; `file` is what makes them trusted."""

    def __init__(self, folder: Path, *, is_leaf: bool = False) -> None:
        """With `is_leaf` its own certificate says that it must not sign others."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Otoritas uji")
        self.file = folder / "ca.pem"
        certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(
                x509.BasicConstraints(ca=not is_leaf, path_length=None if is_leaf else 0),
                critical=True,
            )
            .add_extension(_usage(signs_certificates=not is_leaf), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        self.file.write_bytes(certificate.public_bytes(PEM))

    def serve(self, address: str) -> ssl.SSLContext:
        """What a server at this address shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(address, x509.IPAddress(ip_address(address))))
        return context

    def issue(self, address: str, *names: x509.GeneralName, days: int = 1) -> Path:
        """A file with the key and the certificate of a server or client."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_name(address), self._name, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return _written(self._folder / f"{address}.pem", key, certificate)


def self_signed(file: Path, name: str, *extensions: x509.ExtensionType, days: int = 1) -> Path:
    """A file with a key and a certificate that nobody else has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(name), _name(name), key.public_key(), days)
    for each in extensions:
        builder = builder.add_extension(each, critical=True)
    return _written(file, key, builder.sign(key, hashes.SHA256()))


def certificate_of(file: Path) -> str:
    """The certificate (PEM) in a file, without the key."""
    _, mark, rest = file.read_text().partition("-----BEGIN CERTIFICATE-----")
    return mark + rest


def der_of(file: Path) -> bytes:
    """The same as it travels."""
    return ssl.PEM_cert_to_DER_cert(certificate_of(file))


def _written(file: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Path:
    private = key.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(PEM))
    return file


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int = 1
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5) + min(timedelta(days=days - 1), timedelta()))
        .not_valid_after(
            now + timedelta(days=days) - (timedelta(minutes=1) if days < 1 else timedelta())
        )
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
