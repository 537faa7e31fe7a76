"""A journal on a real PostgreSQL, without any process of the gateway."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from gateway.base.database import SERVER_SETTINGS
from gateway.journal import (
    Incarnation,
    JournalReader,
    JournalWriter,
    create_partitions,
    create_shards,
)
from tests.servers import SHARDS, as_owner


@dataclass
class Journal:
    """A new journal with a pool and any number of writers, as several processes have."""

    url: str
    pool: asyncpg.Pool
    reader: JournalReader
    incarnation: Incarnation

    async def connect(self) -> asyncpg.Connection:
        """One more connection."""
        connection = await asyncpg.connect(self.url, server_settings=SERVER_SETTINGS)
        try:
            await self.incarnation.enter(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """One more connection, closed at the end."""
        connection = await self.connect()
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def writer(
        self,
        *,
        writers: int = 1,
        timeout: float = 10.0,
        connect: Callable[[], Awaitable[asyncpg.Connection]] | None = None,
        on_commit: Callable[[], None] = lambda: None,
        overloaded: Callable[[], bool] = lambda: False,
    ) -> AsyncIterator[JournalWriter]:
        """The writer of one process."""
        writer = JournalWriter(
            connect or self.connect,
            shards=SHARDS,
            writers=writers,
            timeout=timeout,
            reader=self.reader,
            incarnation=self.incarnation,
            on_commit=on_commit,
            overloaded=overloaded,
        )
        writer.start()
        try:
            yield writer
        finally:
            await writer.close()

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the owner, for what the gateway's processes may not do."""
        connection = await asyncpg.connect(as_owner(self.url))
        try:
            yield connection
        finally:
            await connection.close()

    async def execute(self, statement: str) -> None:
        """Change something behind the gateway's back."""
        async with self.owner() as connection:
            await connection.execute(statement)

    async def entries(self) -> list[Any]:
        """(shard, sequence, recorded, id, subject) of every entry, in order."""
        return await self.pool.fetch(
            "SELECT shard, sequence, recorded, id, subject FROM journal_entries "
            "ORDER BY shard, sequence"
        )

    async def require_gapless(self) -> int:
        """Every shard counts 1, 2, 3... up to its counter; return how many entries there are."""
        found: dict[int, list[int]] = {}
        for shard, sequence, *_ in await self.entries():
            found.setdefault(shard, []).append(sequence)
        for shard, head in (await self.reader.heads()).items():
            assert found.get(shard, []) == list(range(1, head.sequence + 1))
        identities = await self.pool.fetchval("SELECT count(*) FROM journal_identities")
        assert identities == sum(map(len, found.values()))
        return int(identities)


@asynccontextmanager
async def a_journal(url: str) -> AsyncIterator[Journal]:
    """Shards and partitions in a migrated database."""
    incarnation = Incarnation()
    async with asyncpg.create_pool(
        url, min_size=0, max_size=8, init=incarnation.enter, server_settings=SERVER_SETTINGS
    ) as pool:
        journal = Journal(url, pool, JournalReader(pool, incarnation, timeout=10), incarnation)
        async with journal.owner() as connection:
            await create_shards(connection, SHARDS)
            await create_partitions(connection)
        yield journal


async def until_waiting(connection: asyncpg.Connection) -> None:
    """Until an append waits for a lock that this connection holds."""
    async with asyncio.timeout(10):
        waiting = 0
        while not waiting:
            waiting = await connection.fetchval(
                "SELECT count(*) FROM pg_locks, pg_sleep(0.01) WHERE NOT granted"
            )
