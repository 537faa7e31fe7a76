"""Reading the registry: contracts, versions, and the schemas that others refer to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base import type_pattern
from gateway.base.errors import Invalid
from gateway.contracts.bundle import EMPTY, SchemaId, Shelf, referred
from gateway.contracts.compatibility import Mode, Policy, Rule
from gateway.contracts.compiling import Library
from gateway.contracts.tables import ContractRow, VersionRow
from gateway.contracts.values import (
    Classification,
    Contract,
    Deprecation,
    Ordering,
    Pattern,
    Registered,
    State,
    StoredVersion,
    Version,
)

MOST = 1000  # schemas that are read for one
_ESCAPE = "\\"


@dataclass(frozen=True, slots=True)
class Sight:
    """Which contracts somebody may see: all, or those of an organisation, what is public, and
    the types under some patterns."""

    everything: bool = False
    organisation: str = ""
    patterns: tuple[str, ...] = field(default=())

    def sees(self, contract: Contract) -> bool:
        """Whether a contract is among them."""
        return (
            self.everything
            or contract.owner == self.organisation
            or contract.classification is Classification.PUBLIC
            or any(type_pattern.matches(pattern, contract.type) for pattern in self.patterns)
        )


@dataclass(frozen=True, slots=True)
class Search:
    """What contracts to list; None asks for nothing."""

    text: str | None = None
    owner: str | None = None
    pattern: Pattern | None = None
    classification: Classification | None = None
    state: State | None = None


async def find(session: AsyncSession, type: str) -> Registered | None:
    """One contract, or None."""
    row = await session.get(ContractRow, type)
    if row is None:
        return None
    return _registered(row, await _states(session, [type]))


async def page(
    session: AsyncSession, sight: Sight, search: Search, *, after: str | None, limit: int
) -> list[Registered]:
    """The contracts that somebody may see, by type, from behind `after`."""
    query = select(ContractRow).where(_visible(sight), *_wanted(search))
    if after is not None:
        query = query.where(col(ContractRow.type) > after)
    rows = await session.execute(query.order_by(col(ContractRow.type)).limit(limit))
    found = rows.scalars().all()
    states = await _states(session, [row.type for row in found])
    return [_registered(row, states) for row in found]


async def reporting(session: AsyncSession, type: str) -> bool:
    """Whether a contract has its reports of non-delivery written by this type."""
    query = select(exists().where(col(ContractRow.non_delivery_report) == type))
    return bool((await session.execute(query)).scalar_one())


async def versions(
    session: AsyncSession, type: str, *, after: int = 0, limit: int = 10_000
) -> list[StoredVersion]:
    """The versions of a contract, the oldest first, from behind a number."""
    query = _of(type).where(col(VersionRow.number) > after).limit(limit)
    return [_stored(row) for row in (await session.execute(query)).scalars()]


async def version(session: AsyncSession, type: str, number: int) -> StoredVersion | None:
    """One version, or None."""
    row = await session.get(VersionRow, (type, number))
    return None if row is None else _stored(row)


async def library(
    session: AsyncSession,
    texts: Iterable[bytes],
    sight: Sight,
    base_url: str = "",
    beside: Shelf = EMPTY,
) -> Library:
    """The schemas that these refer to, and those that they refer to in turn.

    Those `beside` are about to be registered. What is not registered, not active or not for these
    eyes is not among them.
    """
    found: dict[SchemaId, bytes] = dict(beside)
    wanted = set[SchemaId]().union(*(referred(text, base_url) for text in texts))
    while wanted := wanted - found.keys():
        fetched = await _texts(session, wanted, sight)
        found |= fetched
        wanted = set[SchemaId]().union(*(referred(each, base_url) for each in fetched.values()))
        # What a visible schema is made of is seen with it.
        sight = Sight(everything=True)
        if len(found) > len(beside) + MOST:
            raise Invalid(f"the schema needs more than {MOST} others: use fewer")
    return Library(found, base_url)


async def _texts(
    session: AsyncSession, wanted: set[SchemaId], sight: Sight
) -> dict[SchemaId, bytes]:
    query = (
        select(col(VersionRow.type), col(VersionRow.number), col(VersionRow.text))
        .join(ContractRow, col(ContractRow.type) == col(VersionRow.type))
        .where(
            tuple_(col(VersionRow.type), col(VersionRow.number)).in_(wanted),
            col(VersionRow.state).in_((State.ACTIVE, State.DEPRECATED)),
            _visible(sight),
        )
    )
    return {(type_, number): text for type_, number, text in await session.execute(query)}


async def _states(session: AsyncSession, types: list[str]) -> dict[str, dict[int, State]]:
    query = select(col(VersionRow.type), col(VersionRow.number), col(VersionRow.state)).where(
        col(VersionRow.type).in_(types)
    )
    found: dict[str, dict[int, State]] = {}
    for type_, number, state in await session.execute(query):
        found.setdefault(type_, {})[number] = State(state)
    return found


def _visible(sight: Sight) -> ColumnElement[bool]:
    if sight.everything:
        return ~false()
    granted = type_pattern.expression(sight.patterns)
    return or_(
        col(ContractRow.owner) == sight.organisation,
        col(ContractRow.classification) == Classification.PUBLIC.value,
        col(ContractRow.type).regexp_match(granted) if sight.patterns else false(),
    )


def _wanted(search: Search) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for column, value in (
        (col(ContractRow.owner), search.owner),
        (col(ContractRow.pattern), search.pattern),
        (col(ContractRow.classification), search.classification),
    ):
        if value is not None:
            conditions.append(column == value)
    for word in (search.text or "").split():
        like = "%" + "".join(_ESCAPE + c if c in "%_\\" else c for c in word) + "%"
        text = func.concat_ws(" ", ContractRow.type, ContractRow.title, ContractRow.description)
        conditions.append(text.ilike(like, escape=_ESCAPE))
    if search.state is not None:
        conditions.append(_in_state(search.state))
    return conditions


def _in_state(state: State) -> ColumnElement[bool]:
    """That this is the best state of a contract's versions, see Registered.state."""
    order = list(State)
    better = order[: order.index(state)]
    of_contract = col(VersionRow.type) == col(ContractRow.type)
    has: ColumnElement[bool] = exists().where(of_contract, col(VersionRow.state) == state.value)
    if state is State.DRAFT:
        has = or_(has, ~exists().where(of_contract))
    has_better = exists().where(of_contract, col(VersionRow.state).in_(better))
    return and_(has, ~has_better) if better else has


