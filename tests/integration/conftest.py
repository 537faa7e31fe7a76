"""Databases for tests of single parts, on the one server of the run."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.postgres import Postgres
from gateway.migrations.run import migrate
from tests.integration.journal_setup import Journal, a_journal
from tests.servers import as_owner, fresh_database


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The name of a database with all tables and nothing in them, to be copied."""
    url = fresh_database(postgres)
    asyncio.run(migrate(as_owner(url)))
    return url.rpartition("/")[2]


@pytest.fixture(scope="module")
def database_url(postgres: Postgres, migrated: str) -> str:
    """A database of the module's own, with all tables."""
    return fresh_database(postgres, migrated)


@pytest.fixture
async def journal(postgres: Postgres, migrated: str) -> AsyncIterator[Journal]:
    """A journal of the test's own, with nothing in it."""
    url = await asyncio.to_thread(fresh_database, postgres, migrated)
    async with a_journal(url) as journal:
        yield journal


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Once this file is there, the defects are gone."""
    return tmp_path_factory.mktemp("defect") / "mended"
