"""Blue/green: a build beside the active one, compared, switched to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from consumers.events import Event
from consumers.projection import reading
from consumers.projection.definition import Connection
from consumers.projection.parking import retry_key
from consumers.projection.status import status
from consumers.projection.store import begin_build, connect
from consumers.projection.switching import NotPossible, compare, drop, switch
from tests.integration.projections.counting import Counting, Doubling
from tests.integration.projections.memory_feed import MemoryJournal
from tests.integration.projections.working import (
    applied,
    counts,
    has_builds,
    until,
    up_to,
    working,
)


@asynccontextmanager
async def both(
    old: Counting, new: Counting, url: str, journal: MemoryJournal, **more: Any
) -> AsyncIterator[None]:
    """Two versions at work, the second beside the first."""
    connection = await connect(url)
    async with working(old, url, journal, **more):
        await until(lambda: has_builds(connection, 1))
        async with working(new, url, journal, **more):
            await until(lambda: has_builds(connection, 2))
            await connection.close()
            yield


async def test_a_rebuild_is_equal_and_takes_over(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    for number in range(40):
        journal.append(f"s{number % 7}", {"n": 1 if number % 11 else -100})
    projection = Counting()
    async with working(projection, url, journal):
        await up_to(connection, journal)
        before = await counts(url)
        build = await begin_build(connection, Counting)
        await up_to(connection, journal, build)
        comparison = await compare(connection, "counting", build)
        assert comparison.different == []
        [(active, other)] = comparison.tables.values()
        assert active.rows == other.rows == len(before)
        assert [b.different for b in (await status(connection, "counting")).builds] == [None, []]
        await switch(connection, "counting", build)
        assert await counts(url) == before
        sent = journal.append("new", {"n": 3})
        await up_to(connection, journal, build)
        assert await drop(connection, "counting", 1)
        await until(lambda: _has_sent(projection, sent))
    assert (await counts(url))["new"] == (1, 3)
    assert [id for id, _ in projection.sent] == [sent]  # nothing of the rebuild


async def _has_sent(projection: Counting, id: str) -> bool:
    return id in [each for each, _ in projection.sent]


async def test_a_difference_is_seen_and_needs_a_reason(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    class Other(Counting):
        version = 2

        async def handle(self, event: Event, connection: Connection) -> None:
            if event.subject != "a":
                await super().handle(event, connection)

    journal.append("a", {"n": 1})
    journal.append("b", {"n": 1})
    async with both(Counting(), Other(), url, journal):
        await up_to(connection, journal, 2)
        with pytest.raises(NotPossible, match="was not compared with build 1"):
            await switch(connection, "counting", 2)
        comparison = await compare(connection, "counting", 2)
        assert comparison.different == ["counts"]
        with pytest.raises(NotPossible, match="differs in counts"):
            await switch(connection, "counting", 2)
        with pytest.raises(NotPossible, match="is active"):
            await drop(connection, "counting", 1)
        await switch(connection, "counting", 2, despite="a is not counted any more")
    assert await counts(url) == {"b": (1, 1)}


async def test_an_event_that_a_new_version_applies_has_its_effect_with_the_switch(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    class Correct(Counting):
        version = 2

    old, new = Counting(), Correct()
    old.broken = {"a", "b"}
    new.broken = {"b"}
    async with both(old, new, url, journal):
        ids = [journal.append(each, {"n": 1}) for each in ("a", "b", "c")]
        await up_to(connection, journal, 1)
        await up_to(connection, journal, 2)
        await until(lambda: _all_sent(old, new, ids[2:]))  # by the version that is active now
        assert await compare(connection, "counting", 2)
        await switch(connection, "counting", 2, despite="a is counted now")
        await until(lambda: _all_sent(old, new, ids[:2]))
        new.broken.clear()
        assert await retry_key(connection, new, 2, "/uji\nb") == 1
        await until(lambda: _all_sent(old, new, ids))
        with pytest.raises(LookupError, match="Build 1 of counting has version 1"):
            await retry_key(connection, new, 1, "/uji\nb")
    assert [id for id, _ in old.sent] == [ids[2]]
    assert [id for id, _ in new.sent] == ids[:2]


async def test_a_follower_that_starts_again_drops_what_the_stream_repeats(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    for shard in (0, 0, 1, 1, 1):
        journal.append("ab"[shard], {"n": 1}, shard=shard)
    async with working(Counting(), url, journal):
        await up_to(connection, journal)
    journal.append("a", {"n": 1}, shard=0)  # which build 1 does not apply yet

    async def is_as_far_as_build_1() -> bool:
        return await applied(connection, 2) == {"0": 2, "1": 3}

    async with working(Doubling(), url, journal):
        await until(is_as_far_as_build_1)
    position = await connection.fetchval("SELECT position FROM projections.builds WHERE build = 2")
    assert position == "0:2.0"  # shard 1 comes again
    async with working(Doubling(), url, journal), working(Counting(), url, journal):
        await up_to(connection, journal, 2)
        comparison = await compare(connection, "counting", 2)
        assert comparison.different == []
        assert comparison.left_out == ["counts.doubled"]
    assert await counts(url) == {"a": (3, 3), "b": (3, 3)}


async def test_a_switch_under_traffic_loses_and_repeats_no_effect(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    old, new = Counting(), Doubling()
    ids: list[str] = []
    stop = asyncio.Event()

    async def traffic() -> None:
        while not stop.is_set():
            ids.append(journal.append(f"s{len(ids) % 5}", {"n": 1}))
            await asyncio.sleep(0.005)

    async with both(old, new, url, journal, batch=5):
        task = asyncio.create_task(traffic())
        assert (await compare(connection, "counting", 2)).left_out == ["counts.doubled"]
        await switch(connection, "counting", 2)
        await asyncio.sleep(0.2)
        await switch(connection, "counting", 1, despite="back again")
        await switch(connection, "counting", 2, despite="and forth")
        await asyncio.sleep(0.2)
        stop.set()
        await task
        await up_to(connection, journal, 1)
        await up_to(connection, journal, 2)
        await until(lambda: _all_sent(old, new, ids))
    assert sorted(id for id, _ in [*old.sent, *new.sent]) == sorted(ids)
    assert new.sent
    assert sum(total for _, total in (await counts(url)).values()) == len(ids)


async def _all_sent(old: Counting, new: Counting, ids: list[str]) -> bool:
    return len(old.sent) + len(new.sent) >= len(ids)


async def test_a_reader_stays_with_its_build_until_it_is_done(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    journal.append("a", {"n": 1})
    async with (
        working(Counting(), url, journal),
        asyncpg.create_pool(url, min_size=1, max_size=1) as pool,
    ):
        await up_to(connection, journal)
        build = await begin_build(connection, Counting)
        await up_to(connection, journal, build)
        other = await connect(url)
        async with reading(pool, "counting") as read:
            await switch(connection, "counting", build, despite="a test")
            dropping = asyncio.create_task(drop(other, "counting", 1))
            await asyncio.sleep(0.1)
            assert await read.fetchval("SELECT total FROM counts") == 1
            assert not dropping.done()
        assert await dropping
        await other.close()


async def test_after_a_restore_a_rebuild_takes_over_and_repeats_no_effect(
    url: str, connection: Connection, journal: MemoryJournal
) -> None:
    projection = Counting()
    async with working(projection, url, journal):
        await until(lambda: has_builds(connection, 1))
        ids = [journal.append("a", {"n": 1}, shard=0) for _ in range(4)]
        await until(lambda: _all_sent(projection, Counting(), ids))
    journal.restore(2, 0)
    journal.append("a", {"n": 1}, shard=0, id=ids[3])  # published again
    ids.append(journal.append("b", {"n": 1}, shard=0))
    async with working(projection, url, journal):
        await until(lambda: connection.fetchval("SELECT diverged FROM projections.builds"))
        build = await begin_build(connection, Counting)
        await up_to(connection, journal, build)
        await switch(connection, "counting", build)
        await until(lambda: _all_sent(projection, Counting(), ids))
    assert await counts(url) == {"a": (3, 3), "b": (1, 1)}
    assert [id for id, _ in projection.sent] == ids
