"""Organisations, clients and grants in memory, for the hot path."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

from gateway.base import type_pattern
from gateway.identity.quota_values import BUILT_IN, Quota, Quotas
from gateway.identity.signing import SigningKey
from gateway.identity.source_owners import SourceOwners
from gateway.identity.values import (
    Client,
    ClientCertificate,
    ClientSecret,
    Credential,
    Grant,
    GrantAction,
    Organisation,
    OrganisationSuspended,
    Role,
    namespace,
)


@dataclass(frozen=True)
class Rights:
    """What was granted to one organisation."""

    grants: tuple[Grant, ...] = ()

    @cached_property
    def receivable(self) -> tuple[str, ...]:
        """The types and patterns that it may receive."""
        return self._of(GrantAction.SUBSCRIBE)

    @cached_property
    def publishable(self) -> re.Pattern[str] | None:
        """Matches the types that it may publish."""
        patterns = self._of(GrantAction.PUBLISH)
        return re.compile(type_pattern.expression(patterns)) if patterns else None

    def _of(self, action: GrantAction) -> tuple[str, ...]:
        return tuple(grant.type for grant in self.grants if grant.action is action)


_NO_RIGHTS = Rights()
_NO_SOURCES = SourceOwners(())


@dataclass(frozen=True)
class Directory:
    """Organisations by name, clients and their secrets by id, and the keys that sign tokens.

    `rights` holds the grants to each organisation, `source_owners` who owns which sources. A right
    that nothing here gives is denied.
    """

    organisations: Mapping[str, Organisation]
    clients: Mapping[str, Client]
    rights: Mapping[str, Rights]
    signing_keys: tuple[SigningKey, ...]
    secrets: Mapping[str, tuple[ClientSecret, ...]] = field(default_factory=dict, repr=False)
    source_owners: SourceOwners = _NO_SOURCES
    default_quotas: Quotas = field(default_factory=lambda: BUILT_IN, repr=False)
    certificates: Mapping[str, tuple[ClientCertificate, ...]] = field(
        default_factory=dict, repr=False
    )

    def client(self, id: str) -> Client | None:
        """The client of this id, active or not."""
        return self.clients.get(id)

    def caller(self, client_id: str, credential_id: str) -> Client | None:
        """The client that got a token with this credential; None unless both are still in force.

        Raises OrganisationSuspended.
        """
        client = self.clients.get(client_id)
        if client is None or not client.active:
            return None
        for secret in self.secrets.get(client_id, ()):  # the hot path: no generator
            if secret.id == credential_id:
                break
        else:
            if not self._has_certificate(client_id, credential_id):
                return None
        if client.organisation in self.suspended:
            reason = self.organisations[client.organisation].suspension_reason
            raise OrganisationSuspended(
                f"{client.organisation} is suspended by the operator of the bus (reason: "
                f"{reason}). Ask the operator to resume it."
            )
        return client

    def in_force(self, credential: Credential) -> bool:
        """Whether a client is active and has this credential. Its organisation may be suspended."""
        client = self.clients.get(credential.client)
        return (
            client is not None
            and client.active
            and (
                any(each.id == credential.id for each in self.secrets.get(client.id, ()))
                or self._has_certificate(client.id, credential.id)
            )
        )

    @cached_property
    def self_signed(self) -> tuple[bytes, ...]:
        """The certificates themselves that active clients have registered."""
        return tuple(
            each.der
            for client, registered in self.certificates.items()
            for each in registered
            if each.der is not None and self.clients[client].active
        )

    def _has_certificate(self, client: str, id: str) -> bool:
        return any(each.id == id for each in self.certificates.get(client, ()))

    @cached_property
    def suspended(self) -> frozenset[str]:
        """The organisations that are suspended: nothing is delivered to them."""
        return frozenset(o.name for o in self.organisations.values() if o.suspended is not None)

    @property
    def grants(self) -> tuple[Grant, ...]:
        """The grants to all organisations."""
        return tuple(chain.from_iterable(each.grants for each in self.rights.values()))

    def grants_to(self, organisation: str) -> tuple[Grant, ...]:
        """The grants to one organisation."""
        return self.rights.get(organisation, _NO_RIGHTS).grants

    def quota(self, organisation: str, quota: Quota) -> int:
        """How much an organisation may have or use of something."""
        found = self.organisations.get(organisation)
        own = None if found is None else found.quotas.get(quota)
        return self.default_quotas[quota] if own is None else own

    def may_publish(self, client: Client, type: str, owner: str) -> bool:
        """Whether this client may publish a type that `owner` (an organisation) owns."""
        return Role.PUBLISHER in client.roles and self.may_send(client.organisation, type, owner)

    def may_send(self, organisation: str, type: str, owner: str) -> bool:
        """Whether clients of an organisation may publish or request a type that `owner` owns."""
        return owner == organisation or self._may_publish_foreign(organisation, type)

    def may_receive(self, organisation: str, types: str) -> bool:
        """Whether an organisation may receive every type that a pattern will ever match.

        That is its own namespace, and what a grant covers. See also `may_receive` of subscriptions,
        which knows the contracts.
        """
        granted = self.rights.get(organisation, _NO_RIGHTS).receivable
        return any(
            type_pattern.covers(pattern, types) for pattern in (namespace(organisation), *granted)
        )

    def require_source(self, source: str, organisation: str) -> None:
        """Raises Forbidden unless the organisation owns a source, Malformed for its spelling."""
        self.source_owners.require(source, organisation)

    @property
    def jwks(self) -> dict[str, list[Mapping[str, Any]]]:
        """The public keys that check tokens, as a JWK set (RFC 7517, section 5)."""
        return {"keys": [key.public for key in self.signing_keys]}

    def _may_publish_foreign(self, organisation: str, type: str) -> bool:
        expression = self.rights.get(organisation, _NO_RIGHTS).publishable
        return expression is not None and expression.fullmatch(type) is not None
