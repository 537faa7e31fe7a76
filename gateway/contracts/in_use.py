"""The version in use of each contract, for AsyncAPI documents and generated code."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.contracts import queries
from gateway.contracts.queries import Search, Visibility
from gateway.contracts.tables import VersionRow
from gateway.contracts.values import Contract, RegisteredContract, VersionState


@dataclass(frozen=True, slots=True)
class VersionInUse:
    """A contract with the bundled schemas of its version in use; `examples` is JSON, if any."""

    contract: Contract
    number: int
    state: VersionState
    schema: bytes
    reply: bytes | None
    examples: bytes | None


async def visible_versions_in_use(
    session: AsyncSession, visibility: Visibility, *, owner: str | None = None, limit: int
) -> list[VersionInUse]:
    """The versions in use that a caller may see, by type, of at most `limit` contracts."""
    found = await queries.page(session, visibility, Search(owner=owner), after=None, limit=limit)
    return await versions_in_use(session, found)


async def versions_in_use(
    session: AsyncSession, found: Sequence[RegisteredContract]
) -> list[VersionInUse]:
    """The versions in use of these contracts; contracts without one are left out."""
    in_use = {
        each.contract.type: (each.contract, number)
        for each in found
        if (number := _in_use(each)) is not None
    }
    query = select(
        col(VersionRow.type),
        col(VersionRow.state),
        *(col(each) for each in (VersionRow.bundle, VersionRow.text)),
        *(col(each) for each in (VersionRow.reply_bundle, VersionRow.reply, VersionRow.examples)),
    ).where(
        tuple_(col(VersionRow.type), col(VersionRow.number)).in_(
            [(type_, number) for type_, (_, number) in in_use.items()]
        )
    )
    rows = await session.execute(query.order_by(col(VersionRow.type)))
    return [
        VersionInUse(
            contract=in_use[row.type][0],
            number=in_use[row.type][1],
            state=VersionState(row.state),
            schema=row.bundle or row.text,
            reply=row.reply_bundle or row.reply,
            examples=row.examples,
        )
        for row in rows
    ]


def _in_use(registered: RegisteredContract) -> int | None:
    """The newest active version, else the newest deprecated one."""
    deprecated = (n for n, state in registered.versions.items() if state is VersionState.DEPRECATED)
    return registered.active_version or max(deprecated, default=None)
