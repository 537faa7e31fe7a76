"""The scenarios of what wake-ups read, on the fake of unit tests and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from gateway.base.errors import Unavailable
from gateway.delivery.store import Deliveries, Key
from gateway.delivery.store.values import NewDelivery
from gateway.journal import BEGINNING, Cursor, Position
from tests.builders import FREE, a_name
from tests.memory_deliveries import MemoryDeliveries
from tests.servers import fresh_database

THEN = datetime(2026, 5, 4, tzinfo=UTC)
OWNER = """
INSERT INTO organisations VALUES ('uji', '', '', false, now());
INSERT INTO clients VALUES ('uji-client', 'uji', '', '{}', 'active', now());
"""
SUBSCRIBE = """
INSERT INTO subscriptions (organisation, name, types, point_to_point, ordered, start, state,
                           generation, password_hash, created, created_by, delivery)
VALUES ($1, $2, '{x}', false, false, 'now', 'active', 1, '', now(), 'uji-client', 'pull')
"""
BEGIN = """
INSERT INTO delivery_cursors (organisation, name, shard, start, sequence)
VALUES ($1, $2, $3, $4, $4)
"""


@dataclass
class World:
    """Deliveries without subscriptions."""

    deliveries: Deliveries | MemoryDeliveries
    begin: Callable[[Key, dict[int, int]], Awaitable[None]]
    """Create a subscription with these start positions."""
    open: Callable[[Key], Awaitable[None]]
    """Open the delivery of entry 1 of shard 0, which may be locked at once."""
    end: Callable[[], Awaitable[None]]
    """Make the database unavailable."""


def in_memory() -> World:
    deliveries = MemoryDeliveries()

    async def begin(key: Key, start_positions: dict[int, int]) -> None:
        deliveries.cursors[key] = sum(start_positions.values())

    async def open_one(key: Key) -> None:
        deliveries.due_now.add(key)
        deliveries.cursors[key] += 1

    async def end() -> None:
        deliveries.unavailable = True

    return World(deliveries, begin, open_one, end)


def in_postgres(pool: asyncpg.Pool) -> World:
    deliveries = Deliveries(pool, timeout=10)

    async def begin(key: Key, start_positions: dict[int, int]) -> None:
        await pool.execute(SUBSCRIBE, *key)
        await pool.executemany(BEGIN, [(*key, *each) for each in start_positions.items()])

    async def open_one(key: Key) -> None:
        assert await deliveries.advance(
            key, 0, before=Cursor(0, BEGINNING), after=Cursor(1, THEN), in_flight=10,
            new=[NewDelivery(Position(0, 1), THEN, FREE, "")],
        )  # fmt: skip

    return World(deliveries, begin, open_one, pool.close)


@pytest.fixture(params=["memory", "postgres"])
async def world(
    request: pytest.FixtureRequest, postgres: Postgres, migrated: str
) -> AsyncIterator[World]:
    if request.param == "memory":
        yield in_memory()
        return
    url = await asyncio.to_thread(fresh_database, postgres, migrated)
    async with asyncpg.create_pool(url, min_size=0, max_size=2) as pool:
        await pool.execute(OWNER)
        yield in_postgres(pool)


def a_key() -> Key:
    return "uji", a_name()


async def test_cursors_are_summed_for_each_subscription_that_began(world: World) -> None:
    one, other, unknown = a_key(), a_key(), a_key()
    await world.begin(one, {0: 0, 1: 3, 2: 4})
    await world.begin(other, {0: 0, 1: 0})
    assert await world.deliveries.summed_cursors([one, other, unknown]) == {one: 7, other: 0}
    assert await world.deliveries.summed_cursors([other]) == {other: 0}
    assert await world.deliveries.summed_cursors([]) == {}


async def test_what_is_due_is_told_to_its_subscription_alone(world: World) -> None:
    one, other, unknown = a_key(), a_key(), a_key()
    for key in (one, other):
        await world.begin(key, {0: 0})
    assert await world.deliveries.due([one, other, unknown]) == set()
    await world.open(one)
    for _ in range(2):
        assert await world.deliveries.due([one, other, unknown]) == {one}
    assert await world.deliveries.due([other, unknown]) == set()
    assert await world.deliveries.due([]) == set()
    assert await world.deliveries.summed_cursors([one, other]) == {one: 1, other: 0}


async def test_what_is_due_is_found_of_many(world: World) -> None:
    keys = [a_key() for _ in range(9)]
    for key in keys:
        await world.begin(key, {0: 0})
        await world.open(key)
    assert await world.deliveries.due(keys) == set(keys)
    assert await world.deliveries.due(keys[2:4]) == set(keys[2:4])


async def test_without_the_database_every_query_is_unavailable(world: World) -> None:
    key = a_key()
    await world.begin(key, {0: 0})
    await world.end()
    for query in (world.deliveries.due([key]), world.deliveries.summed_cursors([key])):
        with pytest.raises(Unavailable):
            await query
