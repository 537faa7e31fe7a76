"""Databases for tests of single parts, on the one server of the run."""

import asyncio

import pytest

from deploy.local.postgres import Postgres
from gateway.migrations.run import migrate
from tests.servers import fresh_database


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The name of a database with all tables and nothing in them, to be copied."""
    url = fresh_database(postgres)
    asyncio.run(migrate(url))
    return url.rpartition("/")[2]


@pytest.fixture(scope="module")
def database_url(postgres: Postgres, migrated: str) -> str:
    """A database of the module's own, with all tables."""
    return fresh_database(postgres, migrated)
