"""Appending: gapless sequences, one position for one event, and the order of the writers."""

import asyncio
import random

from gateway.base.errors import IdentifierReused
from gateway.journal import Appended, Cursor, JournalWriter
from tests.builders import a_candidate
from tests.integration.journal_setup import Journal
from tests.servers import SHARDS, query
from tests.waiting import eventually


async def test_many_writers_leave_no_gap_and_keep_each_ones_order(journal: Journal) -> None:
    """Three processes, one with two connections, each key written in its order."""

    async def work(writer: JournalWriter, key: str) -> list[Appended]:
        chance = random.Random(key)
        results: list[Appended] = []
        for _ in range(20):
            size = chance.choice((1, 1, 3, 40))
            results += await writer.append([a_candidate(subject=key) for _ in range(size)])
        return results

    async with (
        journal.writer() as first,
        journal.writer() as second,
        journal.writer(writers=2) as third,
    ):
        works = [
            work(writer, f"{name} {n}")
            for name, writer in (("a", first), ("b", second), ("c", third))
            for n in range(6)
        ]
        for results in await asyncio.gather(*works):
            assert len({appended.shard for appended in results}) == 1
            assert [a.sequence for a in results] == sorted({a.sequence for a in results})
            assert [a.recorded for a in results] == sorted(a.recorded for a in results)
            assert not any(appended.duplicate for appended in results)
    assert await journal.require_gapless() > 500
    heads = await journal.reader.heads()
    assert all(head.sequence for head in heads.values())
    assert len(heads) == SHARDS


async def test_time_never_runs_backwards_in_a_shard(journal: Journal) -> None:
    async with journal.writer() as writer:
        await writer.append([a_candidate() for _ in range(100)])
        await journal.execute("UPDATE journal_shards SET recorded = now() + interval '1 hour'")
        await writer.append([a_candidate() for _ in range(100)])
    times: dict[int, list[object]] = {}
    for shard, _, recorded, *_ in await journal.entries():
        times.setdefault(shard, []).append(recorded)
    assert all(each == sorted(each) for each in times.values())  # type: ignore[type-var]  # times


async def test_one_event_published_at_once_by_many_is_stored_once(journal: Journal) -> None:
    for _ in range(10):
        candidate = a_candidate()
        async with journal.writer() as one, journal.writer() as other:
            answers = await asyncio.gather(
                *(writer.append([candidate]) for writer in (one, other) for _ in range(8))
            )
        results = [appended for (appended,) in answers]
        assert sum(not appended.duplicate for appended in results) == 1
        assert (
            len({(appended.shard, appended.sequence, appended.recorded) for appended in results})
            == 1
        )
    assert await journal.require_gapless() == 10


async def test_one_id_on_its_way_to_several_shards_is_stored_once(journal: Journal) -> None:
    """Another partition key is another event: one wins, the others learn whose position it is."""
    for number in range(10):
        rivals = [
            a_candidate(id=f"same {number}", attributes={"partitionkey": f"key {n}"})
            for n in range(8)
        ]
        async with journal.writer() as one, journal.writer() as two, journal.writer() as three:
            writers = (one, two, three)
            answers = await asyncio.gather(
                *(writers[n % 3].append([rival]) for n, rival in enumerate(rivals))
            )
        results = [appended for (appended,) in answers]
        (winner,) = [n for n, appended in enumerate(results) if not appended.duplicate]
        assert {appended.digest for appended in results} == {rivals[winner].event.digest}
    assert await journal.require_gapless() == 10


async def test_batches_with_common_ids_in_other_orders_do_not_deadlock(journal: Journal) -> None:
    common = [a_candidate() for _ in range(60)]
    async with journal.writer() as one, journal.writer() as two, journal.writer() as three:
        for round_ in range(5):
            mixed = [random.Random(f"{round_}{n}").sample(common, 60) for n in range(6)]
            fresh = [[a_candidate() for _ in range(10)] for _ in range(6)]
            writers = (one, two, three) * 2
            await asyncio.gather(
                *(w.append([*m, *f]) for w, m, f in zip(writers, mixed, fresh, strict=True))
            )
    assert await journal.require_gapless() == 60 + 5 * 60


async def test_an_id_twice_in_one_batch_is_stored_by_its_first(journal: Journal) -> None:
    first, other = a_candidate(id="x"), a_candidate(id="x", subject="another")
    async with journal.writer() as writer:
        results = await writer.append([first, a_candidate(), first, other])
    assert [appended.duplicate for appended in results] == [False, False, True, True]
    assert results[0].sequence == results[2].sequence == results[3].sequence
    assert {appended.digest for n, appended in enumerate(results) if n != 1} == {first.event.digest}
    assert await journal.require_gapless() == 2


