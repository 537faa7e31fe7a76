"""Everyone who takes part, in memory: what the hot path asks about rights is answered here."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway import typepattern
from gateway.identity.signing import SigningKey, load_signing_keys
from gateway.identity.tables import (
    CLIENTS,
    GrantRow,
    OrganisationRow,
    client_of,
    grant_of,
    organisation_of,
)
from gateway.identity.values import Action, Client, Grant, Organisation, Role, namespace


@dataclass(frozen=True)
class Directory:
    """Organisations and clients by name, grants, and the keys that sign tokens.

    Rights are denied unless something here gives them.
    """

    organisations: Mapping[str, Organisation]
    clients: Mapping[str, Client]
    grants: tuple[Grant, ...]
    signing_keys: tuple[SigningKey, ...]

    def client(self, id: str) -> Client | None:
        """The client of that id, active or not."""
        return self.clients.get(id)

    def sender(self, client_id: str) -> Client | None:
        """The client of that id if it may be used, else None."""
        client = self.clients.get(client_id)
        return client if client is not None and client.active else None

    def may_publish(self, client: Client, type: str, owner: str) -> bool:
        """Whether this client may publish a type that `owner` (an organisation) owns."""
        return Role.PUBLISHER in client.roles and (
            owner == client.organisation or self._granted(client, Action.PUBLISH, type)
        )

    def may_subscribe(self, client: Client, type: str, *, owner: str, public: bool) -> bool:
        """Whether this client may receive a type, `public` by its classification or not."""
        return Role.SUBSCRIBER in client.roles and (
            public or owner == client.organisation or self._granted(client, Action.SUBSCRIBE, type)
        )

    def may_subscribe_to_all(self, client: Client, pattern: str) -> bool:
        """Whether this client may receive whatever will ever fall under a pattern.

        A pattern that reaches further needs `may_subscribe` for each type under it.
        """
        return Role.SUBSCRIBER in client.roles and any(
            typepattern.covers(given, pattern)
            for given in (
                namespace(client.organisation),
                *self._patterns.get((client.organisation, Action.SUBSCRIBE), ()),
            )
        )

    @property
    def jwks(self) -> dict[str, list[Mapping[str, Any]]]:
        """The public keys that check tokens, as a JWK set (RFC 7517, section 5)."""
        return {"keys": [key.public for key in self.signing_keys]}

    def _granted(self, client: Client, action: Action, type: str) -> bool:
        patterns = self._patterns.get((client.organisation, action))
        return patterns is not None and any(
            typepattern.matches(pattern, type) for pattern in patterns
        )

    @cached_property
    def _patterns(self) -> Mapping[tuple[str, Action], tuple[str, ...]]:
        found: dict[tuple[str, Action], tuple[str, ...]] = {}
        for grant in self.grants:
            key = (grant.organisation, grant.action)
            found[key] = (*found.get(key, ()), grant.type)
        return found


async def load(session: AsyncSession) -> Directory:
    """The directory as the database has it now."""
    organisations = (await session.execute(select(OrganisationRow))).scalars()
    clients = await session.execute(CLIENTS)
    grants = (await session.execute(select(GrantRow))).scalars()
    return Directory(
        {row.name: organisation_of(row) for row in organisations},
        {row.id: client_of(row, operator=operator) for row, operator in clients},
        tuple(grant_of(row) for row in grants),
        await load_signing_keys(session),
    )
