"""Creates a partition for every month in which entries may be recorded soon."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

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


async def create_partitions(
    connection: asyncpg.Connection, today: datetime | None = None
) -> list[str]:
    """Create missing partitions for this month and the next three; return their names.

    Each is created as a separate table and then attached, which needs no lock that stops inserts.
    Entries of any other month (of a wrong clock) go to the default partition.
    """
    present = {row[0] for row in await connection.fetch(sql.PARTITIONS)}
    created = []
    for year, month in _months(today or datetime.now(UTC)):
        name = f"journal_entries_{year}_{month:02}"
        if name in present:
            continue
        try:
            await _create(connection, name, _first(year, month), _first(*_following(year, month)))
        except asyncpg.CheckViolationError:
            continue  # the default partition has entries of this month and keeps them all
        created.append(name)
    return created


async def _create(connection: asyncpg.Connection, name: str, start: str, end: str) -> None:
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '3s'")
        await connection.execute(
            f"CREATE TABLE {name} (LIKE journal_entries INCLUDING ALL);"
            f"ALTER TABLE journal_entries ATTACH PARTITION {name} "
            f"FOR VALUES FROM ('{start}') TO ('{end}')"
        )


def _months(today: datetime) -> list[tuple[int, int]]:
    months = [(today.year, today.month)]
    for _ in range(MONTHS_AHEAD):
        months.append(_following(*months[-1]))
    return months


def _following(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == 12 else (year, month + 1)


def _first(year: int, month: int) -> str:
    return f"{year:04}-{month:02}-01 00:00:00+00"
