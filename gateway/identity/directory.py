"""Organisations, clients and grants in memory, for the hot path."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base import type_pattern
from gateway.identity.signing import SigningKey, load_signing_keys
from gateway.identity.source_owners import SourceOwners, SourcePrefix
from gateway.identity.tables import (
    CLIENTS,
    GrantRow,
    OrganisationRow,
    SourcePrefixRow,
    client_of,
    grant_of,
    organisation_of,
    source_prefix_of,
)
from gateway.identity.values import Client, Grant, GrantAction, Organisation, Role, namespace


@dataclass(frozen=True)
class Directory:
    """Organisations and clients by name, grants, source prefixes, and the keys that sign tokens.

    A right that nothing here gives is denied.
    """

    organisations: Mapping[str, Organisation]
    clients: Mapping[str, Client]
    grants: tuple[Grant, ...]
    signing_keys: tuple[SigningKey, ...]
    source_prefixes: tuple[SourcePrefix, ...] = ()

    def client(self, id: str) -> Client | None:
        """The client of this id, active or not."""
        return self.clients.get(id)

    def organisation_of(self, client_id: str) -> str:
        """The organisation of a client; empty for an unknown one."""
        client = self.clients.get(client_id)
        return client.organisation if client else ""

    def sender(self, client_id: str) -> Client | None:
        """The client of this id if it is active, else None."""
        client = self.clients.get(client_id)
        return client if client is not None and client.active else None

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
        granted = self._granted.get((organisation, GrantAction.SUBSCRIBE), ())
        return any(
            type_pattern.covers(pattern, types) for pattern in (namespace(organisation), *granted)
        )

    def require_source(self, source: str, organisation: str) -> None:
        """Raises Forbidden unless the organisation owns a source, Malformed for its spelling."""
        self._source_owners.require(source, organisation)

    @property
    def jwks(self) -> dict[str, list[Mapping[str, Any]]]:
        """The public keys that check tokens, as a JWK set (RFC 7517, section 5)."""
        return {"keys": [key.public for key in self.signing_keys]}

    def _may_publish_foreign(self, organisation: str, type: str) -> bool:
        expression = self._publishable.get(organisation)
        return expression is not None and expression.fullmatch(type) is not None

    @cached_property
    def _source_owners(self) -> SourceOwners:
        return SourceOwners(self.source_prefixes)

    @cached_property
    def _granted(self) -> Mapping[tuple[str, GrantAction], tuple[str, ...]]:
        found: dict[tuple[str, GrantAction], tuple[str, ...]] = {}
        for grant in self.grants:
            key = (grant.organisation, grant.action)
            found[key] = (*found.get(key, ()), grant.type)
        return found

    @cached_property
    def _publishable(self) -> Mapping[str, re.Pattern[str]]:
        return {
            organisation: re.compile(type_pattern.expression(patterns))
            for (organisation, action), patterns in self._granted.items()
            if action is GrantAction.PUBLISH
        }


async def load(session: AsyncSession) -> Directory:
    """The directory in its present state."""
    organisations = (await session.execute(select(OrganisationRow))).scalars()
    clients = await session.execute(CLIENTS)
    grants = (await session.execute(select(GrantRow))).scalars()
    prefixes = (await session.execute(select(SourcePrefixRow))).scalars()
    return Directory(
        {row.name: organisation_of(row) for row in organisations},
        {row.id: client_of(row, operator=operator) for row, operator in clients},
        tuple(grant_of(row) for row in grants),
        await load_signing_keys(session),
        tuple(map(source_prefix_of, prefixes)),
    )
