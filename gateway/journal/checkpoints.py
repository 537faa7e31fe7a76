"""How far the streams of publishers have come: what lets one that was cut off go on."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import asyncpg

from gateway.base.database import database_errors
from gateway.base.errors import JournalUnavailable
from gateway.journal import sql

KEPT = timedelta(days=30)  # after the last chunk of a stream


class Checkpoint(NamedTuple):
    """Once this is stored, everything up to this chunk of a client's stream is."""

    client: str
    stream: str
    chunk: int


def furthest(checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """One for each stream: a statement changes a row once. Sorted: two must not deadlock."""
    found: dict[tuple[str, str], Checkpoint] = {}
    for each in sorted(checkpoints):
        found[each.client, each.stream] = each
    return list(found.values())


class Checkpoints:
    """Reads through a pool. Every method raises JournalUnavailable when PostgreSQL is away."""

    def __init__(self, pool: asyncpg.Pool, *, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout

    async def stored(self, client: str, stream: str) -> int:
        """Up to which chunk everything is stored; 0 for a stream that has stored nothing."""
        with database_errors(JournalUnavailable):
            chunk = await self._pool.fetchval(sql.CHECKPOINT, client, stream, timeout=self._timeout)
        return int(chunk or 0)

    async def forget(self) -> None:
        """Delete what nobody has gone on with for a month. A repeat is still stored once."""
        with database_errors(JournalUnavailable):
            await self._pool.execute(sql.FORGET_STREAMS, KEPT, timeout=self._timeout)
