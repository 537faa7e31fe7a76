"""Redrives of many dead letters, as jobs whose progress anybody can look at."""

import secrets
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from gateway.base.transactions import Transactions
from gateway.delivery.store import dead_letters_sql as sql
from gateway.delivery.store.values import Wanted

_wanted = msgspec.json.Decoder(Wanted).decode
_encode = msgspec.json.Encoder().encode


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
    wanted: Wanted
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

    async def start(self, wanted: Wanted, *, rate: int, by: str) -> Redrive:
        """Begin one."""
        id_ = f"{secrets.token_hex(8)}"
        await self.fetch(
            sql.START_REDRIVE,
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
        rows = await self.fetch(sql.REDRIVE, id)
        return _redrive(rows[0]) if rows else None

    async def page(
        self, organisation: str | None, *, after: str | None, limit: int
    ) -> list[Redrive]:
        """Those of an organisation, or all."""
        return _redrives(await self.fetch(sql.REDRIVES, organisation, after, limit))

    async def running(self) -> list[Redrive]:
        """Those that go on, the oldest first."""
        return _redrives(await self.fetch(sql.RUNNING))

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
        await self.fetch(sql.PROGRESS, redrive.id, reached, sent, failed, problem, finished)

    async def cancel(self, id: str) -> None:
        """Send no more; what was sent stays sent."""
        await self.fetch(sql.CANCEL, id)


def _redrives(rows: Sequence[Any]) -> list[Redrive]:
    return [_redrive(row) for row in rows]


def _redrive(row: Any) -> Redrive:
    id_, organisation, wanted, rate, state, *rest = row
    return Redrive(id_, organisation, _wanted(wanted), rate, RedriveState(state), *rest)
