"""Who relays a shard: one lead at a time, told from its predecessors by its epoch."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from gateway.database import OUTAGES
from gateway.errors import JournalUnavailable
from gateway.journal import sql
from gateway.journal.entry import Position


@dataclass(slots=True)
class Lead:
    """The right to relay a shard, until `expires` by this process's monotonic clock.

    `cursor` is the highest number up to which everything was confirmed, as last written.
    """

    shard: int
    epoch: int
    cursor: Position
    expires: float
    returned: int = field(default=0)  # unroutable deliveries not yet added to the shard's count

    def __bool__(self) -> bool:
        """False once the lease has run out: another relay may be at work already."""
        return time.monotonic() < self.expires


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
        return Lead(shard, epoch, Position(cursor, recorded), asked + self._lease)

    async def advance(self, moves: Iterable[tuple[Lead, Position]]) -> None:
        """Write cursors and prolong the leases, in one statement.

        A lead that was replaced meanwhile moves nothing and is expired from here on.
        """
        pairs = list(moves)
        if not pairs:
            return
        asked = time.monotonic()
        rows = await self._fetch(
            sql.ADVANCE,
            [lead.shard for lead, _ in pairs],
            [lead.epoch for lead, _ in pairs],
            [cursor.sequence for _, cursor in pairs],
            [cursor.recorded for _, cursor in pairs],
            [lead.returned for lead, _ in pairs],
            self._lease,
        )
        kept = {row[0] for row in rows}
        for lead, cursor in pairs:
            if lead.shard in kept:
                lead.cursor, lead.returned = cursor, 0
                lead.expires = asked + self._lease
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