def _of(type: str) -> Select[VersionRow]:
    return select(VersionRow).where(col(VersionRow.type) == type).order_by(col(VersionRow.number))


def _registered(row: ContractRow, states: dict[str, dict[int, State]]) -> Registered:
    rule = Rule(Mode(row.mode), Policy(row.policy or "")) if row.mode else None
    return Registered(contract_of(row), row.revision, rule, row.created, states.get(row.type, {}))


def contract_of(row: ContractRow) -> Contract:
    """The value of a row."""
    return Contract(
        row.type,
        row.owner,
        row.title,
        row.description,
        Pattern(row.pattern),
        Classification(row.classification),
        Ordering(row.ordering_key, row.ordering_description),
        row.non_delivery_report,
    )


def deprecation_of(row: Any) -> Deprecation | None:
    """Since when and until when, of a deprecated version; `row` has these columns at least."""
    if row.state != State.DEPRECATED or row.deprecated is None:
        return None
    return Deprecation(row.deprecated, row.sunset, row.successor)


def _stored(row: VersionRow) -> StoredVersion:
    return StoredVersion(
        row.type,
        Version(row.number, row.text, row.reply),
        row.digest,
        State(row.state),
        row.created,
        row.bundle or row.text,
        row.reply_bundle or row.reply,
        row.closed,
        row.examples,
        row.comparison,
        row.registered_by,
        row.approved_by,
        deprecation_of(row),
    )
