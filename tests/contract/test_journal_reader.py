"""The scenarios of reading the journal, on the fake of unit tests and on PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest

from gateway.base import type_pattern
from gateway.base.errors import Unavailable
from gateway.base.event import Event, with_identity
from gateway.journal import BEGINNING, Candidate, Cursor, JournalReader
from gateway.journal.reader import SPAN
from tests.builders import FREE, an_event
from tests.integration.journal_setup import Journal
from tests.memory_journal import MemoryJournal

OTHER = "id.go.uji.lain.dicatat.v1"
EVERYTHING = type_pattern.expression([FREE, OTHER])


@dataclass
class World:
    """A journal without entries; all events of the tests go to one shard of it."""

    reader: JournalReader | MemoryJournal
    append: Callable[[Sequence[Event]], Awaitable[int]]
    """Append events, and return their shard."""
    end: Callable[[], Awaitable[None]]
    """Make the journal unavailable."""


def in_memory() -> World:
    journal = MemoryJournal()

    async def append(events: Sequence[Event]) -> int:
        return {journal.append(event).shard for event in events}.pop()

    async def end() -> None:
        journal.unavailable = True

    return World(journal, append, end)


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest, journal: Journal) -> AsyncIterator[World]:
    if request.param == "memory":
        yield in_memory()
        return
    async with journal.writer() as writer:

        async def append(events: Sequence[Event]) -> int:
            appended = await writer.append(
                [Candidate(event, "uji-client", "uji", 1) for event in events]
            )
            (shard,) = {each.shard for each in appended}
            return shard

        yield World(journal.reader, append, journal.pool.close)


async def test_a_head_is_at_the_last_entry(world: World) -> None:
    before = await world.reader.heads()
    assert {head.sequence for head in before.values()} == {0}
    shard = await world.append([an_event(), an_event()])
    heads = await world.reader.heads()
    assert heads[shard].sequence == 2
    assert heads.keys() == before.keys()
    assert {head.sequence for at, head in heads.items() if at != shard} <= {0}


async def test_matching_entries_come_in_order_and_within_bounds(world: World) -> None:
    kinds = [FREE, OTHER, FREE, FREE, OTHER]
    shard = await world.append([an_event(type=type) for type in kinds])
    beginning, free = Cursor(0, BEGINNING), type_pattern.expression([FREE])

    async def read(cursor: Cursor, until: int, types_wanted: str, limit: int) -> list[int]:
        entries = await world.reader.matching(
            shard, cursor, until=until, types=types_wanted, limit=limit
        )
        assert all(entry.shard == shard for entry in entries)
        return [entry.sequence for entry in entries]

    assert await read(beginning, 5, free, 10) == [1, 3, 4]
    assert await read(beginning, 5, EVERYTHING, 2) == [1, 2]
    assert await read(beginning, 3, free, 10) == [1, 3]
    assert await read(Cursor(3, BEGINNING), 5, EVERYTHING, 10) == [4, 5]
    assert await read(Cursor(5, BEGINNING), 5, EVERYTHING, 10) == []
    assert await read(beginning, 5, type_pattern.expression([]), 10) == []


async def test_the_types_between_two_heads(world: World) -> None:
    first = await world.reader.heads()
    shard = await world.append([an_event(type=OTHER)])
    second = await world.reader.heads()
    await world.append([an_event(), an_event(type=FREE)])
    third = await world.reader.heads()
    assert await world.reader.types_between(first, second) == {shard: {OTHER}}
    assert await world.reader.types_between(second, third) == {shard: {FREE}}
    assert await world.reader.types_between(first, third) == {shard: {FREE, OTHER}}
    assert await world.reader.types_between(third, third) == {}
    assert await world.reader.types_between({}, third) is None


async def test_the_types_of_too_many_entries_are_unknown(world: World) -> None:
    low = await world.reader.heads()
    for _ in range(2):
        shard = await world.append([an_event() for _ in range(SPAN // 2)])
    assert await world.reader.types_between(low, await world.reader.heads()) == {shard: {FREE}}
    await world.append([an_event()])
    assert await world.reader.types_between(low, await world.reader.heads()) is None


async def test_entries_are_found_by_identity(world: World) -> None:
    identity = b"r" * 16
    event, reply = an_event(), with_identity(an_event(), identity)
    await world.append([an_event(), event, reply])
    found = await world.reader.find_all([event.identity, identity, b"unknown-identity"])
    assert {key: entry.event.id for key, entry in found.items()} == {
        event.identity: event.id,
        identity: reply.id,
    }
    assert await world.reader.find_all([]) == {}


async def test_without_the_journal_every_query_is_unavailable(world: World) -> None:
    heads = await world.reader.heads()
    await world.end()
    reader = world.reader
    for query in (
        reader.heads(),
        reader.matching(0, Cursor(0, BEGINNING), until=1, types=EVERYTHING, limit=1),
        reader.types_between(heads, heads),
        reader.find_all([b"r" * 16]),
    ):
        with pytest.raises(Unavailable):
            await query
