"""A journal that goes back in time is noticed by whoever enters it: a new incarnation."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from deploy.local.postgres import Postgres, copy_database, programs
from gateway.base.errors import IdentifierReused, JournalUnavailable
from gateway.journal import Cursor, Incarnation, JournalReader, JournalRestored, ShardLeases
from tests.builders import a_candidate
from tests.integration.journal_setup import Journal
from tests.servers import as_superuser

MILLIARD = 10**9
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Known = dict[int, tuple[int, datetime]]


async def append(journal: Journal, count: int = 20) -> set[tuple[int, int]]:
    """The positions of new entries."""
    async with journal.writer() as writer:
        appended = await writer.append([a_candidate(subject=str(n)) for n in range(count)])
    return {(each.shard, each.sequence) for each in appended}


@asynccontextmanager
async def a_process(journal: Journal) -> AsyncIterator[Journal]:
    """The journal as another process sees it, from now on."""
    incarnation = Incarnation()
    async with asyncpg.create_pool(
        journal.url, min_size=0, max_size=2, init=incarnation.enter
    ) as pool:
        yield Journal(journal.url, pool, JournalReader(pool, incarnation, timeout=10), incarnation)


async def remember(journal: Journal, id: str | None, known: Known) -> str:
    """Enter as somebody who knows this; the present incarnation."""
    connection = await asyncpg.connect(journal.url)
    try:
        await Incarnation(id, known).compare(connection)
        return str(
            await connection.fetchval(
                "SELECT id FROM journal_incarnations ORDER BY number DESC LIMIT 1"
            )
        )
    finally:
        await connection.close()


async def test_who_knows_no_more_than_the_journal_changes_nothing(journal: Journal) -> None:
    await append(journal)
    async with a_process(journal) as other:
        await other.reader.heads()
        assert other.incarnation.id == journal.incarnation.id
        known = dict(other.incarnation.known)
        assert await remember(journal, other.incarnation.id, known) == other.incarnation.id
    assert len(journal.incarnation.history) == 1


async def test_entries_that_are_missing_begin_an_incarnation(journal: Journal) -> None:
    first = await append(journal)
    heads = await journal.reader.heads()
    id = journal.incarnation.id
    present = await remember(journal, id, {0: (heads[0].sequence + 7, NOW)})
    assert present != id
    with pytest.raises(JournalRestored):
        await journal.reader.heads()
    assert journal.incarnation.over
    async with a_process(journal) as after:
        assert await after.reader.heads() == heads  # nothing was appended yet
        assert await after.reader.backlog() == len(first)
        second = await append(after)
        assert min(sequence for _, sequence in second) == MILLIARD + 1
        assert await after.reader.backlog() == len(first | second)
        found = [each async for each in everything(after.reader)]
        assert set(found) == first | second
        assert len(found) == len(set(found))


async def everything(reader: JournalReader) -> AsyncIterator[tuple[int, int]]:
    """The positions of all entries, by scans that are as long as those of a subscription."""
    for shard, head in (await reader.heads()).items():
        cursor = Cursor(0)
        while cursor.sequence < head.sequence:
            until = reader.span_end(shard, cursor, head, 20_000)
            for each in await reader.matching(shard, cursor, until=until, types=".", limit=10**6):
                yield each.shard, each.sequence
            assert until > cursor.sequence
            cursor = Cursor(until)


async def test_what_was_rolled_back_was_never_known(journal: Journal) -> None:
    taken = a_candidate(id="taken")
    async with journal.writer() as writer:
        await writer.append([taken])
        other = a_candidate(id="taken", data=b'{"nomor": 2}')
        with pytest.raises(IdentifierReused):
            await writer.append([a_candidate() for _ in range(9)] + [other], atomic=True)
        writer.probe.doubt()
        await writer.probe.run_once()
    async with journal.connection():  # it enters
        assert len(journal.incarnation.history) == 1
    assert not journal.incarnation.over


async def test_another_entry_at_a_known_position_is_another_journal(journal: Journal) -> None:
    """The journal was restored and has grown beyond what we knew before anybody looked."""
    await append(journal)
    shard, head = max((await journal.reader.heads()).items(), key=lambda each: each[1].sequence)
    id = journal.incarnation.id
    assert await remember(journal, id, {shard: (head.sequence, NOW)}) != id


async def test_one_restore_is_one_incarnation_for_all_who_notice(journal: Journal) -> None:
    await append(journal)
    heads = await journal.reader.heads()
    id = journal.incarnation.id
    known = {shard: (head.sequence + 5, NOW) for shard, head in heads.items()}
    present = await remember(journal, id, known)
    assert await remember(journal, id, {0: (heads[0].sequence + 900, NOW)}) == present
    unknown = await remember(journal, "0123456789ab", known)
    assert unknown != present
    assert await remember(journal, "0123456789ab", known) == unknown
    late = await remember(journal, id, {0: (5 * MILLIARD, NOW)})  # from far beyond the gap
    assert late != unknown
    async with a_process(journal) as after:
        assert {s for shard, s in await append(after, 60) if shard == 0} >= {6 * MILLIARD + 1}
        assert await after.reader.backlog() == 80


async def test_a_lie_leaves_a_bounded_gap(journal: Journal) -> None:
    await append(journal)
    await journal.reader.heads()
    await remember(journal, journal.incarnation.id, {0: (2**63 - 1, NOW)})
    async with a_process(journal) as after:
        assert max(sequence for _, sequence in await append(after)) < 10**12


async def test_times_are_found_on_both_sides_of_a_gap(journal: Journal) -> None:
    await append(journal, 60)
    heads = await journal.reader.heads()
    await remember(journal, journal.incarnation.id, {s: (10**6, NOW) for s in heads})
    async with a_process(journal) as after:
        await append(after, 60)
        await append(after, 60)
        new = await after.reader.heads()
        last = max(head.recorded for head in new.values() if head.sequence)
        before = await after.reader.cursors_before(last)
        for shard, cursor in before.items():
            rest = await after.reader.after(shard, cursor, limit=100)
            assert all(each.recorded >= last for each in rest)
        assert any(cursor.sequence > MILLIARD for cursor in before.values())


async def test_a_copy_of_the_database_is_another_journal(
    journal: Journal, postgres: Postgres
) -> None:
    """As a dump that is restored into a new database: the entries are there, the place is not."""
    old = await append(journal)
    name = urlsplit(journal.url).path[1:]
    await journal.pool.close()
    connection = await asyncpg.connect(postgres.superuser_url)
    for statement in copy_database(f"{name}_copy", name):
        await connection.execute(statement)
    await connection.close()
    copied = Journal(f"{journal.url}_copy", journal.pool, journal.reader, Incarnation())
    async with a_process(copied) as after:
        assert (await append(after)).isdisjoint(old)
        assert [each.reason for each in after.incarnation.history] == ["made", "moved"]


async def test_a_dump_restored_under_open_connections(journal: Journal, tmp_path: Path) -> None:
    """Neither an append nor a cursor of before is written into the restored tables."""
    leases = ShardLeases(journal.pool, name="relay", seconds=600.0)
    (lease,) = await leases.take([(0,)], limit=1)
    old = await append(journal)
    tool("pg_dump", journal, "--format=custom", f"--file={tmp_path / 'dump'}")
    async with journal.writer() as writer:
        lost = {(e.shard, e.sequence) for e in await writer.append([a_candidate()] * 1)}
        lease.reached = Cursor(1000, NOW)
        await drop_everything(journal)
        await asyncio.to_thread(
            tool, "pg_restore", journal, "--single-transaction", str(tmp_path / "dump")
        )
        with pytest.raises(JournalUnavailable):
            await writer.append([a_candidate()])
    await leases.renew([lease])
    assert not lease
    async with a_process(journal) as after:
        assert await after.reader.relay_cursor(0) == 0
        assert (await append(after)).isdisjoint(old | lost)


async def drop_everything(journal: Journal) -> None:
    connection = await asyncpg.connect(as_superuser(journal.url))
    await connection.execute(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner"
    )
    await connection.close()


def tool(program: str, journal: Journal, *arguments: str) -> None:
    subprocess.run(
        [programs() / program, f"--dbname={as_superuser(journal.url)}", *arguments],
        check=True,
        cwd="/",
    )
