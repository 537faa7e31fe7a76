"""A journal of before, with entries in their older form, is migrated while it is in use."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from datetime import date
from importlib import import_module
from typing import Any

import asyncpg
import msgspec
import pytest

from deploy.local.postgres import Postgres
from gateway.base.event import Event
from gateway.journal import Candidate, Cursor
from gateway.migrations.run import OWNER, migrate
from tests.builders import a_candidate
from tests.integration.journal_setup import Journal, a_journal
from tests.servers import SHARDS, as_owner, fresh_database

KINDS: tuple[dict[str, Any], ...] = (
    {"attributes": {"datacontenttype": "application/json", "time": "2026-05-04T00:00:00Z"}},
    {"attributes": {"datacontenttype": "application/json"}},
    {"attributes": {"datacontenttype": "application/json; charset=utf-8", "n": 1, "yes": True}},
    {"attributes": {}, "subject": None},
    {"attributes": {"datacontenttype": "text/plain"}, "data": b"\0\xff", "binary": True},
    {"data": None},
    {
        "subject": "é\u2028\U0001f600",
        "attributes": {
            "zz": '"\\/ü',
            "a1": "",
            "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
            "partitionkey": "k",
            "a": False,
            "datacontenttype": "application/json",
            "count": -7,
        },
    },
)
UNIQUE = """
SELECT count(*) FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indrelid
WHERE h.inhparent = 'journal_rows'::regclass AND i.indisvalid AND i.indisunique
"""
KEYS = "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'journal_entries%pkey'"
WAITS = """
SELECT count(*) FROM pg_stat_progress_create_index, pg_sleep(0.01)
WHERE datname = current_database() AND phase LIKE 'waiting for%'
"""
WAITING = """
SELECT count(*) FROM pg_locks, pg_sleep(0.01)
WHERE NOT granted AND relation IS NOT NULL
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.fixture
async def before(postgres: Postgres) -> AsyncIterator[Journal]:
    """A journal as the baseline makes it."""
    baseline = import_module("gateway.migrations.versions.0001_baseline")
    url = await asyncio.to_thread(fresh_database, postgres)
    owner = await asyncpg.connect(as_owner(url), server_settings=OWNER)
    try:
        for room in baseline._ROOMS:
            await owner.execute((baseline._FOLDER / f"{room}.sql").read_text())
        await owner.execute(
            "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
            f"INSERT INTO alembic_version VALUES ('{baseline.revision}')"
        )
    finally:
        await owner.close()
    async with a_journal(url) as journal:
        yield journal


async def append_as_before(journal: Journal, *candidates: Candidate) -> list[tuple[int, bool]]:
    """What a process of before sends. Whether each was stored before, by its number."""
    rows = []
    for each in candidates:
        event = each.event
        head = (event.id, event.source, event.type, event.subject or "", each.client)
        rows.append(
            (
                zlib.crc32(event.ordering_key.encode()) % SHARDS,
                event.identity + event.digest + (b"\1" if event.binary else b"\0"),
                "\n".join((*head, str(each.contract_version), each.publisher)),
                msgspec.json.encode(event.attributes).decode(),
                event.data,
            )
        )
    answers = await journal.pool.fetch(
        "SELECT r_ord FROM journal_append($1, $2, $3, $4, $5) ORDER BY r_ord",
        *zip(*rows, strict=True),
    )
    known = {row["r_ord"] for row in answers}
    return [(number, number in known) for number in range(1, len(rows) + 1)]


def of_all_kinds() -> list[Candidate]:
    return [a_candidate(**kind) for kind in KINDS]


async def events(journal: Journal) -> dict[str, tuple[Event, str, str, int, bytes]]:
    """Every entry as readers get it, by its id."""
    found = {}
    for shard in range(SHARDS):
        for e in await journal.reader.after(shard, Cursor(0), limit=100):
            found[e.event.id] = (e.event, e.client, e.publisher, e.contract_version, e.digest)
    return found


def expected(*candidates: Candidate) -> dict[str, tuple[Event, str, str, int, bytes]]:
    return {
        c.event.id: (c.event, c.client, c.publisher, c.contract_version, c.event.digest)
        for c in candidates
    }


