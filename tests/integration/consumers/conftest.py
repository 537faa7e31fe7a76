"""A bus, and a database for the effects of consumers."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from consumers.inbox import Inbox
from deploy.local.postgres import Postgres
from tests.bus import Actor, Bus
from tests.servers import as_owner, fresh_database

EFFECTS = "CREATE TABLE effects (id text PRIMARY KEY, subject text, at serial)"


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


@pytest.fixture
async def database(postgres: Postgres) -> str:
    """A database with a table for effects: a second effect of one event is an error."""
    url = as_owner(await asyncio.to_thread(fresh_database, postgres))
    connection = await asyncpg.connect(url)
    await connection.execute(EFFECTS)
    await connection.close()
    return url


@pytest.fixture
async def inbox(database: str) -> AsyncIterator[Inbox]:
    made = await Inbox.open(database, "uji")
    yield made
    await made.close()
