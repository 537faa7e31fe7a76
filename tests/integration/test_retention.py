"""What may be taken out of the database, when, and by which login."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from gateway.delivery import set_ledger_retention
from tests.builders import a_candidate
from tests.integration.journal_setup import Journal

OLD = date(2020, 3, 17)
PARTITION = "journal_entries_2020_03"
DETACH = "SELECT journal_detach_partition($1)"
DROP = "SELECT journal_drop_detached($1)"
RELAYED = "UPDATE journal_leases SET cursor_sequence = 99"
DEAD = (
    "INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, failure, "
    "detail, attempts) VALUES ('uji', 'lama', 0, 1, now(), 't', 'rejected', '', 1)"
)


@asynccontextmanager
async def archivist(journal: Journal, postgres: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """The login that is for retention alone."""
    url = urlsplit(postgres.retention_url)._replace(path=urlsplit(journal.url).path)
    connection = await asyncpg.connect(urlunsplit(url))
    try:
        yield connection
    finally:
        await connection.close()


async def an_old_month(journal: Journal) -> None:
    """Entries of a month long ago: the clock was wrong, or time went by."""
    async with journal.owner() as owner, journal.writer() as writer:
        await owner.fetchval("SELECT journal_create_partition($1)", OLD)
        await writer.append([a_candidate()])
        await owner.execute(
            f"INSERT INTO {PARTITION} SELECT shard, sequence + 1, $1, source, id, type, subject, "
            "attributes, data, is_binary, digest, client, publisher, contract_version "
            "FROM journal_entries",
            OLD,
        )


async def test_an_old_partition_is_detached_and_then_dropped(
    journal: Journal, postgres: Postgres
) -> None:
    await an_old_month(journal)
    await journal.execute(RELAYED)
    async with archivist(journal, postgres) as login, journal.writer() as writer:
        with pytest.raises(asyncpg.RaiseError, match="not detached"):
            await login.fetchval(DROP, OLD)
        assert await login.fetchval(DETACH, OLD) == PARTITION
        assert await login.fetchval(f"SELECT count(*) FROM {PARTITION}") == 1, "to be copied away"
        assert len(await journal.entries()) == 1
        await writer.append([a_candidate()])
        with pytest.raises(asyncpg.RaiseError, match="no partition"):
            await login.fetchval(DETACH, OLD)
        assert await login.fetchval(DROP, OLD) == PARTITION
        rows = await login.fetch("SELECT partition, detached_by FROM journal_detachments")
        assert [tuple(row) for row in rows] == [(PARTITION, "archivist")]


@pytest.mark.parametrize(
    ("statement", "needed"),
    [("UPDATE journal_leases SET cursor_sequence = 0", "the relay"), (DEAD, "uji/lama")],
)
async def test_a_partition_that_is_needed_stays(
    journal: Journal, postgres: Postgres, statement: str, needed: str
) -> None:
    await an_old_month(journal)
    await journal.execute(RELAYED)
    async with journal.owner() as owner:
        (shard,) = {row[0] for row in await owner.fetch(f"SELECT shard FROM {PARTITION}")}
    await journal.execute(statement.replace("'lama', 0, 1", f"'lama', {shard}, 1"))
    async with archivist(journal, postgres) as login:
        with pytest.raises(asyncpg.RaiseError, match=f"still needed by: {needed}"):
            await login.fetchval(DETACH, OLD)
    assert len(await journal.entries()) == 2


async def test_a_young_partition_and_the_default_one_stay(
    journal: Journal, postgres: Postgres
) -> None:
    async with archivist(journal, postgres) as login:
        with pytest.raises(asyncpg.RaiseError, match="less than a year ago"):
            await login.fetchval(DETACH, datetime.now(UTC).date())
        for statement in (DETACH, DROP):
            with pytest.raises(asyncpg.RaiseError):
                await login.fetchval(statement, date(1999, 1, 1))


async def test_the_login_for_retention_can_do_nothing_else(
    journal: Journal, postgres: Postgres
) -> None:
    async with archivist(journal, postgres) as login:
        tables = await login.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p') "
            "AND relname NOT IN ('journal_detachments', 'journal_origins')"
        )
        for (table,) in tables:
            for statement in ("SELECT FROM {0}", "DELETE FROM {0}", "DROP TABLE {0}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await login.execute(statement.format(table))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute("SELECT journal_append_rows('{}', '{}', '{}', '{}', '{}', '{}')")


async def test_the_ledger_is_deleted_when_its_time_is_over_and_not_before(journal: Journal) -> None:
    add = (
        "INSERT INTO delivery_settlements VALUES ('uji', 'x', 0, 1, 1, '{1}', 'acknowledged', "
        "now() - interval '%s days')"
    )
    count = "SELECT count(*) FROM delivery_settlements"
    async with journal.owner() as owner, journal.connection() as app:
        for days in (1, 29, 31):
            await app.execute(add % days)
        for statement in ("DELETE FROM {0}", "UPDATE {0} SET name = 'y'", "TRUNCATE {0}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="not allowed"):
                await owner.execute(statement.format("delivery_settlements"))
        await app.execute("SELECT delivery_forget()")
        assert await app.fetchval(count) == 3, "kept for 90 days, unless migrate says otherwise"
        await set_ledger_retention(owner, 30)
        await app.execute("SELECT delivery_forget()")
        assert await app.fetchval(count) == 2
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await set_ledger_retention(app, 1)
