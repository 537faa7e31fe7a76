"""Certificates that a client shows in place of a secret (RFC 8705): two at a time, so they rotate.

A client registers a certificate itself, self-signed or not, or a name in certificates of the
authorities that the operator trusts.
"""

import re
from datetime import UTC, datetime
from secrets import token_hex

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict, Invalid, NotFound
from gateway.identity.clients import reachable
from gateway.identity.peer_certificate import thumbprint
from gateway.identity.tables import CertificateRow, certificate_of
from gateway.identity.values import CertificateKind, Client, ClientCertificate, Role

CERTIFICATES = 2  # at most, per client
BYTES = 8192  # of a certificate
LONGEST = 1000  # characters of a name
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_NETSCAPE_TYPE = x509.ObjectIdentifier("2.16.840.1.113730.1.1")


async def add_certificate(
    database: Database, *, by: Client, client: str, kind: CertificateKind, value: str
) -> ClientCertificate:
    """Register a certificate (PEM) or a name. Raises Invalid, and Conflict if there are two."""
    by.require(Role.ADMIN)
    der = _der(value) if kind is CertificateKind.CERTIFICATE else None
    known_by = thumbprint(der) if der is not None else _name(kind, value)
    async with database.change(Topic.IDENTITY) as session:
        row = await reachable(session, by, client)
        present = await _rows(session, row.id)
        if any((each.kind, each.value) == (kind, known_by) for each in present):
            raise Conflict("The client has registered this already. Use what it has.")
        if len(present) >= CERTIFICATES:
            raise Conflict(
                f"The client has {CERTIFICATES} certificates. Remove the one that is not in use."
            )
        added = CertificateRow(
            id=token_hex(6), client=row.id, kind=kind, value=known_by, der=der,
            created=datetime.now(UTC),
        )  # fmt: skip
        session.add(added)
        return certificate_of(added)


async def list_certificates(
    database: Database, *, by: Client, client: str
) -> list[ClientCertificate]:
    """The certificates of a client, the oldest first."""
    by.require(Role.ADMIN, Role.AUDITOR)
    async with database.session() as session:
        await reachable(session, by, client)
        return [certificate_of(row) for row in await _rows(session, client)]


async def remove_certificate(database: Database, *, by: Client, client: str, id: str) -> None:
    """Remove a certificate: it gets no new token, and every token that it got is void."""
    by.require(Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        await reachable(session, by, client)
        row = next((row for row in await _rows(session, client) if row.id == id), None)
        if row is None:
            raise NotFound("The client has no such certificate.")
        await session.delete(row)


async def _rows(session: AsyncSession, client: str) -> list[CertificateRow]:
    rows = await session.execute(
        select(CertificateRow)
        .where(col(CertificateRow.client) == client)
        .order_by(col(CertificateRow.created), col(CertificateRow.id))
    )
    return list(rows.scalars())


def _name(kind: CertificateKind, value: str) -> str:
    """A name as it is compared. Raises Invalid."""
    if kind is CertificateKind.SUBJECT_DN:
        try:
            name = x509.Name.from_rfc4514_string(value).rfc4514_string()
        except ValueError:
            name = ""
        if not name or len(name) > LONGEST or not name.isprintable():
            raise Invalid(
                "This is no distinguished name. Write it as RFC 4514 does: CN=app,O=Ministry,C=ID.",
                pointer="/value",
            )
        return name
    if kind is CertificateKind.SAN_DNS:
        host = value.lower()
        if _HOST.fullmatch(host) is None:
            raise Invalid(
                "This is no DNS name. Write it as it stands in the certificate, and no wildcard.",
                pointer="/value",
            )
        return host
    if len(value) > LONGEST or _URI.fullmatch(value) is None:
        raise Invalid("This is no URI. Write it as it stands in the certificate.", pointer="/value")
    return value


def _der(pem: str) -> bytes:
    """The one certificate in a text, if a client may show it. Raises Invalid."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        signs = _may_sign_others(certificate)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise _invalid("This is no certificate. Send one, as PEM.") from None
    if pem.count("-----BEGIN") != 1:
        raise _invalid("Send one certificate, without a key and without others.")
    if signs:
        # Whoever holds it could make certificates for others, and TLS would take them.
        raise _invalid(
            "The certificate may sign others. Make one with basicConstraints CA:FALSE, as "
            "docs/operations/tls.md shows."
        )
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        raise _invalid("The certificate has expired. Send a new one.")
    der = certificate.public_bytes(Encoding.DER)
    if len(der) > BYTES:
        raise _invalid(f"The certificate is larger than {BYTES} bytes. Send a smaller one.")
    return der


def _may_sign_others(certificate: x509.Certificate) -> bool:
    """Whether OpenSSL takes it for an authority: it does so for more than CA:TRUE."""
    found = {each.oid: each.value for each in certificate.extensions}
    usage = found.get(ExtensionOID.KEY_USAGE)
    if isinstance(usage, x509.KeyUsage) and usage.key_cert_sign:
        return True
    constraints = found.get(ExtensionOID.BASIC_CONSTRAINTS)
    if isinstance(constraints, x509.BasicConstraints):
        return constraints.ca
    return certificate.version is not x509.Version.v3 or _NETSCAPE_TYPE in found


def _invalid(text: str) -> Invalid:
    return Invalid(text, pointer="/value")
