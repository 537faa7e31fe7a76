"""Clients: an organisation's administrators manage its own, the operator's manage all.

A client out of reach gets the same answer as one that does not exist.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from secrets import choice

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.identity import policy
from gateway.identity.directory import Directory
from gateway.identity.quota_values import Quota, require_below
from gateway.identity.tables import CLIENTS, ClientRow, OrganisationRow, client_of
from gateway.identity.values import Client, ClientState, Role, is_key

# So many times its quota of active clients may an organisation have in all: clients are never
# deleted, because the journal names them.
WITH_DISABLED = 5
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # without characters that look alike
_RANDOM = 16  # characters: 79 bits


async def create_client(
    database: Database,
    *,
    by: Client,
    organisation: str,
    title: str,
    roles: Collection[Role],
    directory: Directory,
) -> Client:
    """Give an organisation one more client, without a secret yet.

    Raises Forbidden for an organisation out of reach, Invalid for one that does not exist,
    QuotaReached for one that has as many as its quota in the directory.
    """
    by.require(Role.ADMIN)
    if not policy.manages(by, organisation):
        raise Forbidden("An administrator can create clients only for their own organisation.")
    async with database.change(Topic.IDENTITY) as session:
        owner = await session.get(OrganisationRow, organisation) if is_key(organisation) else None
        if owner is None:
            raise Invalid(f"There is no organisation {organisation!r}.", pointer="/organisation")
        await _require_capacity(session, organisation, directory)
        row = ClientRow(
            id=f"{organisation}-{''.join(choice(_ALPHABET) for _ in range(_RANDOM))}",
            organisation=organisation,
            title=title,
            roles=sorted(set(roles)),
            state=ClientState.ACTIVE,
            created=datetime.now(UTC),
        )
        session.add(row)
        return client_of(row, operator=owner.operator)


async def list_clients(
    database: Database, *, by: Client, organisation: str | None, limit: int, after: str | None
) -> list[Client]:
    """Clients within reach by id, after `after`; of one organisation if it is named."""
    by.require(Role.ADMIN, Role.AUDITOR)
    query = CLIENTS.order_by(col(ClientRow.id)).limit(limit)
    if not by.operator:
        query = query.where(col(ClientRow.organisation) == by.organisation)
    if organisation is not None:
        query = query.where(
            col(ClientRow.organisation) == (organisation if is_key(organisation) else "")
        )
    if after is not None:
        query = query.where(col(ClientRow.id) > after)
    async with database.session() as session:
        rows = await session.execute(query)
        return [client_of(row, operator=operator) for row, operator in rows]


async def find_client(database: Database, *, by: Client, id: str) -> Client:
    """A client within reach. Raises NotFound."""
    by.require(Role.ADMIN, Role.AUDITOR)
    async with database.session() as session:
        return await _value(session, await reachable(session, by, id))


async def change_client(
    database: Database,
    *,
    by: Client,
    id: str,
    title: str | None = None,
    roles: Collection[Role] | None = None,
    state: ClientState | None = None,
    directory: Directory,
) -> Client:
    """Change what is given.

    Raises NotFound, QuotaReached if one too many would be active, or Conflict if a client would
    lose its own rights.
    """
    by.require(Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        row = await reachable(session, by, id)
        if state is ClientState.ACTIVE and row.state != ClientState.ACTIVE:
            await _require_active_capacity(session, row.organisation, directory)
        row.title = row.title if title is None else title
        row.roles = row.roles if roles is None else sorted(set(roles))
        row.state = row.state if state is None else state
        if row.id == by.id and (row.state != ClientState.ACTIVE or Role.ADMIN not in row.roles):
            raise Conflict("You would lose your own rights. Let another administrator do it.")
        return await _value(session, row)


async def reachable(session: AsyncSession, by: Client, id: str) -> ClientRow:
    """The row of a client within reach. Raises NotFound, with one text for every reason."""
    row = await session.get(ClientRow, id) if is_key(id) else None
    if row is None or not policy.manages(by, row.organisation):
        raise NotFound("There is no such client.")
    return row


async def _require_capacity(session: AsyncSession, organisation: str, directory: Directory) -> None:
    """Raises QuotaReached if an organisation has as many clients as it may."""
    await _require_active_capacity(session, organisation, directory)
    own = select(func.count()).where(col(ClientRow.organisation) == organisation)
    limit = WITH_DISABLED * directory.quota(organisation, Quota.CLIENTS)
    advice = "Enable one of the disabled ones again, with a new secret."
    require_below(Quota.CLIENTS, limit, (await session.execute(own)).scalar_one(), advice)


async def _require_active_capacity(
    session: AsyncSession, organisation: str, directory: Directory
) -> None:
    active = select(func.count()).where(
        col(ClientRow.organisation) == organisation, col(ClientRow.state) == ClientState.ACTIVE
    )
    limit = directory.quota(organisation, Quota.CLIENTS)
    advice = "Disable one that is not in use, or let programs share one."
    present = (await session.execute(active)).scalar_one()
    require_below(Quota.CLIENTS, limit, present, advice, noun="active clients")


async def _value(session: AsyncSession, row: ClientRow) -> Client:
    organisation = await session.get_one(OrganisationRow, row.organisation)
    return client_of(row, operator=organisation.operator)
