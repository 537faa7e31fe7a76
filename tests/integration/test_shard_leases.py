"""Leases of shards: what a relay writes with them, and hints that there is something to read."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from gateway.base.database import Database
from gateway.base.stop import Stop
from gateway.journal import Cursor, HintListener, HintSender, ShardLease, ShardLeases
from tests.builders import a_candidate
from tests.integration.journal_setup import Journal

SECONDS = 60.0
NOW = datetime(2026, 5, 4, tzinfo=UTC)


def relay(journal: Journal, name: str) -> ShardLeases:
    return ShardLeases(journal.pool, name=name, seconds=SECONDS)


async def expire(journal: Journal) -> None:
    """Let every lease run out."""
    await journal.execute("UPDATE journal_leases SET expires = now() - interval '1 second'")


async def taken(leases: ShardLeases, shard: int = 0) -> ShardLease:
    """A lease that is there to be had."""
    (lease,) = await leases.take([(shard,)], limit=1)
    return lease


@pytest.fixture
async def database(journal: Journal) -> AsyncIterator[Database]:
    database = await Database.open(journal.url, connections=1, timeout=10)
    yield database
    await database.close()


async def test_a_successor_goes_on_where_its_predecessor_was(journal: Journal) -> None:
    one, two = relay(journal, "one"), relay(journal, "two")
    old = await taken(one)
    assert old.cursor == old.reached
    old.reached = Cursor(7, NOW)
    await one.renew([old])
    assert old.cursor == Cursor(7, NOW)
    assert await journal.reader.relay_cursor(0) == 7
    await expire(journal)
    new = await taken(two)
    assert new.epoch == old.epoch + 1
    assert new.cursor == new.reached == Cursor(7, NOW)


async def test_a_replaced_lease_moves_nothing(journal: Journal) -> None:
    one, two = relay(journal, "one"), relay(journal, "two")
    old, kept = await taken(one, 0), await taken(one, 1)
    await journal.execute("UPDATE journal_leases SET expires = '-infinity' WHERE shard = 0")
    new = await taken(two, 0)
    old.reached, old.returned, kept.reached = Cursor(99, NOW), 5, Cursor(3, NOW)
    await one.renew([old, kept])
    assert not old
    assert kept
    assert (await journal.reader.relay_cursors())[0] == 0
    assert (await journal.reader.relay_cursors())[1] == 3
    await one.resign([old])
    assert await one.take([(0,)], limit=1) == []
    new.reached = Cursor(4, NOW)
    await two.renew([new])
    assert await journal.reader.relay_cursor(0) == 4


async def test_a_cursor_never_goes_back(journal: Journal) -> None:
    leases = relay(journal, "one")
    lease = await taken(leases)
    for sequence in (9, 5):
        lease.reached = Cursor(sequence, NOW)
        await leases.renew([lease])
    assert await journal.reader.relay_cursor(0) == 9


async def test_returns_are_added_up(journal: Journal) -> None:
    leases = relay(journal, "one")
    lease = await taken(leases)
    for returned in (2, 3):
        lease.returned += returned
        await leases.renew([lease])
        assert lease.returned == 0
    assert await journal.pool.fetchval("SELECT returned FROM journal_leases WHERE shard = 0") == 5


async def test_a_lead_that_is_not_prolonged_ends_by_its_own_clock(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = relay(journal, "one")
    lease = await taken(leases)
    assert lease
    monkeypatch.setattr("gateway.base.leases.time.monotonic", lambda: lease.expires)
    assert not lease
    lease.reached = Cursor(9, NOW)
    await leases.renew([lease])
    assert await journal.reader.relay_cursor(0) == 0


async def test_the_backlog_is_what_is_not_relayed(journal: Journal) -> None:
    leases = relay(journal, "one")
    async with journal.writer() as writer:
        (place,) = await writer.append([a_candidate()])
        await writer.append([a_candidate() for _ in range(9)])
    assert await journal.reader.backlog() == 10
    lease = await taken(leases, place.shard)
    lease.reached = Cursor(1, NOW)
    await leases.renew([lease])
    assert await journal.reader.backlog() == 9


async def test_hints_are_heard_and_survive_a_cut(journal: Journal) -> None:
    stop = Stop()
    sender, hints = HintSender(journal.connect), HintListener(journal.connect)

    async def heard() -> None:
        async with asyncio.timeout(20):
            while not await hints.wake_up.wait(0.05):
                sender.send()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sender.run(stop))
        tasks.create_task(hints.run(stop))
        await heard()
        await journal.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
        await heard()
        stop.set()
    assert await HintListener(journal.connect).wake_up.wait(0.01) is False
