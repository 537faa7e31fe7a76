"""Prefixes of sources: an organisation has one by its name; the operator assigns more.

No two prefixes overlap, so a source has one owner. The table refuses it as well.
"""

from datetime import UTC, datetime
from secrets import token_hex

from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict, Forbidden, NotFound
from gateway.identity import policy
from gateway.identity.source_owners import SourcePrefix, name_prefix, parse_prefix
from gateway.identity.tables import OrganisationRow, SourcePrefixRow, source_prefix_of
from gateway.identity.values import OPERATOR, Client, Role, is_key


async def assign_source_prefix(
    database: Database, *, by: Client, organisation: str, prefix: str
) -> SourcePrefix:
    """Let an organisation own the sources under a prefix; it replaces narrower ones of its own.

    Raises Forbidden unless by the operator, Invalid for a bad prefix, NotFound for the
    organisation, Conflict if the prefix overlaps one of another organisation, or lies under one of
    its own.
    """
    policy.require_operator(by, Role.ADMIN)
    prefix = parse_prefix(prefix)
    async with database.change(Topic.IDENTITY) as session:
        await _require_organisation(session, organisation)
        for other in await overlapping(session, prefix):
            if other.organisation != organisation:
                raise Conflict(f"The prefix overlaps {_owned(other)}.")
            if prefix.startswith(other.prefix):
                raise Conflict(f"{organisation} already owns the sources under {other.prefix}.")
            await session.execute(
                delete(SourcePrefixRow).where(col(SourcePrefixRow.id) == other.id)
            )
        row = SourcePrefixRow(
            id=token_hex(8),
            prefix=prefix,
            organisation=organisation,
            assigned_by=by.id,
            created=datetime.now(UTC),
        )
        session.add(row)
        return source_prefix_of(row)


async def list_source_prefixes(
    database: Database, *, by: Client, organisation: str, limit: int, after: str | None
) -> list[SourcePrefix]:
    """The prefixes of an organisation by id, after `after`, for its clients and the operator's.

    Raises Forbidden for other clients, and NotFound.
    """
    if not policy.manages(by, organisation):
        raise Forbidden("Only clients of this organisation and of the operator may see this.")
    query = select(SourcePrefixRow).where(col(SourcePrefixRow.organisation) == organisation)
    if after is not None:
        query = query.where(col(SourcePrefixRow.id) > after)
    async with database.session() as session:
        await _require_organisation(session, organisation)
        rows = await session.execute(query.order_by(col(SourcePrefixRow.id)).limit(limit))
        return [source_prefix_of(row) for row in rows.scalars()]


async def withdraw_source_prefix(
    database: Database, *, by: Client, organisation: str, id: str
) -> None:
    """Take a prefix back. Raises Forbidden, NotFound, or Conflict for the one of its name."""
    policy.require_operator(by, Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        row = await session.get(SourcePrefixRow, id) if is_key(id) else None
        if row is None or row.organisation != organisation:
            raise NotFound("There is no such prefix.")
        if row.prefix == name_prefix(organisation):
            raise Conflict(f"{organisation} owns the sources under {row.prefix} by its name.")
        await session.delete(row)


async def require_free_name(session: AsyncSession, organisation: str) -> None:
    """Raises Conflict if somebody owns sources under the path that a new organisation would own."""
    if organisation == OPERATOR:
        return  # the sources under its name are the gateway's
    for other in await overlapping(session, name_prefix(organisation)):
        raise Conflict(
            f"An organisation {organisation} would own the sources under /{organisation}, but they "
            f"overlap {_owned(other)}. Withdraw that prefix first, or use another name."
        )


async def overlapping(session: AsyncSession, prefix: str) -> list[SourcePrefixRow]:
    """The rows whose prefix lies under this one, or this one under it."""
    known = col(SourcePrefixRow.prefix)
    found = select(SourcePrefixRow).where(
        or_(func.starts_with(known, prefix), func.starts_with(prefix, known))
    )
    return list((await session.execute(found.order_by(known))).scalars())


async def _require_organisation(session: AsyncSession, name: str) -> None:
    if not is_key(name) or await session.get(OrganisationRow, name) is None:
        raise NotFound("There is no such organisation.")


def _owned(row: SourcePrefixRow) -> str:
    return f"{row.prefix}, which belongs to {row.organisation or 'the gateway'}"
