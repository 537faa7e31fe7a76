"""A service's own database, and a projection at work on it."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from consumers.projection.definition import Connection
from deploy.local.postgres import Postgres
from tests.integration.projections.memory_feed import MemoryJournal
from tests.servers import as_owner, fresh_database


@pytest.fixture
async def url(postgres: Postgres) -> str:
    """An empty database."""
    return as_owner(await asyncio.to_thread(fresh_database, postgres))


@pytest.fixture
async def connection(url: str) -> AsyncIterator[Connection]:
    """A look at it."""
    made: Connection = await asyncpg.connect(url)
    yield made
    await made.close()


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()
