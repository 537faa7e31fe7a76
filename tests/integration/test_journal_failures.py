"""Appending while something fails: outages, callers that give up, and what cannot be stored."""

import asyncio
import socket

import asyncpg
import pytest

from gateway.base.errors import Invalid, JournalUnavailable
from tests.builders import a_candidate
from tests.integration.journal_setup import Journal, until_waiting


async def test_an_outcome_that_is_not_known_is_stored_once_by_the_repeat(
    journal: Journal,
) -> None:
    candidate = a_candidate()
    async with journal.owner() as holder, journal.writer(timeout=0.3) as writer:
        async with holder.transaction():
            await holder.execute("SELECT FROM journal_shards FOR UPDATE")
            with pytest.raises(JournalUnavailable):
                await writer.append([candidate])
        async with asyncio.timeout(20):
            while True:
                try:
                    await writer.append([candidate])
                    break
                except JournalUnavailable:
                    continue
    assert await journal.require_gapless() == 1


async def test_an_outage_is_unknown_and_does_not_end_the_writer(journal: Journal) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = closed.getsockname()[1]
    ways = [f"postgresql://nobody@127.0.0.1:{nowhere}/x"] * 2 + [journal.url] * 9

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(ways.pop(0))

    async with journal.writer(connect=connect) as writer:
        for _ in range(2):
            with pytest.raises(JournalUnavailable):
                await writer.append([a_candidate()])
        assert len(await writer.append([a_candidate()])) == 1
        await journal.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
        outcome = await asyncio.gather(writer.append([a_candidate()]), return_exceptions=True)
        assert isinstance(outcome[0], JournalUnavailable | list)
        await writer.append([a_candidate()])


async def test_a_request_given_up_before_the_commit_is_not_stored(journal: Journal) -> None:
    async with journal.owner() as holder, journal.writer() as writer:
        async with holder.transaction():
            await holder.execute("SELECT FROM journal_shards FOR UPDATE")
            committing = asyncio.create_task(writer.append([a_candidate(id="committing")]))
            await until_waiting(holder)
            waiting = asyncio.create_task(writer.append([a_candidate(id="given up")]))
            await asyncio.sleep(0)
            waiting.cancel()
        await committing
        await writer.append([a_candidate(id="later")])
    assert {row["id"] for row in await journal.entries()} == {"committing", "later"}


async def test_what_the_database_refuses_fails_alone(journal: Journal) -> None:
    """Neighbours in the same commit are stored, and the connection of the writer stays."""
    poison = {
        "NUL": a_candidate(subject="a\0b"),
        "half a pair": a_candidate(subject="\ud800"),
        "a line break": a_candidate(id="a\nb"),
        "NUL in an attribute": a_candidate(attributes={"x": "\0"}, id="\0"),
    }
    opened = 0

    async def connect() -> asyncpg.Connection:
        nonlocal opened
        opened += 1
        return await journal.connect()

    async with journal.owner() as holder, journal.writer(connect=connect) as writer:
        async with holder.transaction():
            await holder.execute("SELECT FROM journal_shards FOR UPDATE")
            first = asyncio.create_task(writer.append([a_candidate()]))
            await until_waiting(holder)  # all others share the next commit
            good = [a_candidate(subject="one key") for _ in range(200)]
            requests = [[each] for each in good]
            for number, each in enumerate(poison.values()):
                requests.insert(1 + 50 * number, [a_candidate(), each])
            waiting = [asyncio.create_task(writer.append(each)) for each in requests]
            await asyncio.sleep(0)
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        await first
        for each in poison.values():
            with pytest.raises(Invalid):
                await writer.append([each], atomic=True)
        assert len(await writer.append([a_candidate()])) == 1
    refused = [each for each in answers if isinstance(each, BaseException)]
    assert [type(each) for each in refused] == [Invalid] * len(poison)
    stored = [each[0].sequence for each in answers if not isinstance(each, BaseException)]
    assert len(stored) == len(good)
    assert stored == sorted(stored)
    assert opened == 1
    assert await journal.require_gapless() == len(good) + 2


@pytest.mark.parametrize("atomic", [False, True])
async def test_an_empty_request_stores_nothing(journal: Journal, atomic: bool) -> None:
    async with journal.writer() as writer:
        assert await writer.append([], atomic=atomic) == []


async def test_a_closed_writer_leaves_no_caller_waiting(journal: Journal) -> None:
    async with journal.owner() as holder, holder.transaction():
        await holder.execute("SELECT FROM journal_shards FOR UPDATE")
        async with journal.writer() as writer:
            waiting = [asyncio.create_task(writer.append([a_candidate()])) for _ in range(3)]
            await until_waiting(holder)
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, JournalUnavailable) for answer in answers)


async def test_an_entry_is_not_stored_without_what_its_readers_need(journal: Journal) -> None:
    append = "SELECT journal_append_rows('{0}', $1, $2, ARRAY['{}'], '{NULL}', '{}')"
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await journal.pool.execute(append, [bytes(50)], ["id\n/source\n"])
    assert await journal.entries() == []
