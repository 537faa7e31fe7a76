"""What the contracts keep no longer goes, month by month; what somebody needs stays and is told."""

from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from gateway.base import type_pattern
from tests.builders import a_candidate
from tests.integration.journal_setup import Journal
from tests.integration.retention_setup import (
    EVER,
    LONG,
    SHORT,
    Retention,
    a_week_ago,
    contracts,
    fill,
    kept,
    months_ago,
)

OLD, RECENT = months_ago(14), months_ago(4)


@pytest.fixture
async def retention(journal: Journal, postgres: Postgres) -> Retention:
    """Contracts that keep 30 days, 300 days and for ever."""
    await contracts(journal)
    return Retention(journal, postgres)


def of(month: date, *types: str, count: int) -> dict[tuple[str, str], int]:
    """What is expected of a month."""
    return {(f"{month:%Y-%m}", type_): count for type_ in types}


async def test_what_is_over_goes_and_the_rest_stays_where_it_was(
    journal: Journal, retention: Retention
) -> None:
    await fill(journal, OLD, SHORT, LONG, EVER, times=10)
    await fill(journal, RECENT, SHORT, LONG, shard=1, times=5)
    before = await rows(journal)
    await retention.run()
    left = of(OLD, EVER, count=10) | of(RECENT, LONG, count=5)
    assert await kept(journal) == left
    assert await rows(journal) == [
        row for row in before if row["type"] != SHORT and (row["type"], row["shard"]) != (LONG, 0)
    ]
    await retention.run()
    assert await kept(journal) == left, "a second run has nothing to do"
    report = await journal.pool.fetch(
        "SELECT kind, type, shard, month, count, lowest, highest FROM retention_removals "
        "ORDER BY month, type, shard"
    )
    assert [tuple(row) for row in report] == [
        ("events", LONG, 0, OLD, 10, 2, 29),
        ("events", SHORT, 0, OLD, 10, 1, 28),
        ("events", SHORT, 1, RECENT, 5, 1, 9),
    ]
    floors = await journal.pool.fetch("SELECT type, shard, sequence FROM journal_floors")
    assert {tuple(row) for row in floors} == {(LONG, 0, 29), (SHORT, 0, 28), (SHORT, 1, 9)}


async def test_a_month_with_nothing_left_is_dropped_and_intake_goes_on(
    journal: Journal, retention: Retention
) -> None:
    await fill(journal, RECENT, SHORT, f"{SHORT}.reply", times=3)  # a reply goes as its request
    await retention.run()
    assert await kept(journal) == {}
    async with journal.owner() as owner:
        found = await owner.fetch(
            "SELECT relname FROM pg_class WHERE relname LIKE $1", f"%{RECENT:%Y_%m}%"
        )
    assert found == [], "tables and indexes are gone, and with them the disk they took"
    async with journal.writer() as writer:
        await writer.append([a_candidate(subject=str(n)) for n in range(8)])
    assert len(await journal.entries()) == 8


