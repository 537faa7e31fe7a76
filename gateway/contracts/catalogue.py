"""The catalogue: the registry in memory, with compiled validators, for the hot path."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.database import Database
from gateway.base.snapshot import Snapshot, refresh
from gateway.base.type_pattern import request_type
from gateway.contracts.cost import INLINE_SECONDS, INLINE_UNKNOWN
from gateway.contracts.queries import contract_of, deprecation_of
from gateway.contracts.tables import ContractRow, VersionRow
from gateway.contracts.validation import Validator
from gateway.contracts.values import Contract, Deprecation, VersionState
from gateway.contracts.version_schema import VersionSchema

_VERSIONS: Any = select(
    *(
        getattr(VersionRow, name)
        for name in (
            *("type", "number", "state", "text", "bundle", "closed", "inline_bytes"),
            *("deprecated", "sunset", "successor"),
            *("reply", "reply_bundle"),
        )
    )
)


@dataclass(slots=True)
class CatalogueVersion:
    """A version in the catalogue. Its validators are compiled when first needed."""

    type: str
    number: int
    state: VersionState
    deprecation: Deprecation | None
    text: bytes = field(repr=False)
    closed: bool
    inline_bytes: int = INLINE_UNKNOWN
    """The largest event that is validated on the event loop."""
    compiled: Validator | None = field(default=None, repr=False)
    reply: bytes | None = field(default=None, repr=False)
    compiled_reply: Validator | None = field(default=None, repr=False)

    def schema(self, *, of_reply: bool = False) -> VersionSchema:
        """The schema for events, or for replies. Raises ValueError without a reply schema."""
        text = self.reply if of_reply else self.text
        if text is None:
            raise ValueError(f"{self.type} version {self.number} has no reply schema")
        return VersionSchema(self.type, self.number, text, self.closed)

    @property
    def validator(self) -> Validator:
        """Validates data."""
        if self.compiled is None:
            self.compiled = self.schema().compiled()
        return self.compiled

    @property
    def reply_validator(self) -> Validator:
        """Validates the data of replies. Raises ValueError without a reply schema."""
        if self.compiled_reply is None:
            self.compiled_reply = self.schema(of_reply=True).compiled()
        return self.compiled_reply

    def expected_seconds(self, size: int) -> float:
        """Of CPU, for an event of so many bytes: what admission measured, in proportion."""
        return INLINE_SECONDS * size / self.inline_bytes if self.inline_bytes else inf

    @property
    def usable(self) -> bool:
        """Whether events can be published with it."""
        return self.state in (VersionState.ACTIVE, VersionState.DEPRECATED)


@dataclass(frozen=True)
class Catalogue:
    """Every contract with its versions. Immutable; see CatalogueLoader.

    `current` holds the version of each type that validates events without a `dataschema`. A
    version is compiled at its first event: that costs half a millisecond and 80 kB.
    """

    contracts: Mapping[str, Contract]
    current: Mapping[str, CatalogueVersion]
    versions: Mapping[str, Mapping[int, CatalogueVersion]] = field(default_factory=dict)
    deprecated: frozenset[str] = frozenset()
    """The types with a deprecated version."""

    def contract(self, type: str) -> Contract | None:
        """The contract of a type."""
        return self.contracts.get(type)

    def covers(self, types: Iterable[str]) -> bool:
        """Whether each type has a contract; a reply has that of its request."""
        return all(self.contract(request_type(type)) is not None for type in types)

    def classification(self, type: str) -> str | None:
        """The classification of a type; a reply type has that of its request type."""
        contract = self.contract(request_type(type))
        return contract.classification.value if contract else None

    def validator(self, type: str) -> Validator:
        """The validator of the current version of a type. Raises KeyError if there is none."""
        return self.current[type].validator

    def version(self, type: str, number: int) -> CatalogueVersion | None:
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
    """Loads catalogues. Only changed contracts are read; a schema is compiled once per process."""

    def __init__(self) -> None:
        self._changed = -1
        self._contracts: dict[str, Contract] = {}
        self._versions: dict[str, dict[int, CatalogueVersion]] = {}
        self._current: dict[str, CatalogueVersion] = {}
        self._deprecated: frozenset[str] = frozenset()

    async def __call__(self, session: AsyncSession) -> Catalogue:
        """The catalogue as the database has it now."""
        # One snapshot for all queries: a contract never appears with versions of another moment.
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        newest = await session.execute(select(func.coalesce(func.max(ContractRow.changed), 0)))
        changed = newest.scalar_one()
        if changed < self._changed:  # the database was restored to an earlier time
            self.__dict__.update(CatalogueLoader().__dict__)
        rows = await session.execute(
            select(ContractRow).where(col(ContractRow.changed) > self._changed)
        )
        reloaded = {row.type: contract_of(row) for row in rows.scalars()}
        versions = await self._load(session, reloaded)
        self._contracts = self._contracts | reloaded
        self._versions = self._versions | versions
        current = {type_: _current(of_type) for type_, of_type in versions.items()}
        kept = {type_: each for type_, each in self._current.items() if type_ not in reloaded}
        self._current = kept | {t: each for t, each in current.items() if each is not None}
        self._changed = changed
        deprecated = {
            type_
            for type_, of_type in versions.items()
            if any(each.deprecation is not None for each in of_type.values())
        }
        self._deprecated = (self._deprecated - reloaded.keys()) | deprecated
        return Catalogue(self._contracts, self._current, self._versions, self._deprecated)

    async def _load(
        self, session: AsyncSession, types: Mapping[str, Contract]
    ) -> dict[str, dict[int, CatalogueVersion]]:
        """The versions of these types; known versions keep their compiled validators."""
        found: dict[str, dict[int, CatalogueVersion]] = {type_: {} for type_ in types}
        query = _VERSIONS
        if self._changed >= 0:
            changed = select(col(ContractRow.type)).where(col(ContractRow.changed) > self._changed)
            query = query.where(col(VersionRow.type).in_(changed))
        for row in await session.execute(query):
            version = CatalogueVersion(
                row.type,
                row.number,
                VersionState(row.state),
                deprecation_of(row),
                row.bundle or row.text,
                row.closed,
                row.inline_bytes,
                reply=row.reply_bundle or row.reply,
            )
            before = self._versions.get(row.type, {}).get(row.number)
            if before is not None and before.closed == version.closed:
                version.compiled = before.compiled
                version.compiled_reply = before.compiled_reply
                version.inline_bytes = min(version.inline_bytes, before.inline_bytes)
            found[row.type][row.number] = version
        return found


def _current(of_type: Mapping[int, CatalogueVersion]) -> CatalogueVersion | None:
    """The newest active version, or without one the newest deprecated version."""
    for state in (VersionState.ACTIVE, VersionState.DEPRECATED):
        numbers = [number for number, each in of_type.items() if each.state is state]
        if numbers:
            return of_type[max(numbers)]
    return None
