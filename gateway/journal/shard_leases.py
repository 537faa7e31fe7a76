"""Who relays a shard: one lead at a time, told from its predecessors by its epoch."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import OUTAGES
from gateway.base.errors import JournalUnavailable
from gateway.journal import sql
from gateway.journal.entry import Cursor


@dataclass(slots=True)
class Lead:
    """The right to relay a shard, until `expires` by this process's monotonic clock.

    `reached` is the place up to which everything was confirmed, `cursor` what of it is written.
    """

    shard: int
    epoch: int
    cursor: Cursor
    reached: Cursor
    expires: float
    returned: int = field(default=0)  # unroutable deliveries not yet added to the shard's count

    def __bool__(self) -> bool:
        """False once the lease has run out: another relay may be at work already."""
        return time.monotonic() < self.expires

    async def fence(self, session: AsyncSession) -> None:
        """Make the rest of this transaction count only while we lead. Raises LeadLost."""
        found = await session.execute(text(sql.FENCE), {"shard": self.shard, "epoch": self.epoch})
        if found.first() is None:
            self.expires = 0.0
            raise LeadLost(self.shard)


class LeadLost(Exception):
    """Another relay leads this shard now."""


class Leads:
    """Takes, keeps and gives back leads for the relay `name`."""

    def __init__(self, pool: asyncpg.Pool, *, name: str, lease: float) -> None:
        self._pool = pool
        self._name = name
        self._lease = lease

    async def attend(self) -> int:
        """Say that this relay lives; returns how many do."""
        await self._fetch(sql.ATTEND, self._name)
        rows = await self._fetch(sql.ATTENDING, self._lease)
        return max(1, int(rows[0][0]))

    async def leave(self) -> None:
        """Say that this relay ends."""
        await self._fetch(sql.LEAVE, self._name)

    async def vacant(self) -> list[int]:
        """Shards whose lead has ended or fallen silent."""
        return [row[0] for row in await self._fetch(sql.LEADABLE)]

    async def take(self, shard: int) -> Lead | None:
        """Become the lead of a shard, or None if another was faster."""
        asked = time.monotonic()
        rows = await self._fetch(sql.LEAD, shard, self._name, self._lease)
        if not rows:
            return None
        epoch, cursor, recorded = rows[0]
        place = Cursor(cursor, recorded)
        return Lead(shard, epoch, place, place, asked + self._lease)

    async def advance(self, leads: Iterable[Lead]) -> None:
        """Write how far each lead has reached and prolong its lease, in one statement.

        A lead that was replaced meanwhile moves nothing and is expired from here on.
        """
        asked = time.monotonic()
        moves = [(lead, lead.reached, lead.returned) for lead in leads if lead]
        if not moves:
            return
        rows = await self._fetch(
            sql.ADVANCE,
            [lead.shard for lead, _, _ in moves],
            [lead.epoch for lead, _, _ in moves],
            [reached.sequence for _, reached, _ in moves],
            [reached.recorded for _, reached, _ in moves],
            [returned for _, _, returned in moves],
            self._lease,
        )
        kept = {row[0] for row in rows}
        for lead, reached, returned in moves:
            if lead.shard in kept:
                lead.cursor = reached
                lead.returned -= returned
                lead.expires = max(lead.expires, asked + self._lease)
            else:
                lead.expires = 0.0

    async def resign(self, lead: Lead) -> None:
        """Give a shard back, so that another relay may take it at once."""
        lead.expires = 0.0
        await self._fetch(sql.RESIGN, lead.shard, lead.epoch)

    async def _fetch(self, statement: str, *arguments: Any) -> Sequence[Any]:
        try:
            async with self._pool.acquire(timeout=self._lease) as connection:
                rows: Sequence[Any] = await connection.fetch(
                    statement, *arguments, timeout=self._lease
                )
                return rows
        except OUTAGES as error:
            raise JournalUnavailable("the journal does not answer: try again") from error
