"""What retention removed, what it holds, and what the months of the journal have: to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from gateway.base.database import database_errors
from gateway.base.errors import JournalUnavailable

# Types of an organisation have its name as the third word.
_REMOVALS = """
SELECT number, removed, kind, type, shard, month, count, bytes, lowest, highest, first_recorded,
       last_recorded
FROM retention_removals
WHERE ($1::text IS NULL OR split_part(type, '.', 3) = $1) AND ($2::text IS NULL OR type = $2)
  AND number < $3
ORDER BY number DESC LIMIT $4
"""
_HOLDS = """
SELECT month, type, organisation, subscription, reason, entries, since FROM retention_holds
WHERE ($1::text IS NULL OR split_part(type, '.', 3) = $1 OR organisation = $1)
ORDER BY month, type, organisation, subscription, reason LIMIT $2
"""
_MONTHS = """
SELECT month, type, sum(entries)::bigint, sum(bytes)::bigint
FROM journal_month_types
WHERE removed IS NULL AND ($1::text IS NULL OR split_part(type, '.', 3) = $1)
  AND (to_char(month, 'YYYY-MM'), type) > ($2, $3)
GROUP BY month, type ORDER BY month, type LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Removal:
    """What went at once: events of one type, shard and month, or rows of another `kind`."""

    number: int
    removed: datetime
    kind: str
    type: str | None
    shard: int | None
    month: date | None
    count: int
    bytes: int | None
    lowest: int | None
    highest: int | None
    first_recorded: datetime | None
    last_recorded: datetime | None


@dataclass(frozen=True, slots=True)
class Hold:
    """Events of a month whose time is over, and who still has to get some of them."""

    month: date
    type: str
    organisation: str
    subscription: str
    reason: str
    entries: int
    since: datetime


@dataclass(frozen=True, slots=True)
class MonthOfType:
    """How much of a type a month that has ended still has."""

    month: date
    type: str
    entries: int
    bytes: int


class RetentionReport:
    """Reads through a pool. `organisation` None means every organisation.

    Every method raises JournalUnavailable when PostgreSQL is away.
    """

    def __init__(self, pool: asyncpg.Pool, *, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout

    async def removals(
        self, organisation: str | None, *, type: str | None, before: int, limit: int
    ) -> Sequence[Removal]:
        """What went, of the types of an organisation, the newest first."""
        with database_errors(JournalUnavailable):
            rows = await self._pool.fetch(
                _REMOVALS, organisation, type, before, limit, timeout=self._timeout
            )
        return [Removal(*row) for row in rows]

    async def holds(self, organisation: str | None, *, limit: int) -> Sequence[Hold]:
        """What is held, of the types or for the subscriptions of an organisation, oldest first."""
        with database_errors(JournalUnavailable):
            rows = await self._pool.fetch(_HOLDS, organisation, limit, timeout=self._timeout)
        return [Hold(*row) for row in rows]

    async def months(
        self, organisation: str | None, *, after: tuple[str, str], limit: int
    ) -> Sequence[MonthOfType]:
        """What the months have, by month and type, after one of them."""
        with database_errors(JournalUnavailable):
            rows = await self._pool.fetch(
                _MONTHS, organisation, *after, limit, timeout=self._timeout
            )
        return [MonthOfType(*row) for row in rows]
