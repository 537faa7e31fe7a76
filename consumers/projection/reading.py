"""Reads the active build of a projection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from consumers.projection.store import use_schema

# Whoever drops a build waits for the transactions that read it.
_ACTIVE = """
SELECT schema, pg_advisory_xact_lock_shared(hashtextextended('readers ' || schema, 0))
FROM projections.projections JOIN projections.builds ON projection = name AND build = active
WHERE name = $1
"""
_THERE = "SELECT true FROM projections.builds WHERE schema = $1"

_SEEN = """
SELECT (applied -> $2)::bigint >= $3
FROM projections.projections JOIN projections.builds ON projection = name AND build = active
WHERE name = $1
"""
POLL = 0.05  # seconds


@asynccontextmanager
async def reading(
    pool: "asyncpg.Pool[Any]", projection: str
) -> AsyncIterator["PoolConnectionProxy[Any]"]:
    """A transaction in which tables without a schema are those of the active build.

    It stays with that build to its end, also if another one becomes active meanwhile. Raises
    LookupError where there is no such projection.
    """
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        while True:
            row = await connection.fetchrow(_ACTIVE, projection)
            if row is None:
                raise LookupError(f"There is no projection {projection}. Start its runner.")
            if await connection.fetchval(_THERE, row["schema"]):
                break  # it was not dropped before the lock
        await use_schema(connection, row["schema"])
        yield connection


async def wait_for(
    pool: "asyncpg.Pool[Any]", projection: str, shard: int, sequence: int, seconds: float = 10.0
) -> None:
    """Wait until readers see an event, by shard and sequence of its receipt.

    Raises TimeoutError after so many seconds. An event that was parked counts as seen.
    """
    async with asyncio.timeout(seconds):
        while not await pool.fetchval(_SEEN, projection, str(shard), sequence):  # noqa: ASYNC110
            await asyncio.sleep(POLL)
