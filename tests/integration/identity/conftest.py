"""One installation for each test, with its first administrator."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.identity_world import Actor, World, a_world


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """Empties the database and runs a gateway on it."""
    async with a_world(database_url, empty=True) as world:
        yield world


@pytest.fixture
async def admin(world: World) -> Actor:
    """The operator's administrator."""
    return await world.administrator()
