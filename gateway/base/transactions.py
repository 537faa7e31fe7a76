"""Short transactions through the pool, with one error for an outage of the database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from gateway.base.database import database_errors

Connection = asyncpg.pool.PoolConnectionProxy


class Transactions:
    """Base of the stores that use the pool; `timeout` for a connection is in seconds."""

    def __init__(self, pool: asyncpg.Pool, *, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout

    async def fetch(self, statement: str, *arguments: Any) -> Sequence[Any]:
        """The rows of one statement, in a transaction of its own. Raises DatabaseUnavailable."""
        async with self._connection() as connection:
            rows: Sequence[Any] = await connection.fetch(statement, *arguments)
            return rows

    @asynccontextmanager
    async def transaction(self, *, flush: bool = True) -> AsyncIterator[Connection]:
        """A transaction, committed at the end. Raises DatabaseUnavailable.

        Without `flush` the commit does not wait for the disk: if the server crashes within the
        next moments, the whole transaction and all later ones may be lost.
        """
        async with self._connection() as connection, connection.transaction():
            if not flush:
                await connection.execute("SET LOCAL synchronous_commit TO off")
            yield connection

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        with database_errors():
            async with self._pool.acquire(timeout=self._timeout) as connection:
                yield connection
