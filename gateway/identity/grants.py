"""Grants: an organisation gives others rights to its types; the operator may grant any."""

from datetime import UTC, datetime
from secrets import token_hex

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base import type_pattern
from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict, Forbidden, NotFound
from gateway.identity import policy
from gateway.identity.directory import Directory
from gateway.identity.quota_values import Quota, require_below
from gateway.identity.tables import GrantRow, OrganisationRow, grant_of
from gateway.identity.values import Client, Grant, GrantAction, Role, is_key, namespace


async def create_grant(
    database: Database,
    *,
    by: Client,
    organisation: str,
    action: GrantAction,
    type: str,
    directory: Directory,
) -> Grant:
    """Permit an organisation to act on the types under a pattern.

    Raises Invalid for a bad pattern, Forbidden outside of the caller's own types, NotFound for the
    organisation, Conflict when the very same grant exists, QuotaReached when the organisation has
    as many as its quota in the directory.
    """
    by.require(Role.ADMIN)
    type_pattern.parse(type)
    if not policy.may_grant(by, type):
        raise Forbidden(f"You may grant only types under {namespace(by.organisation)}.")
    async with database.change(Topic.IDENTITY) as session:
        if not is_key(organisation) or await session.get(OrganisationRow, organisation) is None:
            raise NotFound("There is no such organisation.")
        same = select(GrantRow).where(
            col(GrantRow.organisation) == organisation,
            col(GrantRow.action) == action,
            col(GrantRow.type) == type,
        )
        if (await session.execute(same)).scalar_one_or_none() is not None:
            raise Conflict(f"{organisation} already has the grant to {action} {type}.")
        await _require_capacity(session, organisation, directory)
        row = GrantRow(
            id=token_hex(8),
            organisation=organisation,
            action=action,
            type=type,
            granted_by=by.id,
            created=datetime.now(UTC),
        )
        session.add(row)
        return grant_of(row)


async def list_grants(
    database: Database, *, by: Client, organisation: str, limit: int, after: str | None
) -> list[Grant]:
    """The grants of an organisation, by id, after `after`.

    Its own clients and the operator's see all, an administrator or auditor of another organisation
    those for its own types. Raises Forbidden for other clients, and NotFound.
    """
    outside = not policy.manages(by, organisation)
    if outside or by.organisation != organisation:
        by.require(Role.ADMIN, Role.AUDITOR)
    query = select(GrantRow).where(col(GrantRow.organisation) == organisation)
    if outside:
        query = query.where(col(GrantRow.type).startswith(f"id.go.{by.organisation}."))
    if after is not None:
        query = query.where(col(GrantRow.id) > after)
    async with database.session() as session:
        if not is_key(organisation) or await session.get(OrganisationRow, organisation) is None:
            raise NotFound("There is no such organisation.")
        rows = await session.execute(query.order_by(col(GrantRow.id)).limit(limit))
        return [grant_of(row) for row in rows.scalars()]


async def remove_grant(database: Database, *, by: Client, organisation: str, id: str) -> None:
    """Revoke a grant. Raises NotFound, also for one that the client could not have given."""
    by.require(Role.ADMIN)
    async with database.change(Topic.IDENTITY) as session:
        row = await session.get(GrantRow, id) if is_key(id) else None
        if row is None or row.organisation != organisation or not policy.may_grant(by, row.type):
            raise NotFound("There is no such grant.")
        await session.delete(row)


async def _require_capacity(session: AsyncSession, organisation: str, directory: Directory) -> None:
    own = select(func.count()).where(col(GrantRow.organisation) == organisation)
    limit = directory.quota(organisation, Quota.GRANTS)
    advice = "Grant a pattern in place of single types, or take grants back."
    require_below(Quota.GRANTS, limit, (await session.execute(own)).scalar_one(), advice)
