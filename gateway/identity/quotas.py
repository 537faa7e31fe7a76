"""Quotas that are set for one organisation or client; all others have the default.

They are kept with the organisation and the client, and so every process has them in its directory
within a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.database import Database, Topic
from gateway.base.errors import Invalid, NotFound, PreconditionFailed
from gateway.identity import policy
from gateway.identity.quota_values import Quota, Quotas
from gateway.identity.tables import ClientRow, OrganisationRow
from gateway.identity.values import Client, Role, is_key


@dataclass(frozen=True, slots=True)
class QuotaSettings:
    """The quotas that were set for an organisation and its clients. What is absent has a default.

    A client has no quota of its own unless one is set. `revision` rises with each change.
    """

    organisation: Quotas
    clients: Mapping[str, Quotas]
    revision: int


async def find_quotas(database: Database, *, by: Client, organisation: str) -> QuotaSettings:
    """What is set for an organisation. Raises Forbidden, NotFound."""
    policy.require_member_or_overseer(by, organisation)
    async with database.session() as session:
        return await _settings(session, await _existing(session, organisation))


async def change_quotas(
    database: Database,
    *,
    by: Client,
    organisation: str,
    own: Quotas,
    clients: Mapping[str, Quotas],
    revision: int | None,
) -> QuotaSettings:
    """Replace all that is set for an organisation and its clients.

    Raises Forbidden, NotFound, Invalid for a client of another organisation, PreconditionFailed if
    it has changed since `revision` (None: whatever it is now).
    """
    policy.require_operator(by, Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        row = await _existing(session, organisation)
        if revision is not None and revision != row.quota_revision:
            raise PreconditionFailed("The quotas have changed. Read them again.")
        rows = await _clients(session, organisation)
        for id in clients:
            if id not in rows:
                raise Invalid(
                    f"{organisation} has no client {id}. Name its own clients only.",
                    pointer=f"/clients/{id}",
                )
        row.quotas, row.quota_revision = _stored(own), row.quota_revision + 1
        for id, client in rows.items():
            wanted = _stored(clients.get(id, {}))
            if client.quotas != wanted:
                client.quotas = wanted
        await session.flush()
        return await _settings(session, row)


async def _settings(session: AsyncSession, row: OrganisationRow) -> QuotaSettings:
    rows = await _clients(session, row.name)
    return QuotaSettings(
        quotas_of(row.quotas),
        {id: quotas_of(client.quotas) for id, client in rows.items() if client.quotas},
        row.quota_revision,
    )


async def _clients(session: AsyncSession, organisation: str) -> dict[str, ClientRow]:
    query = select(ClientRow).where(col(ClientRow.organisation) == organisation)
    rows = (await session.execute(query.order_by(col(ClientRow.id)))).scalars()
    return {row.id: row for row in rows}


async def _existing(session: AsyncSession, name: str) -> OrganisationRow:
    row = await session.get(OrganisationRow, name) if is_key(name) else None
    if row is None:
        raise NotFound("There is no such organisation.")
    return row


def quotas_of(stored: Mapping[str, int]) -> Quotas:
    """The quotas of a stored document."""
    return {Quota(name): value for name, value in stored.items()}


def _stored(quotas: Quotas) -> dict[str, int]:
    return {str(quota): value for quota, value in quotas.items()}
