"""One installation for each test, with its first administrator."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.identity_api import Actor, IdentityApi, an_identity_api


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[IdentityApi]:
    """Empties the database and runs a gateway on it."""
    async with an_identity_api(database_url, empty=True) as api:
        yield api


@pytest.fixture
async def admin(api: IdentityApi) -> Actor:
    """The operator's administrator."""
    return await api.administrator()
