"""Leads: one at a time, told apart by epochs, and hints that there is something to read."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from gateway.base.database import Database
from gateway.base.stop import Stop
from gateway.journal import Cursor, HintListener, HintSender, Lead, LeadLost, Leads
from tests.builders import a_candidate
from tests.integration.journal_world import Journal
from tests.servers import SHARDS

LEASE = 60.0
NOW = datetime(2026, 5, 4, tzinfo=UTC)


def relay(journal: Journal, name: str) -> Leads:
    return Leads(journal.pool, name=name, lease=LEASE)


async def expire(journal: Journal) -> None:
    """Let every lease run out."""
    await journal.pool.execute("UPDATE journal_leases SET expires = now() - interval '1 second'")


async def taken(leads: Leads, shard: int = 0) -> Lead:
    """A lead that is there to be had."""
    lead = await leads.take(shard)
    assert lead is not None
    return lead


@pytest.fixture
async def database(journal: Journal) -> AsyncIterator[Database]:
    database = await Database.open(journal.url, connections=1, timeout=10)
    yield database
    await database.close()


async def test_a_shard_has_one_lead(journal: Journal) -> None:
    one, two = relay(journal, "one"), relay(journal, "two")
    assert set(await one.vacant()) == set(range(SHARDS))
    takes = await asyncio.gather(*(each.take(0) for each in (one, two) * 4))
    assert sum(lead is not None for lead in takes) == 1
    assert set(await two.vacant()) == set(range(1, SHARDS))


async def test_a_successor_goes_on_where_its_predecessor_was(journal: Journal) -> None:
    one, two = relay(journal, "one"), relay(journal, "two")
    old = await taken(one)
    assert old.cursor == old.reached
    old.reached = Cursor(7, NOW)
    await one.advance([old])
    assert old.cursor == Cursor(7, NOW)
    assert await journal.reader.relay_cursor(0) == 7
    await expire(journal)
    new = await taken(two)
    assert new.epoch == old.epoch + 1
    assert new.cursor == new.reached == Cursor(7, NOW)


async def test_who_was_replaced_moves_nothing(journal: Journal) -> None:
    one, two = relay(journal, "one"), relay(journal, "two")
    old, kept = await taken(one, 0), await taken(one, 1)
    await journal.pool.execute("UPDATE journal_leases SET expires = '-infinity' WHERE shard = 0")
    new = await taken(two, 0)
    old.reached, old.returned, kept.reached = Cursor(99, NOW), 5, Cursor(3, NOW)
    await one.advance([old, kept])
    assert not old
    assert kept
    assert (await journal.reader.relay_cursors())[0] == 0
    assert (await journal.reader.relay_cursors())[1] == 3
    await one.resign(old)
    assert 0 not in await one.vacant()
    new.reached = Cursor(4, NOW)
    await two.advance([new])
    assert await journal.reader.relay_cursor(0) == 4


async def test_a_cursor_never_goes_back(journal: Journal) -> None:
    leads = relay(journal, "one")
    lead = await taken(leads)
    for sequence in (9, 5):
        lead.reached = Cursor(sequence, NOW)
        await leads.advance([lead])
    assert await journal.reader.relay_cursor(0) == 9


async def test_returns_are_added_up(journal: Journal) -> None:
    leads = relay(journal, "one")
    lead = await taken(leads)
    for returned in (2, 3):
        lead.returned += returned
        await leads.advance([lead])
        assert lead.returned == 0
    assert await journal.pool.fetchval("SELECT returned FROM journal_leases WHERE shard = 0") == 5


async def test_a_lead_that_is_not_prolonged_ends_by_its_own_clock(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads = relay(journal, "one")
    lead = await taken(leads)
    assert lead
    monkeypatch.setattr("gateway.journal.shard_leases.time.monotonic", lambda: lead.expires)
    assert not lead
    lead.reached = Cursor(9, NOW)
    await leads.advance([lead])
    assert await journal.reader.relay_cursor(0) == 0


async def test_advancing_prolongs(journal: Journal) -> None:
    leads = relay(journal, "one")
    lead = await taken(leads)
    before = lead.expires
    await leads.advance([lead])
    assert lead.expires > before


async def test_who_resigns_may_be_followed_at_once(journal: Journal) -> None:
    one, two = relay(journal, "one"), relay(journal, "two")
    lead = await taken(one)
    await one.resign(lead)
    assert not lead
    assert (await taken(two)).epoch == lead.epoch + 1


async def test_a_fenced_write_counts_only_for_the_lead(
    journal: Journal, database: Database
) -> None:
    one, two = relay(journal, "one"), relay(journal, "two")
    old = await taken(one)
    async with database.session() as session:
        await old.fence(session)
    await expire(journal)
    await taken(two)
    async with database.session() as session:
        with pytest.raises(LeadLost):
            await old.fence(session)
    assert not old


async def test_nobody_takes_over_while_a_fenced_write_is_open(
    journal: Journal, database: Database
) -> None:
    one, two = relay(journal, "one"), relay(journal, "two")
    lead = await taken(one)
    await expire(journal)
    async with database.session() as session:
        await lead.fence(session)
        attempt = asyncio.create_task(two.take(0))
        await until_waiting(journal)
        assert not attempt.done()
    assert await attempt is not None


async def until_waiting(journal: Journal) -> None:
    """Until somebody waits for a lock."""
    async with asyncio.timeout(20):
        while not await journal.pool.fetchval(
            "SELECT count(*) FROM pg_locks, pg_sleep(0.01) WHERE NOT granted"
        ):
            pass


async def test_relays_count_each_other_while_they_live(journal: Journal) -> None:
    one, two = relay(journal, "one"), relay(journal, "two")
    assert await one.attend() == 1
    assert await two.attend() == 2
    assert await one.attend() == 2
    await journal.pool.execute("UPDATE journal_relays SET seen = now() - interval '61 s'")
    assert await one.attend() == 1
    await one.leave()
    assert await journal.pool.fetchval("SELECT count(*) FROM journal_relays") == 1


async def test_the_backlog_is_what_is_not_relayed(journal: Journal) -> None:
    leads = relay(journal, "one")
    async with journal.writer() as writer:
        (place,) = await writer.append([a_candidate()])
        await writer.append([a_candidate() for _ in range(9)])
    assert await journal.reader.backlog() == 10
    lead = await taken(leads, place.shard)
    lead.reached = Cursor(1, NOW)
    await leads.advance([lead])
    assert await journal.reader.backlog() == 9


async def test_hints_are_heard_and_survive_a_cut(journal: Journal) -> None:
    stop = Stop()
    sender, hints = HintSender(journal.connect), HintListener(journal.connect)

    async def heard() -> None:
        async with asyncio.timeout(20):
            while not await hints.wait(0.05):
                sender.send()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sender.run(stop))
        tasks.create_task(hints.run(stop))
        await heard()
        await journal.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await heard()
        stop.set()
    assert await HintListener(journal.connect).wait(0.01) is False
