"""The rows of organisations, clients, their credentials, grants, source prefixes, signing keys.

They never leave this room. The migrations make the tables.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, Select, Text, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel, col

from gateway.identity.source_owners import SourcePrefix
from gateway.identity.values import (
    CertificateKind,
    Client,
    ClientCertificate,
    ClientState,
    Grant,
    GrantAction,
    Organisation,
    Role,
)


def _time(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(DateTime(timezone=True), nullable=nullable))


# Set by triggers, see `gateway.identity.directory_loader`.
_CHANGED: Any = Field(default=0, sa_type=BigInteger)


class OrganisationRow(SQLModel, table=True):
    """An organisation."""

    __tablename__ = "organisations"

    name: str = Field(primary_key=True)
    title: str
    description: str
    operator: bool
    created: datetime = _time()
    suspended: datetime | None = _time(nullable=True)
    suspension_reason: str | None = None
    quotas: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    quota_revision: int = Field(default=1, sa_type=BigInteger)
    changed: int = _CHANGED


class ClientRow(SQLModel, table=True):
    """A client of an organisation."""

    __tablename__ = "clients"

    id: str = Field(primary_key=True)
    organisation: str = Field(foreign_key="organisations.name")
    title: str
    roles: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    state: str
    created: datetime = _time()
    quotas: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    changed: int = _CHANGED


class SecretRow(SQLModel, table=True):
    """One of a client's secrets, as a keyed hash."""

    __tablename__ = "client_secrets"

    id: str = Field(primary_key=True)
    client: str = Field(foreign_key="clients.id")
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created: datetime = _time()


class CertificateRow(SQLModel, table=True):
    """A certificate of a client, or a name in those that it shows."""

    __tablename__ = "client_certificates"

    id: str = Field(primary_key=True)
    client: str = Field(foreign_key="clients.id")
    kind: str
    value: str
    der: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    created: datetime = _time()


class GrantRow(SQLModel, table=True):
    """What an organisation was permitted beyond its own types."""

    __tablename__ = "grants"

    id: str = Field(primary_key=True)
    organisation: str = Field(foreign_key="organisations.name")
    action: str
    type: str
    granted_by: str
    created: datetime = _time()


class SourcePrefixRow(SQLModel, table=True):
    """A prefix of sources and its owner; none is the gateway itself."""

    __tablename__ = "source_prefixes"

    id: str = Field(primary_key=True)
    prefix: str
    organisation: str | None = Field(foreign_key="organisations.name")
    assigned_by: str | None
    created: datetime = _time()


class SigningKeyRow(SQLModel, table=True):
    """A key that signs tokens; `sealed` is its private part, encrypted."""

    __tablename__ = "signing_keys"

    kid: str = Field(primary_key=True)
    public: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str
    created: datetime = _time()
    activated: datetime | None = _time(nullable=True)
    retired: datetime | None = _time(nullable=True)


# A client's row and whether its organisation is the operator, read together.
CLIENTS: Select[ClientRow, bool] = select(ClientRow, col(OrganisationRow.operator)).join(
    OrganisationRow, col(OrganisationRow.name) == col(ClientRow.organisation)
)


def organisation_of(row: OrganisationRow) -> Organisation:
    """The value that a row stands for."""
    return Organisation(
        row.name,
        row.title,
        row.description,
        row.operator,
        row.created,
        row.suspended,
        row.suspension_reason,
        row.quotas,
    )


def client_of(row: ClientRow, *, operator: bool) -> Client:
    """The value that a row stands for; `operator` is its organisation's."""
    return Client(
        row.id,
        row.organisation,
        row.title,
        frozenset(map(Role, row.roles)),
        ClientState(row.state),
        operator,
        row.created,
        row.quotas,
    )


def certificate_of(row: CertificateRow) -> ClientCertificate:
    """The value that a row stands for."""
    return ClientCertificate(row.id, CertificateKind(row.kind), row.value, row.created, row.der)


def grant_of(row: GrantRow) -> Grant:
    """The value that a row stands for."""
    return Grant(
        row.id, row.organisation, GrantAction(row.action), row.type, row.granted_by, row.created
    )


def source_prefix_of(row: SourcePrefixRow) -> SourcePrefix:
    """The value that a row stands for."""
    return SourcePrefix(row.id, row.prefix, row.organisation, row.assigned_by, row.created)
