"""Redrive jobs in the database: which dead letters to send again, and how far each job is."""

import secrets
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from gateway.base.transactions import Transactions
from gateway.delivery.store.dead_letters_sql import MATCHES
from gateway.delivery.store.values import DeadLetterQuery
from gateway.identity import Client, Quota, require_below

_decode_query = msgspec.json.Decoder(DeadLetterQuery).decode
_encode_query = msgspec.json.Encoder().encode

START = f"""
INSERT INTO redrives (id, organisation, query, rate, created_by, upto, total)
SELECT $1, $2, $15, $16, $17, coalesce(max(number), 0), count(*) FROM dead_letters WHERE {MATCHES}
"""  # noqa: S608 - put together from constants
_REDRIVE = """
SELECT id, organisation, query, rate, state, reached, upto, total, sent, failed, last_error,
       created, created_by
FROM redrives
"""
ONE = _REDRIVE + "WHERE id = $1"
OF = (
    _REDRIVE
    + """
WHERE ($1::text IS NULL OR organisation = $1) AND ($2::text IS NULL OR id > $2)
ORDER BY id LIMIT $3
"""
)
RUNNING = _REDRIVE + "WHERE state = 'running' ORDER BY created"
# Counted and added by one at a time.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('redrives'), hashtext($1))"
RUNNING_OF = """
SELECT count(*) FROM redrives WHERE state = 'running' AND organisation IS NOT DISTINCT FROM $1
"""
RECORD_PROGRESS = """
UPDATE redrives SET reached = $2, sent = sent + $3, failed = failed + $4, last_error = $5,
       state = CASE WHEN $6 THEN 'finished' ELSE state END, changed = clock_timestamp()
WHERE id = $1 AND state = 'running'
"""
CANCEL = """
UPDATE redrives SET state = 'cancelled', changed = clock_timestamp()
WHERE id = $1 AND state = 'running'
"""


class RedriveState(StrEnum):
    """The state of a redrive."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Redrive:
    """A job that sends the dead letters of a query again, `rate` per second.

    It covers those that were dead when it began, up to the number `upto`; `reached` is the number
    it has come to. `failed` counts those that could not be sent and stay dead; `last_error` is the
    reason of the last one.
    """

    id: str
    organisation: str | None
    query: DeadLetterQuery
    rate: int
    state: RedriveState
    reached: int
    upto: int
    total: int
    sent: int
    failed: int
    last_error: str | None
    created: datetime
    created_by: str


class Redrives(Transactions):
    """The redrives. Every method raises DatabaseUnavailable where PostgreSQL does not answer."""

    async def start(self, query: DeadLetterQuery, *, rate: int, by: Client, limit: int) -> Redrive:
        """Start a redrive. Raises QuotaReached if `limit` of the client's organisation run."""
        id_ = secrets.token_hex(8)
        arguments = astuple(replace(query, state="dead"))
        async with self.transaction() as connection:
            await connection.execute(LOCK, query.organisation or "")
            present = await connection.fetchval(RUNNING_OF, query.organisation)
            require_below(Quota.REDRIVES, limit, present, "Wait until one has finished.")
            await connection.execute(
                START, id_, *arguments, _encode_query(query).decode(), rate, by.id
            )
        started = await self.find(id_)
        assert started is not None  # noqa: S101 - it was stored just now
        return started

    async def count_running(self, organisation: str | None) -> int:
        """How many redrives of an organisation run."""
        return int((await self.fetch(RUNNING_OF, organisation))[0][0])

    async def find(self, id: str) -> Redrive | None:
        """The redrive with this id, or None."""
        rows = await self.fetch(ONE, id)
        return _redrive(rows[0]) if rows else None

    async def page(
        self, organisation: str | None, *, after: str | None, limit: int
    ) -> list[Redrive]:
        """The redrives of an organisation, or all, after the id `after`."""
        return _redrives(await self.fetch(OF, organisation, after, limit))

    async def running(self) -> list[Redrive]:
        """The running redrives, the oldest first."""
        return _redrives(await self.fetch(RUNNING))

    async def record_progress(
        self,
        redrive: Redrive,
        *,
        reached: int,
        sent: int,
        failed: int,
        last_error: str | None,
        finished: bool,
    ) -> None:
        """Record what was done. A redrive that was cancelled meanwhile stays cancelled."""
        await self.fetch(RECORD_PROGRESS, redrive.id, reached, sent, failed, last_error, finished)

    async def cancel(self, id: str) -> None:
        """Stop a redrive. What it has sent stays sent."""
        await self.fetch(CANCEL, id)


def _redrives(rows: Sequence[Any]) -> list[Redrive]:
    return [_redrive(row) for row in rows]


def _redrive(row: Any) -> Redrive:
    id_, organisation, query, rate, state, *rest = row
    return Redrive(id_, organisation, _decode_query(query), rate, RedriveState(state), *rest)
