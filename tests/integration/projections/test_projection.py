"""A projection on a real database: position and effect together, parked keys, live effects."""

import asyncio
from typing import Any

import asyncpg
import pytest

from consumers.projection.definition import Connection
from consumers.projection.failures import EventFailed
from consumers.projection.parking import discard_first, parked_keys, retry_key
from consumers.projection.store import Superseded, begin_build, create_tables, provide_build
from tests.integration.projections.counting import Counting, Doubling
from tests.integration.projections.memory_feed import MemoryFeed, MemoryJournal
from tests.integration.projections.working import counts, until, up_to, working


async def test_events_are_applied_and_a_restart_goes_on(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    for number in range(30):
        journal.append(f"s{number % 3}", {"n": number})
    async with working(Counting(), url, journal, batch=7):
        await up_to(connection, journal)
    before = await counts(url)
    journal.append("s0", {"n": 1000})
    async with working(Counting(), url, journal):
        await up_to(connection, journal)
    assert before == {f"s{s}": (10, sum(range(s, 30, 3))) for s in range(3)}
    assert (await counts(url))["s0"] == (11, sum(range(0, 30, 3)) + 1000)


async def test_a_poison_event_parks_its_key_alone(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    for subject, number in (("a", 1), ("b", 1), ("a", -5), ("b", 2), ("a", 7), ("c", 3)):
        journal.append(subject, {"n": number})
    projection = Counting()
    async with working(projection, url, journal):
        await up_to(connection, journal)
        assert await counts(url) == {"a": (1, 1), "b": (2, 3), "c": (1, 3)}
        [parked] = await parked_keys(connection, "counting", 1)
        assert parked.key == "/uji\na"
        assert parked.events == 2
        assert parked.reason.startswith("CheckViolationError (23514) at counting.py:")
        with pytest.raises(EventFailed):
            await retry_key(connection, projection, 1, parked.key)
        journal.append("a", {"n": 10})
        await up_to(connection, journal)
        assert await discard_first(connection, "counting", 1, parked.key, "a typing error")
        assert await retry_key(connection, projection, 1, parked.key) == 2
        assert (await counts(url))["a"] == (3, 18)
        journal.append("a", {"n": 1})
        await up_to(connection, journal)
    assert (await counts(url))["a"] == (4, 19)
    assert await parked_keys(connection, "counting", 1) == []


async def test_a_reason_says_nothing_of_the_event(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    projection = Counting()
    projection.broken = {"a"}
    journal.append("a", {"n": 1})
    async with working(projection, url, journal):
        await up_to(connection, journal)
        [parked] = await parked_keys(connection, "counting", 1)
        assert "secret" not in parked.reason
        projection.broken.clear()
        assert await retry_key(connection, projection, 1, parked.key) == 1
    assert await counts(url) == {"a": (1, 1)}


async def test_live_effects_come_once_and_never_for_what_was_before(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    journal.append("a", {"n": 1})
    projection = Counting()
    projection.failing_effects = 2

    async def sent() -> bool:
        return len(projection.sent) == 2

    async with working(projection, url, journal):
        await up_to(connection, journal)
        replayed = journal.append("a", {"n": 1}, replayof="x")
        now = [journal.append("a", {"n": 1}), journal.append("b", {"n": 1})]
        await up_to(connection, journal)
        await until(sent)
    async with working(projection, url, journal):
        journal.append("c", {"n": 1}, replayof="x")
        await up_to(connection, journal)
    assert sorted(id for id, _ in projection.sent) == sorted(now)
    assert replayed not in now
    assert len({key for _, key in projection.sent}) == 2


async def test_a_stream_that_breaks_and_repeats_changes_nothing(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    yielded = 0

    def pause() -> Any:
        nonlocal yielded
        yielded += 1
        if yielded % 10 == 0:
            raise ConnectionError
        return asyncio.sleep(0)

    for number in range(25):
        journal.append("a" if number % 2 else "b", {"n": 1})
    async with working(Counting(), url, journal, feed=MemoryFeed(journal, pause), batch=4):
        await up_to(connection, journal)
    assert await counts(url) == {"a": (12, 12), "b": (13, 13)}


async def test_two_processes_are_as_one(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    for _ in range(50):
        journal.append("a", {"n": 1})
    async with working(Counting(), url, journal, batch=3), working(Counting(), url, journal):
        await up_to(connection, journal)
    assert await counts(url) == {"a": (50, 50)}


async def test_what_a_restored_journal_lost_ends_the_build(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    for _ in range(4):
        journal.append("a", {"n": 1}, shard=0)
    journal.append("b", {"n": 1}, shard=1)
    async with working(Counting(), url, journal):
        await up_to(connection, journal)
    journal.restore(2, 1)
    journal.append("a", {"n": 100}, shard=0)
    async with working(Counting(), url, journal):
        why = await until(
            lambda: connection.fetchval("SELECT diverged FROM projections.builds"),
        )
    assert "lost: [" in why
    assert await counts(url) == {"a": (4, 4), "b": (1, 1)}


async def test_a_restore_of_what_was_not_applied_is_nothing(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    journal.append("a", {"n": 1}, shard=0)
    async with working(Counting(), url, journal):
        await up_to(connection, journal)
    await connection.execute("UPDATE projections.builds SET position = '0:1.7'")  # other types
    journal.restore(1, 0)
    journal.append("b", {"n": 1}, shard=1)
    async with working(Counting(), url, journal):
        await up_to(connection, journal)
    assert await counts(url) == {"a": (1, 1), "b": (1, 1)}


async def test_a_table_without_a_primary_key_is_refused(connection: Connection) -> None:
    class Keyless(Counting):
        name = "keyless"
        tables = "CREATE TABLE counts (subject text)"

    await create_tables(connection)
    with pytest.raises(ValueError, match="Table counts of projection keyless has no primary key"):
        await provide_build(connection, Keyless)
    assert await connection.fetchval("SELECT count(*) FROM projections.projections") == 0


async def test_an_old_version_without_a_build_is_refused(connection: Connection) -> None:
    await create_tables(connection)
    assert await provide_build(connection, Doubling) == 1
    with pytest.raises(Superseded, match="Version 1 of projection counting has no build"):
        await provide_build(connection, Counting)
    assert await begin_build(connection, Counting) == 2
    assert await provide_build(connection, Counting) == 2


async def test_an_outage_of_the_database_is_waited_out(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    for _ in range(20):
        journal.append("a", {"n": 1})
    async with working(Counting(), url, journal, batch=1):
        await up_to(connection, journal)
        for _ in range(3):
            await _cut(connection)
            journal.append("a", {"n": 1})
            await up_to(connection, journal)
    assert await counts(url) == {"a": (23, 23)}


async def _cut(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'projection' AND datname = current_database()"
    )
