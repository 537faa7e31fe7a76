"""Publishers share the commits of a writer."""

import asyncio

from msgspec.structs import replace

from gateway.journal import Candidate, JournalWriter
from gateway.journal.writer import GROUP, SHARED, SHORT
from tests.builders import a_candidate
from tests.integration.journal_setup import Journal, until_waiting


def of(publisher: str, **changes: str) -> Candidate:
    return replace(a_candidate(**changes), publisher=publisher)


async def append(writer: JournalWriter, name: str, done: list[str], count: int = 1) -> None:
    await writer.append([of(name) for _ in range(count)])
    done.append(name)


async def test_a_quiet_publisher_waits_for_no_queue(journal: Journal) -> None:
    """It is in the commit after the one that is under way, whatever others have queued."""
    done: list[str] = []
    async with (
        journal.owner() as holder,
        journal.writer() as writer,
        asyncio.TaskGroup() as tasks,
    ):
        under_way = holder.transaction()
        await under_way.start()
        await holder.execute("SELECT FROM journal_shards FOR UPDATE")
        for _ in range(20):
            tasks.create_task(append(writer, "noisy", done, count=GROUP))
        await until_waiting(holder)
        tasks.create_task(append(writer, "quiet", done))
        await asyncio.sleep(0)
        await under_way.commit()
    assert done.index("quiet") <= 2
    assert len(done) == 21


async def test_commits_are_short_while_several_publish(journal: Journal) -> None:
    commits: list[int] = []
    done: list[str] = []

    async with journal.writer(on_commit=lambda: commits.append(len(done))) as writer:
        await append(writer, "noisy", done, count=10 * SHARED)
        assert len(commits) == 1
        await append(writer, "quiet", done)
        await append(writer, "noisy", done, count=10 * SHARED)
    assert len(commits) == 2 + 10


async def test_commits_are_shorter_still_while_the_process_is_overloaded(journal: Journal) -> None:
    commits: list[int] = []
    done: list[str] = []
    async with journal.writer(
        on_commit=lambda: commits.append(len(done)), overloaded=lambda: True
    ) as writer:
        await append(writer, "noisy", done, count=10 * SHORT)
        assert len(commits) == 1
        await append(writer, "quiet", done)
        await append(writer, "noisy", done, count=10 * SHORT)
    assert len(commits) == 2 + 10


async def test_a_request_of_several_commits_keeps_its_order(journal: Journal) -> None:
    candidates = [of("noisy", subject="one key", id=f"{n}") for n in range(3 * SHARED)]
    async with journal.writer(writers=2) as writer:
        await writer.append([of("quiet")])
        results = await writer.append([*candidates, candidates[0]])
    assert [result.duplicate for result in results] == [False] * len(candidates) + [True]
    sequences = [result.sequence for result in results[:-1]]
    assert sequences == sorted(sequences)
    assert results[-1].sequence == results[0].sequence
    await journal.require_gapless()
