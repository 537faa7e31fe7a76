"""Creates a partition for every month in which entries may be recorded soon."""

from collections.abc import Awaitable, Callable

import asyncpg

from gateway.base.database import database_errors
from gateway.base.errors import Unavailable
from gateway.journal import sql

MONTHS_AHEAD = 3


async def create_shards(connection: asyncpg.Connection, shards: int) -> None:
    """Create the shards of a new journal. An existing journal keeps the number it has."""
    await connection.execute(sql.CREATE_SHARDS.replace("$1", str(int(shards))))
    await connection.execute(sql.CREATE_LEASES)


class PartitionCreator:
    """Creates the partitions of the coming months, on a connection of its own."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect

    async def run_once(self) -> None:
        """Create missing partitions. Raises Unavailable, also when another process was faster."""
        with database_errors():
            connection = await self._connect()
            try:
                await create_partitions(connection)
            except asyncpg.PostgresError as error:
                raise Unavailable(f"Partitions were not created: {error}") from error
            finally:
                await connection.close()


async def create_partitions(connection: asyncpg.Connection) -> None:
    """Create missing partitions for this month and the next three, each in its own transaction.

    Entries of any other month (of a wrong clock) go to the default partition.
    """
    for ahead in range(MONTHS_AHEAD + 1):
        await create_partition(connection, sql.CREATE_COMING_PARTITION, ahead)


async def create_partition(connection: asyncpg.Connection, statement: str, month: object) -> bool:
    """Create one partition; False if it is there, or must not be."""
    try:
        return bool(await connection.fetchval(statement, month))
    except asyncpg.CheckViolationError:
        return False  # the default partition has entries of this month and keeps them all
