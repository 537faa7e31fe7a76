"""The private servers of a test run: one PostgreSQL, one RabbitMQ, much on each."""

import asyncio
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx

from deploy.local.postgres import Postgres, copy_database
from deploy.local.rabbitmq import USER, RabbitMQ
from gateway import contracts, identity, journal
from gateway.base.database import Database, Topic
from gateway.base.settings import Settings
from gateway.migrations.run import migrate

SECRET_KEY = "a secret key that is only for tests."
METRICS_TOKEN = "a token that is only for tests."
SHARDS = 4
UNSYNCED = {"fsync": "off", "full_page_writes": "off"}
"""Settings of PostgreSQL that matter only where the machine itself goes down, which no test does.

Each commit is still written to the kernel before it is answered, so a server that is killed finds
it again. A database is copied in a third of the time, as the disk need not have it yet.
"""
SMALL = {"shared_buffers": "128MB", **UNSYNCED}

_numbers = itertools.count(1)
_servers: dict[int, Postgres] = {}  # by port


def fresh_database(postgres: Postgres, template: str = "template1") -> str:
    """The URL of a new database, empty or a copy of another, as the gateway's processes log in.

    PostgreSQL takes the copied sequences for logged, and they would go back at a crash: a
    checkpoint makes it log the next number of each.
    """
    name = f"t{os.getpid()}_{next(_numbers)}"
    for statement in copy_database(name, template):
        query(postgres.superuser_url, statement)
    query(postgres.superuser_url, "CHECKPOINT")
    _servers[postgres.port] = postgres
    return _on(name, postgres.url)


def as_owner(url: str) -> str:
    """The same database as its owner, for what the gateway's processes may not do."""
    parts = urlsplit(url)
    return _on(parts.path[1:], _servers[parts.port or 0].owner_url)


def as_superuser(url: str) -> str:
    """The same database as the superuser."""
    parts = urlsplit(url)
    return _on(parts.path[1:], _servers[parts.port or 0].superuser_url)


def _on(database: str, url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def forge(url: str, statement: str, *arguments: Any) -> None:
    """Change what nobody may change: as the superuser, without triggers."""

    async def run() -> None:
        connection = await asyncpg.connect(
            as_superuser(url), server_settings={"session_replication_role": "replica"}
        )
        try:
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()

    asyncio.run(run())


def query(url: str, statement: str, *arguments: Any) -> Sequence[Any]:
    """The rows of one statement, on a connection of its own."""

    async def run() -> Sequence[Any]:
        connection = await asyncpg.connect(url)
        try:
            rows: Sequence[Any] = await connection.fetch(statement, *arguments)
            return rows
        finally:
            await connection.close()

    return asyncio.run(run())


def fresh_virtual_host(rabbitmq: RabbitMQ) -> str:
    """The administrator's AMQP URL on a new virtual host."""
    name = f"t{next(_numbers)}"
    with httpx.Client(base_url=rabbitmq.management_url) as management:
        management.put(f"/api/vhosts/{name}").raise_for_status()
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        management.put(f"/api/permissions/{name}/{USER}", json=rights).raise_for_status()
    return f"{rabbitmq.amqp_url.rpartition('/')[0]}/{name}"


def small_postgres(folder: Path) -> Postgres:
    """A server for tests, with less memory. What it committed outlives a kill -9 of it."""
    return Postgres(folder, settings=SMALL)


async def furnish(url: str, folder: Path) -> tuple[str, str]:
    """Make the tables, load contracts, and make the administrator: its id and secret.

    What the commands migrate, contracts and bootstrap do, without starting three processes.
    """
    await migrate(as_owner(url))
    connection = await asyncpg.connect(as_owner(url))
    await journal.create_shards(connection, SHARDS)
    await journal.create_partitions(connection)
    await connection.close()
    settings = Settings.parse(
        {
            "NUSABUS_DATABASE_URL": url,
            "NUSABUS_AMQP_URL": "amqp://unused",
            "NUSABUS_SECRET_KEY": SECRET_KEY,
        }
    )
    database = await Database.open(url, connections=1, timeout=10)
    try:
        async with database.change(Topic.IDENTITY) as session:
            for owner in contracts.owners(folder):
                await identity.provide_organisation(
                    session, name=owner.name, title=owner.title, description=owner.description
                )
        async with database.change(Topic.CONTRACTS) as session:
            for submission in contracts.submissions(folder):
                inline = contracts.admit(submission)
                await contracts.register(session, submission, inline=inline)
        id, secret = await identity.bootstrap(database, settings, reset=False)
        return id, secret.get_secret_value()
    finally:
        await database.close()
