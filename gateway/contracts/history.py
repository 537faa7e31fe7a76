"""The history of contracts: who changed what, and when. The database refuses to change it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.contracts.tables import HistoryRow
from gateway.contracts.values import Author, HistoryRecord

_encode = msgspec.json.Encoder(decimal_format="number").encode


async def add(
    session: AsyncSession,
    type: str,
    by: Author,
    action: str,
    version: int | None,
    detail: Mapping[str, Any],
) -> None:
    """Record a change, in the transaction that makes it."""
    session.add(
        HistoryRow(
            type=type,
            recorded=datetime.now(UTC),
            client=by.client,
            organisation=by.organisation,
            action=action,
            version=version,
            detail=_encode(detail),
        )
    )


async def page(session: AsyncSession, type: str, *, after: int, limit: int) -> list[HistoryRecord]:
    """The changes of a contract, the oldest first, after the number `after`."""
    query = (
        select(HistoryRow)
        .where(col(HistoryRow.type) == type, col(HistoryRow.number) > after)
        .order_by(col(HistoryRow.number))
        .limit(limit)
    )
    return [
        HistoryRecord(
            row.number or 0,
            row.recorded,
            Author(row.client, row.organisation),
            row.action,
            row.version,
            row.detail,
        )
        for row in (await session.execute(query)).scalars()
    ]
