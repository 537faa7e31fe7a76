"""Redrives of many dead letters, as jobs whose progress anybody can look at."""

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

_wanted = msgspec.json.Decoder(DeadLetterQuery).decode
_encode = msgspec.json.Encoder().encode

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
PROGRESS = """
UPDATE redrives SET reached = $2, sent = sent + $3, failed = failed + $4, last_error = $5,
       state = CASE WHEN $6 THEN 'finished' ELSE state END, changed = clock_timestamp()
WHERE id = $1 AND state = 'running'
"""
CANCEL = """
UPDATE redrives SET state = 'cancelled', changed = clock_timestamp()
WHERE id = $1 AND state = 'running'
"""


class RedriveState(StrEnum):
    """Whether a redrive goes on."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Redrive:
    """Sends again all that was dead and wanted when it began, `rate` a second.

    `reached` is the number of the dead letter it has come to; `failed` counts those that could
    not be sent, which stay dead; `problem` tells of the last of them.
    """

    id: str
    organisation: str | None
    wanted: DeadLetterQuery
    rate: int
    state: RedriveState
    reached: int
    upto: int
    total: int
    sent: int
    failed: int
    problem: str | None
    created: datetime
    created_by: str


class Redrives(Transactions):
    """The redrives. Every method raises DatabaseUnavailable where PostgreSQL does not answer."""

    async def start(self, wanted: DeadLetterQuery, *, rate: int, by: str) -> Redrive:
        """Begin one."""
        id_ = f"{secrets.token_hex(8)}"
        await self.fetch(
            START,
            id_,
            *astuple(replace(wanted, state="dead")),
            _encode(wanted).decode(),
            rate,
            by,
        )
        started = await self.find(id_)
        assert started is not None  # noqa: S101 - it was stored just now
        return started

    async def find(self, id: str) -> Redrive | None:
        """One of them, or None."""
        rows = await self.fetch(ONE, id)
        return _redrive(rows[0]) if rows else None

    async def page(
        self, organisation: str | None, *, after: str | None, limit: int
    ) -> list[Redrive]:
        """Those of an organisation, or all."""
        return _redrives(await self.fetch(OF, organisation, after, limit))

    async def running(self) -> list[Redrive]:
        """Those that go on, the oldest first."""
        return _redrives(await self.fetch(RUNNING))

    async def progress(
        self,
        redrive: Redrive,
        *,
        reached: int,
        sent: int,
        failed: int,
        problem: str | None,
        finished: bool,
    ) -> None:
        """Note what was done; what was cancelled meanwhile stays so."""
        await self.fetch(PROGRESS, redrive.id, reached, sent, failed, problem, finished)

    async def cancel(self, id: str) -> None:
        """Send no more; what was sent stays sent."""
        await self.fetch(CANCEL, id)


def _redrives(rows: Sequence[Any]) -> list[Redrive]:
    return [_redrive(row) for row in rows]


def _redrive(row: Any) -> Redrive:
    id_, organisation, wanted, rate, state, *rest = row
    return Redrive(id_, organisation, _wanted(wanted), rate, RedriveState(state), *rest)
