"""Queries of the registry: contracts, versions, and the schemas that others refer to."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base import strict_json, type_pattern
from gateway.base.errors import Invalid
from gateway.contracts.bundle import EMPTY, SchemaId, SchemaTexts, referenced_ids
from gateway.contracts.compatibility import CompatibilityMode, CompatibilityPolicy, Rule
from gateway.contracts.compilation import Library
from gateway.contracts.schema_limits import SCHEMA_DEPTH
from gateway.contracts.tables import ContractRow, VersionRow
from gateway.contracts.values import (
    Classification,
    Contract,
    Deprecation,
    Ordering,
    Pattern,
    RegisteredContract,
    StoredVersion,
    Version,
    VersionState,
)

MAX_REFERENCED = 1000  # schemas that are read for one
_ESCAPE = "\\"


@dataclass(frozen=True, slots=True)
class Visibility:
    """The contracts that a caller may see: all, or those of an organisation, public ones, and the
    types under some patterns."""

    everything: bool = False
    organisation: str = ""
    patterns: tuple[str, ...] = field(default=())

    def includes(self, contract: Contract) -> bool:
        """Whether the caller may see a contract."""
        return (
            self.everything
            or contract.owner == self.organisation
            or contract.classification is Classification.PUBLIC
            or any(type_pattern.matches(pattern, contract.type) for pattern in self.patterns)
        )


@dataclass(frozen=True, slots=True)
class Search:
    """The filter of a list of contracts; None does not filter."""

    text: str | None = None
    owner: str | None = None
    pattern: Pattern | None = None
    classification: Classification | None = None
    state: VersionState | None = None


async def find(session: AsyncSession, type: str) -> RegisteredContract | None:
    """One contract, or None."""
    row = await session.get(ContractRow, type)
    if row is None:
        return None
    return _registered(row, await _states(session, [type]))


async def count_of(session: AsyncSession, owner: str) -> int:
    """How many contracts an organisation owns."""
    own = select(func.count()).where(col(ContractRow.owner) == owner)
    return (await session.execute(own)).scalar_one()


async def page(
    session: AsyncSession, visibility: Visibility, search: Search, *, after: str | None, limit: int
) -> list[RegisteredContract]:
    """The contracts that a caller may see, by type, after the type `after`."""
    query = select(ContractRow).where(_visible(visibility), *_conditions(search))
    if after is not None:
        query = query.where(col(ContractRow.type) > after)
    rows = await session.execute(query.order_by(col(ContractRow.type)).limit(limit))
    found = rows.scalars().all()
    states = await _states(session, [row.type for row in found])
    return [_registered(row, states) for row in found]


async def is_report_type(session: AsyncSession, type: str) -> bool:
    """Whether a contract names this type for its non-delivery reports."""
    query = select(exists().where(col(ContractRow.non_delivery_report) == type))
    return bool((await session.execute(query)).scalar_one())


async def versions(
    session: AsyncSession, type: str, *, after: int = 0, limit: int = 10_000
) -> list[StoredVersion]:
    """The versions of a contract, the oldest first, after the number `after`."""
    query = _of(type).where(col(VersionRow.number) > after).limit(limit)
    return [_stored(row) for row in (await session.execute(query)).scalars()]


async def version(session: AsyncSession, type: str, number: int) -> StoredVersion | None:
    """One version, or None."""
    row = await session.get(VersionRow, (type, number))
    return None if row is None else _stored(row)


async def library(
    session: AsyncSession,
    documents: Iterable[Any],
    visibility: Visibility,
    base_url: str = "",
    unregistered: SchemaTexts = EMPTY,
) -> Library:
    """The schemas that these parsed schemas refer to, and those that they refer to in turn.

    `unregistered` are about to be registered. Schemas that are not registered, not usable or not
    visible are left out.
    """
    found: dict[SchemaId, bytes] = dict(unregistered)
    wanted = await asyncio.to_thread(_wanted, documents, base_url)
    while wanted := wanted - found.keys():
        fetched = await _texts(session, wanted, visibility)
        found |= fetched
        parsed = [strict_json.parse(text, depth=SCHEMA_DEPTH) for text in fetched.values()]
        wanted = await asyncio.to_thread(_wanted, parsed, base_url)
        # The parts of a visible schema are visible with it.
        visibility = Visibility(everything=True)
        if len(found) > len(unregistered) + MAX_REFERENCED:
            raise Invalid(f"The schema needs more than {MAX_REFERENCED} others. Use fewer.")
    return Library(found, base_url)


async def _texts(
    session: AsyncSession, wanted: set[SchemaId], visibility: Visibility
) -> dict[SchemaId, bytes]:
    query = (
        select(col(VersionRow.type), col(VersionRow.number), col(VersionRow.text))
        .join(ContractRow, col(ContractRow.type) == col(VersionRow.type))
        .where(
            tuple_(col(VersionRow.type), col(VersionRow.number)).in_(wanted),
            col(VersionRow.state).in_((VersionState.ACTIVE, VersionState.DEPRECATED)),
            _visible(visibility),
        )
    )
    return {(type_, number): text for type_, number, text in await session.execute(query)}


async def _states(session: AsyncSession, types: list[str]) -> dict[str, dict[int, VersionState]]:
    query = select(col(VersionRow.type), col(VersionRow.number), col(VersionRow.state)).where(
        col(VersionRow.type).in_(types)
    )
    found: dict[str, dict[int, VersionState]] = {}
    for type_, number, state in await session.execute(query):
        found.setdefault(type_, {})[number] = VersionState(state)
    return found


def _visible(visibility: Visibility) -> ColumnElement[bool]:
    if visibility.everything:
        return ~false()
    granted = type_pattern.expression(visibility.patterns)
    return or_(
        col(ContractRow.owner) == visibility.organisation,
        col(ContractRow.classification) == Classification.PUBLIC.value,
        col(ContractRow.type).regexp_match(granted) if visibility.patterns else false(),
    )


def _conditions(search: Search) -> list[ColumnElement[bool]]:
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


def _wanted(documents: Iterable[Any], base_url: str) -> set[SchemaId]:
    return set[SchemaId]().union(*(referenced_ids(each, base_url) for each in documents))


def _in_state(state: VersionState) -> ColumnElement[bool]:
    """Whether this is the best state of a contract's versions, see `RegisteredContract.state`."""
    order = list(VersionState)
    better = order[: order.index(state)]
    of_contract = col(VersionRow.type) == col(ContractRow.type)
    has: ColumnElement[bool] = exists().where(of_contract, col(VersionRow.state) == state.value)
    if state is VersionState.DRAFT:
        has = or_(has, ~exists().where(of_contract))
    has_better = exists().where(of_contract, col(VersionRow.state).in_(better))
    return and_(has, ~has_better) if better else has


def _of(type: str) -> Select[VersionRow]:
    return select(VersionRow).where(col(VersionRow.type) == type).order_by(col(VersionRow.number))


def _registered(row: ContractRow, states: dict[str, dict[int, VersionState]]) -> RegisteredContract:
    rule = (
        Rule(CompatibilityMode(row.mode), CompatibilityPolicy(row.policy or ""))
        if row.mode
        else None
    )
    return RegisteredContract(
        contract_of(row), row.revision, rule, row.created, states.get(row.type, {})
    )


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
        row.retention_days,
    )


def deprecation_of(row: Any) -> Deprecation | None:
    """The deprecation of a version, if any; `row` has at least these columns."""
    if row.state != VersionState.DEPRECATED or row.deprecated is None:
        return None
    return Deprecation(row.deprecated, row.sunset, row.successor)


def _stored(row: VersionRow) -> StoredVersion:
    return StoredVersion(
        row.type,
        Version(row.number, row.text, row.reply),
        row.digest,
        VersionState(row.state),
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