async def test_entries_of_both_forms_are_read_and_known(before: Journal) -> None:
    old, new, late = of_all_kinds(), of_all_kinds(), of_all_kinds()
    await append_as_before(before, *old)
    await migrate(as_owner(before.url))
    async with before.writer() as writer:
        again = await writer.append([*old, *new])
    assert [each.duplicate for each in again] == [True] * len(old) + [False] * len(new)
    assert [each.digest for each in again[: len(old)]] == [each.event.digest for each in old]
    # A process of before goes on until it is replaced, and knows what the others have stored.
    assert [known for _, known in await append_as_before(before, *new, *late)] == (
        [True] * len(new) + [False] * len(late)
    )
    assert await events(before) == expected(*old, *new, *late)
    assert await before.require_gapless() == 3 * len(KINDS)
    for each in (*old, *new):
        found = await before.reader.find(each.event.identity)
        assert found is not None
        assert found.event == each.event
    by_type = await before.reader.types_between(
        {shard: Cursor(0) for shard in range(SHARDS)}, await before.reader.heads()
    )
    assert by_type is not None
    assert set().union(*by_type.values()) == {each.event.type for each in old}


async def test_older_processes_read_what_newer_ones_write(before: Journal) -> None:
    """The name of the table of before shows each row with all of its columns."""
    await migrate(as_owner(before.url))
    new = of_all_kinds()
    async with before.writer() as writer:
        await writer.append(new)
    for row in await before.pool.fetch("SELECT * FROM journal_entries"):
        event, *facts, digest = expected(*new)[row["id"]]
        stored = (row["source"], row["type"], row["subject"], row["data"], row["is_binary"])
        assert stored == (event.source, event.type, event.subject, event.data, event.binary)
        assert msgspec.json.decode(row["attributes"]) == event.attributes
        assert [row["client"], row["publisher"], row["contract_version"]] == facts
        assert row["digest"] == digest


async def test_an_append_that_waits_for_the_migration_is_stored(before: Journal) -> None:
    migration = import_module("gateway.migrations.versions.0002_compact_entries")
    old = of_all_kinds()
    async with before.owner() as owner, before.owner() as looks:
        await append_as_before(before, old[0])  # its statements are planned from here on
        await owner.execute("BEGIN")
        for part in migration.PARTS:
            await owner.execute((migration.FOLDER / f"{part}.sql").read_text())
        appends = asyncio.create_task(append_as_before(before, *old))
        async with asyncio.timeout(20):
            while not await looks.fetchval(WAITING):
                assert not appends.done()
        await owner.execute("COMMIT")
    assert [known for _, known in await appends] == [True] + [False] * (len(old) - 1)
    assert await events(before) == expected(*old)
    assert await before.require_gapless() == len(KINDS)


async def test_events_come_in_while_the_indexes_are_made(before: Journal) -> None:
    async with before.owner() as owner, before.owner() as looks:
        await owner.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await owner.execute("SELECT FROM alembic_version")  # whoever has an older view of things
        migration = asyncio.create_task(migrate(as_owner(before.url)))
        async with asyncio.timeout(20):
            while not await looks.fetchval(WAITS):
                assert not migration.done()
        async with before.writer() as writer:
            assert not (await writer.append([a_candidate()]))[0].duplicate
        assert not migration.done()
        await owner.execute("COMMIT")
        await migration
        await looks.fetchval("SELECT journal_create_partition($1)", date(2031, 5, 1))
        partitions = await looks.fetchval(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'journal_rows'::regclass"
        )
        assert partitions == 4 + 1 + 1
        # A partition keeps no index of before, and one that is made later gets none.
        assert await looks.fetchval(UNIQUE) == partitions
        assert await looks.fetchval(KEYS) == 0
    assert await before.require_gapless() == 1


async def test_an_index_that_was_not_finished_is_made_again(before: Journal) -> None:
    async with before.owner() as owner, before.owner() as looks:
        await owner.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await owner.execute("SELECT FROM alembic_version")
        migration = asyncio.create_task(migrate(as_owner(before.url)))
        async with asyncio.timeout(20):
            while not await looks.fetchval(WAITS):
                assert not migration.done()
        await looks.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index "
            "WHERE datname = current_database()"
        )
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            await migration
        assert await looks.fetchval("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 1
        await owner.execute("COMMIT")
        await migrate(as_owner(before.url))
        assert await looks.fetchval("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
        assert await looks.fetchval(KEYS) == 0
    async with before.writer() as writer:
        await writer.append(of_all_kinds())
    assert await before.require_gapless() == len(KINDS)
