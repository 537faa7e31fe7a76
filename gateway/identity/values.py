"""Organisations, their clients and grants as values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from gateway.base.errors import Forbidden

_KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")
ORGANISATION_NAME = r"^[a-z][a-z0-9-]{1,30}$"
OPERATOR = "nusabus"  # the organisation that runs the bus


class Role(StrEnum):
    """What a client may do. No role implies another."""

    ADMIN = "admin"
    PUBLISHER = "publisher"
    SUBSCRIBER = "subscriber"
    AUDITOR = "auditor"


class ClientState(StrEnum):
    """A disabled client can neither get nor use a token."""

    ACTIVE = "active"
    DISABLED = "disabled"


class GrantAction(StrEnum):
    """What a grant permits."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"


@dataclass(frozen=True, slots=True)
class Organisation:
    """A ministry or agency. The operator is the one that runs the bus.

    While it is suspended, its clients are refused and nothing is delivered to it; its grants and
    subscriptions stay. `quotas` are those that differ from the defaults, by name.
    """

    name: str
    title: str
    description: str
    operator: bool
    created: datetime
    suspended: datetime | None = None
    suspension_reason: str | None = None
    quotas: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def namespace(self) -> str:
        """The pattern of all event types that carry its name."""
        return namespace(self.name)


class OrganisationSuspended(Forbidden):
    """The operator has suspended the organisation of the caller."""

    code = "organisation-suspended"


class ClientSecret(NamedTuple):
    """A secret of a client, without the secret itself. `digest` is a keyed hash."""

    id: str
    digest: bytes
    created: datetime


class CertificateKind(StrEnum):
    """By what a certificate is known: by itself, or by a name in it (RFC 8705, section 2)."""

    CERTIFICATE = "certificate"
    SUBJECT_DN = "subject_dn"
    SAN_DNS = "san_dns"
    SAN_URI = "san_uri"


class ClientCertificate(NamedTuple):
    """What a client shows in place of a secret. `value` is a name, or `x5t#S256`.

    `der` is the certificate itself, if it is registered and not a name.
    """

    id: str
    kind: CertificateKind
    value: str
    created: datetime
    der: bytes | None = None


class Credential(NamedTuple):
    """The ids of a client and of the secret or certificate by which it got its access token."""

    client: str
    id: str


NOBODY = Credential("", "")


@dataclass(frozen=True, slots=True)
class Client:
    """A set of credentials that belongs to an organisation.

    `operator` says whether that organisation is the one that runs the bus. `quotas` are its own, by
    name; those of its organisation apply as well.
    """

    id: str
    organisation: str
    title: str
    roles: frozenset[Role]
    state: ClientState
    operator: bool
    created: datetime
    quotas: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def active(self) -> bool:
        """Whether it is enabled."""
        return self.state is ClientState.ACTIVE

    def has(self, *roles: Role) -> bool:
        """Whether it holds at least one of these roles."""
        return not self.roles.isdisjoint(roles)

    def require(self, *roles: Role) -> None:
        """Raises Forbidden unless it holds at least one of these roles."""
        if not self.has(*roles):
            raise Forbidden(f"This needs the role {' or '.join(roles)}.")


@dataclass(frozen=True, slots=True)
class Grant:
    """Permits an organisation to act on the event types under a pattern."""

    id: str
    organisation: str
    action: GrantAction
    type: str
    granted_by: str
    created: datetime


def namespace(organisation: str) -> str:
    """The pattern of all event types that carry an organisation's name."""
    return f"id.go.{organisation}.*"


def is_key(text: str) -> bool:
    """Whether `text` could be a key in the tables; the database refuses some characters."""
    return _KEY.fullmatch(text) is not None
