"""`python -m gateway migrate` and the other commands that an operator runs; safe to repeat."""

import asyncio
from importlib import import_module

import msgspec
import pytest

from deploy.local.postgres import Postgres
from deploy.local.processes import ServerError
from gateway.migrations.run import migrate
from gateway.subscriptions import Endpoint, Terms
from tests.bus import Bus
from tests.servers import SHARDS, fresh_database, query

SHAPE = (
    "SELECT table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = 'public' ORDER BY 1, 2"
)


async def test_processes_that_migrate_at_once_do_it_once(postgres: Postgres) -> None:
    url = await asyncio.to_thread(fresh_database, postgres)
    await asyncio.gather(*(migrate(url) for _ in range(4)))
    shape = await asyncio.to_thread(query, url, SHAPE)
    await migrate(url)
    assert await asyncio.to_thread(query, url, SHAPE) == shape
    versions = await asyncio.to_thread(query, url, "SELECT version_num FROM alembic_version")
    assert len(versions) == 1


def test_the_command_makes_shards_and_partitions_and_may_be_repeated(
    bus: Bus, postgres: Postgres
) -> None:
    url = fresh_database(postgres)
    mine = bus.environ | {"NUSABUS_DATABASE_URL": url}
    for shards in (SHARDS, SHARDS + 3):
        _run(bus, mine | {"NUSABUS_SHARDS": str(shards)}, "migrate")
        assert query(url, "SELECT count(*) FROM journal_shard")[0][0] == SHARDS
    tables = query(url, "SELECT relname FROM pg_class WHERE relname LIKE 'journal\\_entry\\_2%'")
    assert len([row for row in tables if not row[0].endswith("pkey")]) == 4


def test_the_topology_may_be_declared_again(bus: Bus) -> None:
    bus.carry_out("topology")
    bus.carry_out("topology")


def test_a_wrong_setting_is_told_by_its_name(bus: Bus) -> None:
    with pytest.raises(ServerError, match="NUSABUS_SHARDS"):
        _run(bus, bus.environ | {"NUSABUS_SHARDS": "0"}, "migrate")


def test_a_database_that_is_away_is_told_in_a_sentence(bus: Bus) -> None:
    away = bus.environ | {"NUSABUS_DATABASE_URL": "postgresql://u:p@127.0.0.1:9/d"}
    with pytest.raises(ServerError) as caught:
        _run(bus, away, "migrate")
    assert "Traceback" not in str(caught.value)


def _run(bus: Bus, environ: dict[str, str], command: str) -> None:
    """A command with settings of its own."""
    kept, bus.environ = bus.environ, environ
    try:
        bus.carry_out(command)
    finally:
        bus.environ = kept


def test_the_rate_of_an_endpoint_becomes_one_of_the_terms(postgres: Postgres) -> None:
    url = fresh_database(postgres)
    asyncio.run(migrate(url))
    terms = '{"attempts":3,"endpoint":{"url":"https://a.example/","rate":2.5}}'
    add = (
        "INSERT INTO subscriptions (organisation, name, types, point_to_point, ordered, start, "
        "state, generation, password_hash, created, created_by, repairs, delivery, terms) "
        "VALUES ('uji', $1, '{a}', false, false, 'now', 'active', 1, '', now(), 'a', 0, $2, $3)"
    )
    query(url, "INSERT INTO organisations VALUES ('uji', 'Uji', '', false, now())")
    query(url, "INSERT INTO clients VALUES ('a', 'uji', 'A', '{}', 'active', now())")
    query(url, add, "lama", "webhook", terms)
    query(url, add, "tanpa", "pull", "{}")
    query(url, import_module("gateway.migrations.versions.0016_terms").RATE)
    found = query(url, "SELECT terms FROM subscriptions ORDER BY name")
    assert [msgspec.json.decode(row[0], type=Terms) for row in found] == [
        Terms(attempts=3, endpoint=Endpoint("https://a.example/"), rate=2.5),
        Terms(),
    ]


def test_what_died_before_learns_of_its_event(postgres: Postgres) -> None:
    url = fresh_database(postgres)
    asyncio.run(migrate(url))
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    attributes = f'{{"traceparent":"00-{trace}-00f067aa0ba902b7-01"}}'
    entry = (
        "INSERT INTO journal_entry VALUES (0, 1, '2026-05-04Z', '/uji', 'e1', 't', null, $1, '{}', "
        "false, '', 'a', 1)"
    )
    letter = (
        "INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, failure, "
        "detail, attempts) VALUES ('lain', 's', 0, $1::bigint, '2026-05-04Z', 't', 'rejected', '', "
        "1)"
    )
    query(url, "INSERT INTO organisations VALUES ('uji', 'Uji', '', false, now())")
    query(url, "INSERT INTO clients VALUES ('a', 'uji', 'A', '{}', 'active', now())")
    query(url, "ALTER TABLE dead_letters DISABLE TRIGGER dead_letters_learn")
    query(url, entry, attributes)
    query(url, letter, 1)
    query(url, letter, 2)
    query(url, import_module("gateway.migrations.versions.0017_dead_letters").LEARNT)
    facts = "SELECT publisher, source, event, trace FROM dead_letters ORDER BY sequence"
    known, gone = (tuple(row) for row in query(url, facts))
    assert known == ("uji", "/uji", "e1", trace)
    assert gone == (None, None, None, None)