async def test_an_atomic_batch_that_fails_leaves_nothing_and_no_gap(journal: Journal) -> None:
    async with journal.writer() as writer:
        await writer.append([a_candidate(id="taken")])
        batch = [a_candidate() for _ in range(20)]
        answers = await asyncio.gather(
            writer.append([*batch, a_candidate(id="taken", subject="other")], atomic=True),
            *(writer.append([a_candidate()]) for _ in range(20)),
            writer.append([a_candidate(), a_candidate(id="taken")], atomic=True),
            return_exceptions=True,
        )
        assert isinstance(answers[0], IdentifierReused)
        assert not any(isinstance(answer, BaseException) for answer in answers[1:-1])
        stored = await writer.append(batch, atomic=True)
        assert not any(appended.duplicate for appended in stored)
    await journal.require_gapless()


async def test_requests_that_wait_are_committed_together(journal: Journal) -> None:
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    async with journal.writer(on_commit=count) as writer:
        await writer.append([a_candidate()])
        await asyncio.gather(*(writer.append([a_candidate()]) for _ in range(400)))
    assert commits < 10


async def test_an_event_comes_out_as_it_went_in(journal: Journal) -> None:
    candidates = [
        a_candidate(subject=None, data=None, attributes={}),
        a_candidate(
            source="/é", attributes={"a": 1, "b": True, "c": "x\u2028", "partitionkey": ""}
        ),
        a_candidate(data=b'{"a" : 1.0e2}', subject="\U0001f30a"),
        a_candidate(data=bytes(range(256)), binary=True),
        a_candidate(data=b"x" * (1 << 20)),
    ]
    async with journal.writer() as writer:
        results = await writer.append(candidates)
    for candidate, appended in zip(candidates, results, strict=True):
        by_position = await journal.reader.entry_at(appended.shard, appended.sequence)
        by_identity = await journal.reader.find(candidate.event.identity)
        assert by_position is not None
        assert by_position == by_identity
        assert by_position.event == candidate.event
        assert by_position.digest == candidate.event.digest == by_position.event.digest
        assert (by_position.client, by_position.contract_version) == (candidate.client, 1)
        known = await journal.reader.find_appended(candidate.event.identity)
        assert known == Appended(
            appended.shard, appended.sequence, appended.recorded, appended.digest, True
        )


async def test_reading_on_from_a_cursor(journal: Journal) -> None:
    wanted = "^id\\.go\\.uji\\.a$"
    async with journal.writer() as writer:
        await writer.append(
            [a_candidate(subject="one key", type=f"id.go.uji.{'ab'[n % 2]}") for n in range(50)]
        )
    (shard,) = [shard for shard, head in (await journal.reader.heads()).items() if head.sequence]
    first = await journal.reader.after(shard, Cursor(0), limit=20)
    rest = await journal.reader.after(
        shard, Cursor(first[-1].sequence, first[-1].recorded), limit=1000
    )
    assert [entry.sequence for entry in first + rest] == list(range(1, 51))
    chosen = await journal.reader.matching(shard, Cursor(10), until=30, types=wanted, limit=5)
    assert [entry.sequence for entry in chosen] == [11, 13, 15, 17, 19]
    chosen = await journal.reader.matching(shard, Cursor(25), until=30, types=wanted, limit=50)
    assert [entry.sequence for entry in chosen] == [27, 29]


async def test_the_cursor_before_a_time(journal: Journal) -> None:
    """Bisection agrees with counting, at every time that there is and between them."""
    async with journal.writer() as writer:
        for _ in range(12):
            await writer.append([a_candidate() for _ in range(7)])
    rows = await journal.entries()
    times = sorted({row["recorded"] for row in rows})
    for time in (times[0], times[5], times[-1], times[-1].replace(year=2099)):
        for shard, cursor in (await journal.reader.cursors_before(time)).items():
            counted = sum(row["shard"] == shard and row["recorded"] < time for row in rows)
            assert cursor.sequence == counted


async def test_identities_are_found_by_index_however_young_their_table_is(journal: Journal) -> None:
    # Without ANALYZE, PostgreSQL takes a table of any size for a small one and reads it whole.
    sizes = (1, 1, 1, 1, 1, 1, 40, 400, 400, 1, 40, 400)
    async with journal.writer() as writer:
        for size in sizes:
            await writer.append([a_candidate() for _ in range(size)])

    def scans() -> tuple[int, int] | None:
        (row,) = query(
            journal.url,
            "SELECT coalesce(idx_scan, 0) AS by_index, seq_scan FROM pg_stat_user_tables "
            "WHERE relname = 'journal_identities'",
        )
        found = (row["by_index"], row["seq_scan"])
        return found if sum(found) >= len(sizes) else None  # they arrive after the connection's end

    found = await asyncio.to_thread(eventually, scans)
    assert found is not None
    by_index, whole = found
    assert by_index >= sum(sizes)
    assert whole <= 1  # as its index was made
