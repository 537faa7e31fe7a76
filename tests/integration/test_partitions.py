"""The journal's shards and monthly partitions: made once, used, and robust to a wrong clock."""

import json
from datetime import UTC, date, datetime

import asyncpg
import pytest

from gateway.journal import Cursor, create_partitions, create_shards
from gateway.journal import sql as statements
from gateway.journal.partitions import create_partition
from tests.builders import a_candidate
from tests.integration.journal_setup import Journal

NOW = datetime.now(UTC)


async def partitions(journal: Journal) -> set[str]:
    """The names of all partitions."""
    return {row[0] for row in await journal.pool.fetch(statements.PARTITIONS)}


async def create_months(journal: Journal, *months: date) -> list[bool]:
    """Create the partitions of months that the processes may not choose; which were created."""
    async with journal.owner() as connection:
        statement = "SELECT journal_create_partition($1)"
        return [await create_partition(connection, statement, month) for month in months]


async def scanned(journal: Journal, statement: str, *arguments: object) -> set[str]:
    """The tables that a plan reads."""
    async with journal.connection() as connection:
        rows = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *arguments)
    found: set[str] = set()
    nodes = [json.loads(rows)[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if "Relation Name" in node:
            found.add(node["Relation Name"])
    return found


async def test_making_shards_again_changes_nothing(journal: Journal) -> None:
    before = await journal.reader.heads()
    async with journal.writer() as writer:
        await writer.append([a_candidate()])
    stands = await journal.reader.heads()
    async with journal.owner() as connection:
        for number in (4, 9):
            await create_shards(connection, number)
    assert await journal.reader.heads() == stands
    assert before.keys() == stands.keys() == (await journal.reader.relay_cursors()).keys()


async def test_partitions_for_this_month_and_three_more(journal: Journal) -> None:
    before = await partitions(journal)
    assert len(before) == 4 + 1
    async with journal.connection() as connection:
        await create_partitions(connection)
    assert await partitions(journal) == before
    made = await create_months(journal, date(2031, 12, 31), date(2032, 1, 1), date(2031, 12, 1))
    assert made == [True, True, False]
    names = {"journal_entries_2031_12", "journal_entries_2032_01"}
    assert await partitions(journal) == before | names


@pytest.mark.parametrize("ahead", [-1, 4, None, 2**31 - 1])
async def test_a_process_creates_no_other_partitions(journal: Journal, ahead: int | None) -> None:
    async with journal.connection() as connection:
        with pytest.raises(asyncpg.InvalidParameterValueError, match="this month and the next"):
            await connection.execute("SELECT journal_create_coming_partition($1)", ahead)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT journal_create_partition('2031-01-01')")


async def test_partitions_are_made_while_events_come_in(journal: Journal) -> None:
    async with journal.owner() as reading, journal.writer() as writer:
        async with reading.transaction():  # a long read of what is there
            await reading.fetch("SELECT FROM journal_entries_default")
            await writer.append([a_candidate()])
        await create_months(journal, date(2031, 1, 1))
        await writer.append([a_candidate()])
    assert await journal.require_gapless() == 2


async def test_an_entry_goes_to_its_month(journal: Journal) -> None:
    async with journal.writer() as writer:
        await writer.append([a_candidate()])
    month = f"journal_entries_{NOW.year}_{NOW.month:02}"
    async with journal.owner() as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {month}") == 1


async def test_a_clock_that_jumps_fills_the_default_partition(journal: Journal) -> None:
    async with journal.writer() as writer:
        await writer.append([a_candidate(subject="one")])
        await journal.execute("UPDATE journal_shards SET recorded = '2040-06-15'")
        (place,) = await writer.append([a_candidate(subject="one")])
    assert place.recorded.year == 2040
    async with journal.owner() as connection:
        assert await connection.fetchval("SELECT count(*) FROM journal_entries_default") == 1
    assert await journal.reader.entry_at(place.shard, place.sequence) is not None
    assert len(await journal.reader.after(place.shard, Cursor(0), limit=9)) == 2
    assert await journal.require_gapless() == 2


async def test_entries_outside_of_every_month_do_not_stop_later_months(journal: Journal) -> None:
    """A month whose entries the default partition holds already stays there; others are made."""
    async with journal.writer() as writer:
        await journal.execute("UPDATE journal_shards SET recorded = '2040-06-15'")
        await writer.append([a_candidate()])
    made = await create_months(journal, *(date(2040, month, 1) for month in (5, 6, 7)))
    assert made == [True, False, True]
    assert await journal.require_gapless() == 1


@pytest.mark.parametrize("statement", ["READ", "READ_TYPES"])
async def test_who_knows_the_time_of_its_place_reads_no_older_partition(
    journal: Journal, statement: str
) -> None:
    await create_months(journal, date(2020, 1, 1))
    month = f"journal_entries_{NOW.year}_{NOW.month:02}"
    rest = (9, "x", 5) if statement == "READ_TYPES" else (5,)
    tables = await scanned(journal, getattr(statements, statement), 0, 1, NOW, *rest)
    assert month in tables
    assert not any("2020" in table for table in tables)


async def test_an_entry_at_a_known_time_is_one_look_at_one_partition(journal: Journal) -> None:
    tables = await scanned(journal, statements.ENTRY_AT_TIME, 0, 1, NOW)
    assert tables == {f"journal_entries_{NOW.year}_{NOW.month:02}"}
