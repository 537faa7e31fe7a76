"""The tables that the migrations make are those that the code declares."""

import asyncio
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, String, inspect
from sqlmodel import SQLModel

import gateway.contracts.tables
import gateway.identity.tables
import gateway.subscriptions.tables  # noqa: F401 - declares its tables, like those above
from deploy.local.postgres import Postgres
from gateway.base.database import make_engine
from gateway.base.database_hosts import DatabaseHosts
from gateway.migrations.run import migrate
from tests.servers import as_owner, fresh_database
from tests.tables import PLAIN_SQL


async def test_the_migrations_make_the_declared_tables(postgres: Postgres) -> None:
    url = as_owner(await asyncio.to_thread(fresh_database, postgres))
    await migrate(url)
    engine = make_engine(DatabaseHosts(url))
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(_differences) == []
            tables = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    finally:
        await engine.dispose()
    assert tables == set(SQLModel.metadata.tables) | PLAIN_SQL | {"alembic_version"}


def _differences(connection: Connection) -> list[Any]:
    options = {"compare_type": _compare_type, "include_object": _is_compared}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, SQLModel.metadata))


def _is_compared(found: Any, name: str | None, kind: str, in_database: bool, other: Any) -> bool:
    """Everything declared; in the database also its columns.

    Indexes and foreign keys that only the database has are no business of the declarations.
    """
    if kind == "table":
        return name in SQLModel.metadata.tables
    return not in_database or other is not None or kind == "column"


def _compare_type(_: Any, __: Any, ___: Any, inspected: Any, declared: Any) -> bool | None:
    """Text in the database may be declared as any string; the rest is compared by Alembic."""
    declared = getattr(declared, "impl", declared)  # what SQLModel wraps
    return False if isinstance(inspected, String) and isinstance(declared, String) else None
