"""Organisations: the operator makes them, every client may see them."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict, NotFound
from gateway.base.masking import require_impersonal
from gateway.identity import policy
from gateway.identity.source_prefixes import require_free_name
from gateway.identity.tables import OrganisationRow, organisation_of
from gateway.identity.values import Client, Organisation, Role, is_key


async def create_organisation(
    database: Database, *, by: Client, name: str, title: str, description: str
) -> Organisation:
    """Make an organisation, which owns the sources under its name.

    Raises Forbidden, Invalid for a name with personal data, or Conflict if the name or sources
    under it are taken.
    """
    policy.require_operator(by, Role.ADMIN)
    require_impersonal(name, pointer="/name")
    async with database.change(Topic.IDENTITY) as session:
        if await session.get(OrganisationRow, name) is not None:
            raise Conflict(f"Organisation {name} already exists.")
        await require_free_name(session, name)
        row = OrganisationRow(
            name=name,
            title=title,
            description=description,
            operator=False,
            created=datetime.now(UTC),
        )
        session.add(row)
        return organisation_of(row)


async def suspend_organisation(
    database: Database, *, by: Client, name: str, reason: str
) -> tuple[Organisation, bool]:
    """Refuse the clients of an organisation and stop its deliveries; it keeps all that it has.

    The organisation as it is now, and whether this call has suspended it: a repeated call changes
    the reason alone. Raises Forbidden, NotFound, or Conflict for the operator.
    """
    policy.require_operator(by, Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        row = await _existing(session, name)
        if row.operator:
            raise Conflict(f"{name} runs the bus and cannot be suspended. Disable its clients.")
        changed = row.suspended is None
        row.suspended, row.suspension_reason = row.suspended or datetime.now(UTC), reason
        return organisation_of(row), changed


async def resume_organisation(
    database: Database, *, by: Client, name: str
) -> tuple[Organisation, bool]:
    """End a suspension; the flag says whether there was one. Raises Forbidden, NotFound."""
    policy.require_operator(by, Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        row = await _existing(session, name)
        changed = row.suspended is not None
        row.suspended = row.suspension_reason = None
        return organisation_of(row), changed


async def list_organisations(
    database: Database, *, limit: int, after: str | None
) -> list[Organisation]:
    """Organisations by name, after `after`."""
    query = select(OrganisationRow).order_by(col(OrganisationRow.name)).limit(limit)
    if after is not None:
        query = query.where(col(OrganisationRow.name) > after)
    async with database.session() as session:
        return [organisation_of(row) for row in (await session.execute(query)).scalars()]


async def find_organisation(database: Database, name: str) -> Organisation:
    """The organisation of that name. Raises NotFound."""
    async with database.session() as session:
        return organisation_of(await _existing(session, name))


async def provide_organisation(
    session: AsyncSession, *, name: str, title: str, description: str
) -> None:
    """Make an organisation, or update its title and description if it exists.

    Used when the operator loads files. Run inside `Database.change(Topic.IDENTITY)`. Raises
    Conflict if sources under its name are taken.
    """
    row = await session.get(OrganisationRow, name)
    if row is None:
        await require_free_name(session, name)
        session.add(
            OrganisationRow(
                name=name,
                title=title,
                description=description,
                operator=False,
                created=datetime.now(UTC),
            )
        )
    else:
        row.title, row.description = title, description


async def _existing(session: AsyncSession, name: str) -> OrganisationRow:
    row = await session.get(OrganisationRow, name) if is_key(name) else None
    if row is None:
        raise NotFound("There is no such organisation.")
    return row
