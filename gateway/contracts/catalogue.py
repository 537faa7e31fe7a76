"""The registry in memory, compiled: what the hot path judges by."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from gateway import jsontext
from gateway.contracts.judge import Judge
from gateway.contracts.tables import ContractRow, VersionRow
from gateway.contracts.values import Classification, Contract, Ordering, Pattern


@dataclass(frozen=True)
class Catalogue:
    """Every contract with the judge of its newest version. Never changes; see CatalogueLoader."""

    contracts: Mapping[str, Contract]
    judges: Mapping[str, Judge]

    def contract(self, type: str) -> Contract | None:
        """The contract of a type."""
        return self.contracts.get(type)

    def judge(self, type: str) -> Judge:
        """Who judges new events of a known type."""
        return self.judges[type]


class CatalogueLoader:
    """Loads catalogues. A schema is compiled once in a process, however often others change."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, int, bytes], Judge] = {}

    async def __call__(self, session: AsyncSession) -> Catalogue:
        """The catalogue as the database has it now, whole."""
        contracts = (await session.execute(select(ContractRow))).scalars()
        newest = await session.execute(
            select(VersionRow.type, VersionRow.number, VersionRow.digest)
            .ext(distinct_on(col(VersionRow.type)))
            .order_by(col(VersionRow.type), col(VersionRow.number).desc())
        )
        keys = [(type_, number, bytes(digest)) for type_, number, digest in newest]
        missing = {key[:2] for key in keys if key not in self._compiled}
        texts = await _texts(session, missing)
        for key in keys:
            if key not in self._compiled:
                self._compiled[key] = Judge(*key[:2], jsontext.parse(texts[key[:2]]))
        self._compiled = {key: self._compiled[key] for key in keys}
        return Catalogue(
            {row.type: _contract(row) for row in contracts},
            {key[0]: judge for key, judge in self._compiled.items()},
        )


async def _texts(
    session: AsyncSession, wanted: set[tuple[str, int]]
) -> dict[tuple[str, int], bytes]:
    if not wanted:
        return {}
    rows = await session.execute(
        select(VersionRow.type, VersionRow.number, VersionRow.text).where(
            col(VersionRow.type).in_({type_ for type_, _ in wanted})
        )
    )
    return {(type_, number): text for type_, number, text in rows if (type_, number) in wanted}


def _contract(row: ContractRow) -> Contract:
    return Contract(
        row.type,
        row.owner,
        row.title,
        row.description,
        Pattern(row.pattern),
        Classification(row.classification),
        Ordering(row.ordering_key, row.ordering_description),
    )