async def test_a_month_is_copied_again_when_more_of_it_is_over(
    journal: Journal, retention: Retention
) -> None:
    await fill(journal, OLD, SHORT, LONG, EVER, times=4)
    await journal.execute(f"UPDATE contracts SET retention_days = NULL WHERE type = '{LONG}'")
    await retention.run()
    assert await kept(journal) == of(OLD, LONG, EVER, count=4)
    await journal.execute(f"UPDATE contracts SET retention_days = 300 WHERE type = '{LONG}'")
    await retention.run()
    assert await kept(journal) == of(OLD, LONG, EVER, count=4), "a change waits a week"
    await a_week_ago(journal)
    await retention.run()
    assert await kept(journal) == of(OLD, EVER, count=4)
    for statement in ("UPDATE {0} SET id = id", "DELETE FROM {0}", "TRUNCATE {0}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
            await journal.execute(statement.format(f"journal_entries_{OLD:%Y_%m}"))


async def test_a_copy_that_an_older_version_has_begun_is_begun_again(
    journal: Journal, retention: Retention
) -> None:
    await fill(journal, OLD, SHORT, EVER, times=10)
    login = await retention.connect()
    try:
        while await login.fetchval("SELECT retention_count(7)"):
            pass
        await login.execute("SELECT FROM retention_decide()")
        assert await login.fetchval("SELECT retention_copy(7)")
        assert await login.fetchval("SELECT retention_copy(7)")
    finally:
        await login.close()
    async with journal.owner() as owner:
        copy = f"journal_entries_{OLD:%Y_%m}_kept"
        assert await owner.fetchval(f"SELECT count(*) FROM {copy}") > 0
        await owner.execute(f"DROP TABLE {copy}; CREATE TABLE {copy} (LIKE journal_entries)")
    await retention.run()
    assert await kept(journal) == of(OLD, EVER, count=10)


async def test_what_is_not_over_is_not_touched(journal: Journal, retention: Retention) -> None:
    await fill(journal, months_ago(1), SHORT, times=3)
    async with journal.writer() as writer:
        await writer.append([a_candidate(type=SHORT)])
    before = await rows(journal)
    await retention.run()
    assert await rows(journal) == before
    assert not await journal.pool.fetch("SELECT FROM retention_removals")


SUBSCRIBED = """
INSERT INTO clients VALUES ('c', 'uji', '', '{}', 'active', now());
INSERT INTO subscriptions (organisation, name, types, point_to_point, ordered, start, delivery,
    state, generation, password_hash, created, created_by)
VALUES ('uji', 'lambat', '{%s}', false, false, 'now', '%s', 'active', 1, '', now(), 'c');
"""
AMQP = "INSERT INTO subscription_cursors VALUES ('uji', 'lambat', 0, 0, 0, true, 9, 2)"
PULL = "INSERT INTO delivery_cursors VALUES ('uji', 'lambat', 0, 0, 2)"
OPEN = "INSERT INTO delivery_open VALUES ('uji', 'lambat', 0, 1, now(), '%s', '', 0, now())"
DEAD = (
    "INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, failure, "
    "detail, attempts) VALUES ('uji', 'lambat', 0, 1, now(), '%s', 'rejected', '', 1)"
)


@pytest.mark.parametrize(
    ("types", "delivery", "needs", "reason", "ends"),
    [
        (SHORT, "amqp", AMQP, "unread", "UPDATE subscription_cursors SET drained = 3"),
        ("id.go.uji.*", "amqp", AMQP, "unread", "UPDATE subscription_cursors SET drained = 3"),
        ("id.go.*.*.*.v1", "pull", PULL, "unread", "UPDATE delivery_cursors SET sequence = 3"),
        (SHORT, "webhook", PULL, "unread", "DELETE FROM subscriptions"),
        (EVER, "pull", OPEN % SHORT, "open", "DELETE FROM delivery_open"),
        (EVER, "pull", DEAD % SHORT, "dead-letter", "UPDATE dead_letters SET state = 'discarded'"),
    ],
)
async def test_what_somebody_still_has_to_get_stays_until_then(
    journal: Journal,
    retention: Retention,
    types: str,
    delivery: str,
    needs: str,
    reason: str,
    ends: str,
) -> None:
    await fill(journal, RECENT, SHORT, times=3)
    await fill(journal, months_ago(3), SHORT, times=2)
    await journal.execute(SUBSCRIBED % (types, delivery))
    await journal.execute(needs)
    await retention.run()
    assert await kept(journal) == of(RECENT, SHORT, count=3) | of(months_ago(3), SHORT, count=2)
    held = await journal.pool.fetch("SELECT * FROM retention_holds ORDER BY month")
    assert (held[0]["subscription"], held[0]["reason"], held[0]["entries"]) == ("lambat", reason, 3)
    assert not await journal.pool.fetch("SELECT FROM journal_floors"), "nothing was decided"
    await journal.execute(ends)
    await retention.run()
    left = of(months_ago(3), SHORT, count=2) if "= 3" in ends else {}
    assert await kept(journal) == left


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        (SHORT, {SHORT}),
        ("id.go.uji.*", {SHORT, LONG}),
        ("id.go.*.simpan.pendek.v1", {SHORT}),
        ("id.go.uji.simpan.*.v1", {SHORT, LONG}),
        ("id.go.uji.simpan.pendek.v2", set()),
        ("id.go.ujixsimpan.*", set()),
        (f"{SHORT}.reply", {f"{SHORT}.reply"}),
    ],
)
async def test_patterns_match_as_they_do_in_the_gateway(
    journal: Journal, pattern: str, matched: set[str]
) -> None:
    types = [SHORT, LONG, f"{SHORT}.reply"]
    async with journal.owner() as owner:
        found = {
            t for t in types if await owner.fetchval("SELECT type_matches($1, $2)", pattern, t)
        }
    assert found == {t for t in types if type_pattern.matches(pattern, t)} == matched


