"""`python -m gateway migrate` and the other commands that an operator runs; safe to repeat."""

import asyncio

import pytest

from deploy.local.postgres import Postgres
from deploy.local.processes import ServerError
from gateway.migrations.run import migrate
from tests.bus import Bus
from tests.servers import SHARDS, as_owner, fresh_database, query

SHAPE = (
    "SELECT table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = 'public' ORDER BY 1, 2"
)


async def test_processes_that_migrate_at_once_do_it_once(postgres: Postgres) -> None:
    url = as_owner(await asyncio.to_thread(fresh_database, postgres))
    await asyncio.gather(*(migrate(url) for _ in range(4)))
    shape = await asyncio.to_thread(query, url, SHAPE)
    await migrate(url)
    assert await asyncio.to_thread(query, url, SHAPE) == shape
    versions = await asyncio.to_thread(query, url, "SELECT version_num FROM alembic_version")
    assert len(versions) == 1


def test_the_command_makes_shards_and_partitions_and_may_be_repeated(
    bus: Bus, postgres: Postgres
) -> None:
    url = as_owner(fresh_database(postgres))
    mine = bus.environ | {"NUSABUS_MIGRATION_DATABASE_URL": url}
    for shards in (SHARDS, SHARDS + 3):
        _run(bus, mine | {"NUSABUS_SHARDS": str(shards)}, "migrate")
        assert query(url, "SELECT count(*) FROM journal_shards")[0][0] == SHARDS
    tables = query(
        url,
        "SELECT FROM pg_class WHERE relname LIKE 'journal\\_entries\\_2%' AND relkind = 'r'",
    )
    assert len(tables) == 4


def test_the_topology_may_be_declared_again(bus: Bus) -> None:
    bus.carry_out("topology")
    bus.carry_out("topology")


def test_a_wrong_setting_is_told_by_its_name(bus: Bus) -> None:
    with pytest.raises(ServerError, match="NUSABUS_SHARDS"):
        _run(bus, bus.environ | {"NUSABUS_SHARDS": "0"}, "migrate")


def test_a_database_that_is_away_is_told_in_a_sentence(bus: Bus) -> None:
    away = bus.environ | {"NUSABUS_DATABASE_URL": "postgresql://u:kata-sandi@127.0.0.1:9/d"}
    with pytest.raises(ServerError) as caught:
        _run(bus, away, "migrate")
    assert "Traceback" not in str(caught.value)
    assert "kata-sandi" not in str(caught.value)


def _run(bus: Bus, environ: dict[str, str], command: str) -> None:
    """A command with settings of its own."""
    kept, bus.environ = bus.environ, environ
    try:
        bus.carry_out(command)
    finally:
        bus.environ = kept
