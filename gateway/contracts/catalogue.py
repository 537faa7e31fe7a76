"""The registry in memory, compiled: what the hot path judges by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base import strict_json
from gateway.base.database import Database
from gateway.base.snapshot import Snapshot, refresh
from gateway.base.type_pattern import request_type
from gateway.contracts.compatibility import closed
from gateway.contracts.queries import contract_of, deprecation_of
from gateway.contracts.tables import ContractRow, VersionRow
from gateway.contracts.validation import Validator
from gateway.contracts.values import Contract, Deprecation, State

_VERSIONS: Any = select(
    *(
        getattr(VersionRow, name)
        for name in (
            *("type", "number", "state", "text", "bundle", "closed"),
            *("deprecated", "sunset", "successor"),
            *("reply", "reply_bundle"),
        )
    )
)


@dataclass(slots=True)
class Versioned:
    """A version as intake knows it. Compiled when it is first needed."""

    type: str
    number: int
    state: State
    deprecation: Deprecation | None
    text: bytes = field(repr=False)
    closed: bool
    compiled: Validator | None = field(default=None, repr=False)
    reply: bytes | None = field(default=None, repr=False)
    compiled_reply: Validator | None = field(default=None, repr=False)

    @property
    def judge(self) -> Validator:
        """Who judges by it."""
        if self.compiled is None:
            self.compiled = self._compile(self.text)
        return self.compiled

    @property
    def reply_judge(self) -> Validator:
        """Who judges replies to what it judged; only for request-reply."""
        if self.compiled_reply is None:
            if self.reply is None:
                raise ValueError(f"{self.type} version {self.number} has no reply")
            self.compiled_reply = self._compile(self.reply)
        return self.compiled_reply

    def _compile(self, text: bytes) -> Validator:
        schema = strict_json.parse(text)
        if self.closed:
            return Validator(self.type, self.number, closed(schema))
        return Validator(self.type, self.number, schema, text)

    @property
    def usable(self) -> bool:
        """Whether events may still be published by it."""
        return self.state in (State.ACTIVE, State.DEPRECATED)


@dataclass(frozen=True)
class Catalogue:
    """Every contract with its versions. Never changes; see CatalogueLoader.

    `standing` are the versions that judge where a publisher names none. A version is compiled when
    its first event comes: each costs half a millisecond and 80 kB.
    """

    contracts: Mapping[str, Contract]
    standing: Mapping[str, Versioned]
    versions: Mapping[str, Mapping[int, Versioned]] = field(default_factory=dict)
    deprecated: frozenset[str] = frozenset()
    """The types of which a version is deprecated."""

    def contract(self, type: str) -> Contract | None:
        """The contract of a type."""
        return self.contracts.get(type)

    def covers(self, types: Iterable[str]) -> bool:
        """Whether each type has a contract; a reply has that of its request."""
        return all(self.contract(request_type(type)) is not None for type in types)

    def classification(self, type: str) -> str | None:
        """That of a type, or of the requests that a type of replies answers."""
        contract = self.contract(request_type(type))
        return contract.classification.value if contract else None

    def judge(self, type: str) -> Validator:
        """Who judges new events of a known type. Raises KeyError when no version is active."""
        return self.standing[type].judge

    def version(self, type: str, number: int) -> Versioned | None:
        """A version of a type, whatever its state."""
        return self.versions.get(type, {}).get(number)


async def load_contracts(
    types: Iterable[str], catalogue: Snapshot[Catalogue], database: Database
) -> None:
    """Refresh the catalogue if it lacks one of these types.

    An event may have been accepted under a contract that is younger than the snapshot.
    """
    if not catalogue.value.covers(types):
        await refresh(database, catalogue)


class CatalogueLoader:
    """Loads catalogues. Only what changed is read, and a schema is compiled once in a process."""

    def __init__(self) -> None:
        self._changed = -1
        self._contracts: dict[str, Contract] = {}
        self._versions: dict[str, dict[int, Versioned]] = {}
        self._standing: dict[str, Versioned] = {}
        self._deprecated: frozenset[str] = frozenset()

    async def __call__(self, session: AsyncSession) -> Catalogue:
        """The catalogue as the database has it now, whole."""
        # One picture for all queries: a contract is never seen with versions of another moment.
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        newest = await session.execute(select(func.coalesce(func.max(ContractRow.changed), 0)))
        changed = newest.scalar_one()
        if changed < self._changed:  # the database was restored to an earlier time
            self.__dict__.update(CatalogueLoader().__dict__)
        rows = await session.execute(
            select(ContractRow).where(col(ContractRow.changed) > self._changed)
        )
        moved = {row.type: contract_of(row) for row in rows.scalars()}
        versions = await self._load(session, moved)
        self._contracts = self._contracts | moved
        self._versions = self._versions | versions
        standing = {type_: _standing(of_type) for type_, of_type in versions.items()}
        left = {type_: each for type_, each in self._standing.items() if type_ not in moved}
        self._standing = left | {t: each for t, each in standing.items() if each is not None}
        self._changed = changed
        deprecated = {
            type_
            for type_, of_type in versions.items()
            if any(each.deprecation is not None for each in of_type.values())
        }
        self._deprecated = (self._deprecated - moved.keys()) | deprecated
        return Catalogue(self._contracts, self._standing, self._versions, self._deprecated)

    async def _load(
        self, session: AsyncSession, moved: Mapping[str, Contract]
    ) -> dict[str, dict[int, Versioned]]:
        """The versions of these types; one that is known already keeps what was compiled of it."""
        found: dict[str, dict[int, Versioned]] = {type_: {} for type_ in moved}
        query = _VERSIONS
        if self._changed >= 0:
            types = select(col(ContractRow.type)).where(col(ContractRow.changed) > self._changed)
            query = query.where(col(VersionRow.type).in_(types))
        for row in await session.execute(query):
            version = Versioned(
                row.type,
                row.number,
                State(row.state),
                deprecation_of(row),
                row.bundle or row.text,
                row.closed,
                reply=row.reply_bundle or row.reply,
            )
            before = self._versions.get(row.type, {}).get(row.number)
            if before is not None and before.closed == version.closed:
                version.compiled = before.compiled
                version.compiled_reply = before.compiled_reply
            found[row.type][row.number] = version
        return found


def _standing(of_type: Mapping[int, Versioned]) -> Versioned | None:
    """The newest active version, or where there is none the newest that is deprecated."""
    for state in (State.ACTIVE, State.DEPRECATED):
        numbers = [number for number, each in of_type.items() if each.state is state]
        if numbers:
            return of_type[max(numbers)]
    return None
