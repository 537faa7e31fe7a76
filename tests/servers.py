"""The private servers of a test run: one PostgreSQL, one RabbitMQ, much on each."""

import asyncio
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import USER, RabbitMQ

_numbers = itertools.count(1)


def fresh_database(postgres: Postgres, template: str = "template1") -> str:
    """The URL of a new database, empty or a copy of another."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    query(postgres.superuser_url, f"CREATE DATABASE {name} OWNER nusabus TEMPLATE {template}")
    return f"{postgres.url.rpartition('/')[0]}/{name}"


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
    """A server for tests: durable as any, with less memory."""
    return Postgres(folder, settings={"shared_buffers": "128MB"})