async def test_a_run_that_was_cut_short_is_continued_and_loses_nothing(
    journal: Journal, retention: Retention
) -> None:
    await fill(journal, OLD, SHORT, EVER, times=10)
    connection = await retention.connect()
    try:
        while await connection.fetchval("SELECT retention_count(6)"):
            pass
        await connection.fetch("SELECT retention_decide()")
        for _ in range(3):
            assert await connection.fetchval("SELECT retention_copy(6)")
        assert await connection.fetch("SELECT retention_swap()") == [], "the copy is not complete"
    finally:
        await connection.close()
    assert await kept(journal) == of(OLD, SHORT, EVER, count=10)
    await retention.run()
    assert await kept(journal) == of(OLD, EVER, count=10)


async def test_a_copy_that_lost_something_takes_nobodys_place(
    journal: Journal, retention: Retention
) -> None:
    await fill(journal, OLD, SHORT, EVER, times=10)
    connection = await retention.connect()
    try:
        while await connection.fetchval("SELECT retention_count(6)"):
            pass
        await connection.fetch("SELECT retention_decide()")
        while await connection.fetchval("SELECT retention_copy(6)"):
            pass
        await journal.execute("UPDATE journal_months SET copied_entries = copied_entries - 1")
        with pytest.raises(asyncpg.DataCorruptedError, match="Nothing was removed"):
            await connection.fetch("SELECT retention_swap()")
    finally:
        await connection.close()
    assert await kept(journal) == of(OLD, SHORT, EVER, count=10)


async def test_intake_never_waits_for_the_lock_of_others(
    journal: Journal, retention: Retention
) -> None:
    """A long reader keeps the partition where it is; appends go on beside both."""
    await fill(journal, RECENT, SHORT, times=3)
    connection = await retention.connect()
    try:
        while await connection.fetchval("SELECT retention_count(6)"):
            pass
        await connection.fetch("SELECT retention_decide()")
        while await connection.fetchval("SELECT retention_copy(6)"):
            pass
        async with journal.connection() as reader, journal.writer() as writer:
            async with reader.transaction():
                await reader.fetch("SELECT FROM journal_entries")
                with pytest.raises(asyncpg.LockNotAvailableError):
                    await connection.fetch("SELECT retention_swap()")
                await writer.append([a_candidate()])
            assert await connection.fetch("SELECT retention_swap()")
    finally:
        await connection.close()
    assert len(await journal.entries()) == 1


async def rows(journal: Journal) -> list[Any]:
    """Every entry, whole."""
    return await journal.pool.fetch("SELECT * FROM journal_entries ORDER BY shard, sequence")


def test_the_months_of_these_tests_are_past() -> None:
    assert datetime.now(UTC).date() > months_ago(1) > RECENT > OLD
