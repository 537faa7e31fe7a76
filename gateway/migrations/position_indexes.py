"""The index by position of each partition of the journal, made beside intake after the migrations.

It replaces the primary key of before, which took twice the space (decision 0038). An index that is
made beside writers is made outside of any transaction; one that was not finished is begun again.
"""

import asyncio

import asyncpg

from gateway.base.database_hosts import DatabaseHosts

_LOCK = 0x6E757362  # any number that nobody else takes as an advisory lock
_PAUSE = 1.0  # seconds between two tries: intake waits for each as long as the lock


async def make_position_indexes(hosts: DatabaseHosts, role: dict[str, str]) -> None:
    """Return once each partition has its index and none the key of before; safe to repeat."""
    connection = await hosts.connect(timeout=60, server_settings=role)
    try:
        while not await _is_done(connection):
            # No lock that somebody waits for: an index waits for everybody who waits.
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                for (statement,) in await connection.fetch("SELECT journal_index_statements()"):
                    await connection.execute(statement)
                await connection.fetchval("SELECT pg_advisory_unlock($1)", _LOCK)
            else:
                await asyncio.sleep(_PAUSE)
    finally:
        await connection.close()


async def _is_done(connection: asyncpg.Connection) -> bool:
    try:
        return bool(await connection.fetchval("SELECT journal_drop_old_key()"))
    except asyncpg.LockNotAvailableError:
        await asyncio.sleep(_PAUSE)
        return False
