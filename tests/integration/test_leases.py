"""The scenarios of a lease, on every table that has some: shards and deliveries."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.base.database import Database
from gateway.base.errors import Unavailable
from gateway.base.leases import Key, Lease, LeaseLost, Leases, LeaseTable
from gateway.delivery.store import DeliveryLeases
from gateway.delivery.store.leases import DELIVERY_LEASES
from gateway.journal import ShardLeases
from gateway.journal.shard_leases import SHARD_LEASES
from tests.integration.journal_setup import Journal
from tests.servers import SHARDS

SECONDS = 60.0
SUBSCRIPTION = """
INSERT INTO subscriptions (organisation, name, types, point_to_point, ordered, start, state,
                           generation, password_hash, created, created_by)
VALUES ('uji', $1, '{id.go.uji.a.b.v1}', false, false, '', 'active', 1, '', now(), 'nobody')
"""


OWNER = """
INSERT INTO organisations VALUES ('uji', '', '', false, now());
INSERT INTO clients VALUES ('nobody', 'uji', '', '{}', 'active', now());
"""


@dataclass
class LeaseScenario:
    """A table of leases with four keys that nobody has."""

    journal: Journal
    table: LeaseTable
    keys: Sequence[Key]
    kind: type[Any]

    def process(self, name: str) -> Leases[Lease]:
        leases: Leases[Lease] = self.kind(self.journal.pool, name=name, seconds=SECONDS)
        return leases

    async def expire(self) -> None:
        """Let every lease run out."""
        await self.execute(f"UPDATE {self.table.name} SET expires = now() - interval '1 second'")

    async def execute(self, statement: str) -> None:
        await self.journal.execute(statement)

    async def vacant(self) -> set[Key]:
        """The keys that nobody holds."""
        held = await self.journal.pool.fetch(
            f"SELECT {', '.join(self.table.key)} FROM {self.table.name} "
            "WHERE expires >= clock_timestamp()"
        )
        return set(self.keys) - {tuple(row) for row in held}

    async def until_waiting(self) -> None:
        """Until somebody waits for a lock."""
        async with asyncio.timeout(20):
            while not await self.journal.pool.fetchval(
                "SELECT count(*) FROM pg_locks, pg_sleep(0.01) WHERE NOT granted"
            ):
                pass


@pytest.fixture(params=["shards", "deliveries"])
async def scenario(request: pytest.FixtureRequest, journal: Journal) -> LeaseScenario:
    if request.param == "shards":
        shards = [(shard,) for shard in range(SHARDS)]
        return LeaseScenario(journal, SHARD_LEASES, shards, ShardLeases)
    names = [f"s{number}" for number in range(4)]
    async with journal.connection() as connection:
        await connection.execute(OWNER)
        await connection.executemany(SUBSCRIPTION, [(name,) for name in names])
    return LeaseScenario(
        journal, DELIVERY_LEASES, [("uji", name) for name in names], DeliveryLeases
    )


@pytest.fixture
async def database(journal: Journal) -> AsyncIterator[Database]:
    database = await Database.open(journal.url, connections=1, timeout=10)
    yield database
    await database.close()


async def taken(leases: Leases[Lease], *keys: Key) -> list[Lease]:
    """Leases that are there to be had."""
    found = await leases.take(keys, limit=len(keys))
    assert {lease.key for lease in found} == set(keys)
    return sorted(found, key=lambda lease: keys.index(lease.key))


async def test_a_key_has_one_holder(scenario: LeaseScenario) -> None:
    one, two = scenario.process("one"), scenario.process("two")
    assert await scenario.vacant() == set(scenario.keys)
    key = scenario.keys[0]
    takes = await asyncio.gather(*(each.take([key], limit=1) for each in (one, two) * 4))
    assert sum(map(len, takes)) == 1
    assert await scenario.vacant() == set(scenario.keys[1:])


async def test_many_that_take_at_once_share_without_waiting_in_a_circle(
    scenario: LeaseScenario,
) -> None:
    processes = [scenario.process(f"p{number}") for number in range(6)]
    takes = await asyncio.gather(*(each.take(scenario.keys, limit=2) for each in processes))
    assert all(len(each) <= 2 for each in takes)
    held = [lease.key for each in takes for lease in each]
    assert len(held) == len(set(held))
    rest = await scenario.process("last").take(scenario.keys, limit=len(scenario.keys))
    assert {lease.key for lease in rest} | set(held) == set(scenario.keys)


async def test_no_more_than_the_limit_are_taken(scenario: LeaseScenario) -> None:
    one = scenario.process("one")
    assert len(await one.take(scenario.keys, limit=3)) == 3
    assert len(await one.take(scenario.keys, limit=3)) == len(scenario.keys) - 3
    assert await one.take(scenario.keys, limit=3) == []
    assert await one.take([], limit=3) == []


async def test_a_successor_has_a_greater_epoch(scenario: LeaseScenario) -> None:
    key = scenario.keys[0]
    (old,) = await taken(scenario.process("one"), key)
    await scenario.expire()
    (new,) = await taken(scenario.process("two"), key)
    assert new.epoch > old.epoch


async def test_a_replaced_holder_prolongs_nothing_and_gives_nothing_back(
    scenario: LeaseScenario,
) -> None:
    one, two = scenario.process("one"), scenario.process("two")
    old, kept = await taken(one, *scenario.keys[:2])
    await scenario.execute(
        f"UPDATE {scenario.table.name} SET expires = '-infinity' WHERE epoch = {old.epoch}"
        + (" AND shard = 0" if scenario.table is SHARD_LEASES else "")
    )
    (new,) = await taken(two, old.key)
    await one.renew([old, kept])
    assert not old
    assert kept
    await one.resign([old])
    assert old.key not in await scenario.vacant()
    await two.renew([new])
    assert new


async def test_renewing_prolongs(scenario: LeaseScenario) -> None:
    one = scenario.process("one")
    (lease,) = await taken(one, scenario.keys[0])
    before = lease.expires
    await one.renew([lease])
    assert lease.expires > before
    await one.renew([])


async def test_a_lease_that_is_not_renewed_ends_by_the_clock_of_its_holder(
    scenario: LeaseScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lease,) = await taken(scenario.process("one"), scenario.keys[0])
    assert lease
    monkeypatch.setattr("gateway.base.leases.time.monotonic", lambda: lease.expires)
    assert not lease


async def test_a_resigned_lease_may_be_taken_at_once(scenario: LeaseScenario) -> None:
    one, two = scenario.process("one"), scenario.process("two")
    (lease,) = await taken(one, scenario.keys[0])
    await one.resign([lease])
    assert not lease
    assert scenario.keys[0] in await scenario.vacant()
    (new,) = await taken(two, scenario.keys[0])
    assert new.epoch > lease.epoch


async def test_a_renewal_that_comes_after_a_resignation_prolongs_nothing(
    scenario: LeaseScenario,
) -> None:
    one = scenario.process("one")
    (lease,) = await taken(one, scenario.keys[0])
    late = type(lease)(lease.table, lease.key, lease.epoch, lease.expires, lease.state)
    await one.resign([lease])
    lease.prolong(time.monotonic() + SECONDS)
    assert not lease
    await one.renew([late])
    assert not late
    assert scenario.keys[0] in await scenario.vacant()


async def test_a_fenced_write_counts_only_for_the_holder(
    scenario: LeaseScenario, database: Database
) -> None:
    (old,) = await taken(scenario.process("one"), scenario.keys[0])
    async with database.session() as session:
        await old.fence(session)
    async with scenario.journal.pool.acquire() as connection, connection.transaction():
        await old.fence(connection)
    await scenario.expire()
    await taken(scenario.process("two"), scenario.keys[0])
    async with scenario.journal.pool.acquire() as connection, connection.transaction():
        with pytest.raises(LeaseLost):
            await old.fence(connection)
    async with database.session() as session:
        with pytest.raises(LeaseLost):
            await old.fence(session)
    assert not old


async def test_nobody_takes_over_while_a_fenced_write_is_open(
    scenario: LeaseScenario, database: Database
) -> None:
    one, two = scenario.process("one"), scenario.process("two")
    (lease,) = await taken(one, scenario.keys[0])
    await scenario.expire()
    async with database.session() as session:
        await lease.fence(session)
        attempt = asyncio.create_task(two.take([lease.key], limit=1))
        await scenario.until_waiting()
        assert not attempt.done()
    assert len(await attempt) == 1


async def test_processes_count_each_other_while_they_live(scenario: LeaseScenario) -> None:
    one, two = scenario.process("one"), scenario.process("two")
    assert await one.attend() == 1
    assert await two.attend() == 2
    assert await one.attend() == 2
    await scenario.execute(f"UPDATE {scenario.table.holders} SET seen = now() - interval '61 s'")
    assert await one.attend() == 1
    await one.leave()
    count = await scenario.journal.pool.fetchval(f"SELECT count(*) FROM {scenario.table.holders}")
    assert count == 1


async def test_what_is_asked_of_an_absent_database_is_unavailable(scenario: LeaseScenario) -> None:
    leases = scenario.process("one")
    (lease,) = await taken(leases, scenario.keys[0])
    await scenario.journal.pool.close()
    with pytest.raises(Unavailable):
        await leases.renew([lease])
    assert lease
