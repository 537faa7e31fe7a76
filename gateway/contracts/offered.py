"""What the contracts offer to those who write programs: the version in use, whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.contracts import queries
from gateway.contracts.queries import Search, Sight
from gateway.contracts.tables import VersionRow
from gateway.contracts.values import Contract, Registered, State


@dataclass(frozen=True, slots=True)
class Offered:
    """A contract and the schemas of one version, bundled; `examples` is JSON, where there are."""

    contract: Contract
    number: int
    state: State
    schema: bytes
    reply: bytes | None
    examples: bytes | None


async def offered(
    session: AsyncSession, sight: Sight, *, owner: str | None = None, limit: int
) -> list[Offered]:
    """The contracts in use that somebody may see, by type; `limit` of the registered at most."""
    found = await queries.page(session, sight, Search(owner=owner), after=None, limit=limit)
    return await of(session, found)


async def of(session: AsyncSession, found: Sequence[Registered]) -> list[Offered]:
    """The versions in use of these contracts; those without one are left out."""
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
        Offered(
            contract=in_use[row.type][0],
            number=in_use[row.type][1],
            state=State(row.state),
            schema=row.bundle or row.text,
            reply=row.reply_bundle or row.reply,
            examples=row.examples,
        )
        for row in rows
    ]


def _in_use(registered: Registered) -> int | None:
    """The newest active version, else the newest deprecated one."""
    deprecated = (n for n, state in registered.versions.items() if state is State.DEPRECATED)
    return registered.newest or max(deprecated, default=None)
