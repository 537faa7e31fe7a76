"""The workers: killed in time, replaced, bounded, and never in the way of the event loop."""

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway.base.errors import Overloaded, Unavailable
from gateway.contracts.compatibility import (
    CompatibilityChecker,
    CompatibilityDirection,
    Compatible,
    Incompatible,
    Undecided,
    pool,
)
from gateway.contracts.compatibility.pool import CompatibilityWorker
from tests.unit.compatibility.checkers import a_checker, endless
from tests.waiting import eventually

B = CompatibilityDirection.BACKWARD
TEXT, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


def _hard_union(kind: str) -> dict[str, Any]:
    """A recursive union of twelve, of which one member of one branch changes."""
    branches = [
        {
            "type": "object",
            "properties": {
                f"p{n}": {"type": "array", "items": {"$ref": "#/$defs/n"}},
                "v": {"type": kind if n == 5 else "string"},
            },
        }
        for n in range(12)
    ]
    return {"$ref": "#/$defs/n", "$defs": {"n": {"oneOf": branches}}}


def _workers() -> list[psutil.Process]:
    """The workers of this process. Its other children are the tests' servers, with workers too."""
    return [each for each in psutil.Process().children() if _is_worker(each)]


def _is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.Error):  # it may have ended just now
        return any("gateway.contracts.compatibility" in word for word in process.cmdline())
    return False


async def _longest_pause(work: asyncio.Task[Any]) -> float:
    """Seconds that the event loop did not run while the work was under way."""
    longest, before = 0.0, time.perf_counter()
    while not work.done():
        await asyncio.sleep(0.005)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return longest


async def test_two_schemas_are_compared() -> None:
    async with a_checker() as compatibility:
        assert await compatibility.compare(INTEGER, NUMBER, B) == Compatible()
        result = await compatibility.compare(NUMBER, INTEGER, B)
    assert isinstance(result, Incompatible)
    assert result.counterexample is not None
    assert str(result.counterexample.document) == "0.5"


async def test_nothing_starts_before_the_first_comparison() -> None:
    async with a_checker():
        assert not _workers()


async def test_a_worker_is_ready_in_half_a_second_and_is_used_again() -> None:
    async with a_checker() as compatibility:
        await compatibility.compare(INTEGER, NUMBER, B)
        (worker,) = _workers()
        await compatibility.compare(NUMBER, INTEGER, B)
        assert _workers() == [worker]
        assert worker.environ() == {} or set(worker.environ()) <= {"LC_CTYPE"}
        loaded = {Path(each.path).name for each in worker.memory_maps()}
    assert not any("asyncpg" in name or "uvloop" in name for name in loaded)


async def test_a_comparison_that_never_ends_is_undecided_in_time_and_the_loop_runs_on() -> None:
    async with a_checker(limit=1.0) as compatibility:
        await compatibility.compare(INTEGER, NUMBER, B)
        started = time.perf_counter()
        work = asyncio.create_task(compatibility.compare(endless("integer"), endless("number"), B))
        assert await _longest_pause(work) < 0.3
        result = await work
        assert time.perf_counter() - started < 3
        assert isinstance(result, Undecided)
        assert "time limit" in result.reason
        assert [str(each) for each in result.changes] == [
            "`/c5`: numbers with a fraction are accepted now"
        ]
        assert await compatibility.compare(INTEGER, NUMBER, B) == Compatible()


async def test_an_incompatibility_is_found_even_where_the_algebra_never_ends() -> None:
    async with a_checker(limit=3.0) as compatibility:
        old, new = endless("number"), endless("integer")
        old["required"] = new["required"] = [f"a{n}" for n in range(9) if n != 5]
        result = await compatibility.compare(old, new, B)
    assert isinstance(result, Incompatible)
    assert result.counterexample is not None
    assert result.counterexample.document["c5"] % 1


async def test_the_known_hard_union_is_not_proven() -> None:
    async with a_checker(limit=2.0) as compatibility:
        result = await compatibility.compare(_hard_union("integer"), _hard_union("number"), B)
    assert not isinstance(result, Compatible)


@pytest.mark.parametrize("count", [10_000])
async def test_schema_bombs_end_in_time(count: int) -> None:
    wide = {"oneOf": [{"required": [f"a{n}"]} for n in range(count)]}
    listed = {"enum": [f"a{n}" for n in range(count)]}
    started = time.perf_counter()
    async with a_checker(limit=1.0) as compatibility:
        await compatibility.compare(wide, {**wide, "required": ["x"]}, B)
        assert await compatibility.compare(listed, {"type": "string"}, B) == Compatible()
    assert time.perf_counter() - started < 6


async def test_a_worker_that_needs_too_much_memory_is_undecided() -> None:
    async with a_checker(memory=120 << 20) as compatibility:
        big = {"enum": ["a" * 100 + str(n) for n in range(300_000)]}
        result = await compatibility.compare(big, {"type": "integer"}, B)
        assert isinstance(result, Undecided)
        assert await compatibility.compare(INTEGER, NUMBER, B) == Compatible()


async def test_a_worker_that_was_killed_from_outside_is_replaced() -> None:
    async with a_checker() as compatibility:
        await compatibility.compare(INTEGER, NUMBER, B)
        _workers()[0].kill()
        await compatibility.compare(INTEGER, NUMBER, B)
        assert await compatibility.compare(INTEGER, NUMBER, B) == Compatible()


async def test_no_more_workers_than_allowed() -> None:
    async with a_checker(workers=2) as compatibility:
        work = (compatibility.compare(INTEGER, NUMBER, B, owner=f"o{n % 3}") for n in range(12))
        await asyncio.gather(*work)
        assert len(_workers()) == 2


async def test_an_owner_with_expensive_schemas_makes_no_other_wait() -> None:
    async with a_checker(limit=600.0, queue=1) as compatibility:
        tasks = [
            asyncio.create_task(
                compatibility.compare(endless("integer"), endless("number"), B, owner="mahal")
            )
            for _ in range(2)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="of your organisation are waiting"):
            await compatibility.compare(INTEGER, NUMBER, B, owner="mahal")
        for _ in range(3):
            assert await compatibility.compare(INTEGER, NUMBER, B, owner="lain") == Compatible()
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_too_many_comparisons_are_refused() -> None:
    async with a_checker(workers=1, queue=1) as compatibility:
        waiting = [asyncio.create_task(compatibility.compare(INTEGER, NUMBER, B)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="Try again later"):
            await compatibility.compare(INTEGER, NUMBER, B)
        assert await asyncio.gather(*waiting) == [Compatible()] * 2


async def test_a_caller_who_goes_away_leaves_no_worker_behind() -> None:
    async with a_checker(limit=30.0) as compatibility:
        await compatibility.compare(INTEGER, NUMBER, B)
        work = asyncio.create_task(compatibility.compare(endless("integer"), endless("number"), B))
        await asyncio.sleep(0.1)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert not _workers()
        assert await compatibility.compare(INTEGER, NUMBER, B) == Compatible()


async def test_closing_ends_what_is_under_way() -> None:
    compatibility = CompatibilityChecker(limit=30.0)
    work = asyncio.create_task(compatibility.compare(endless("integer"), endless("number"), B))
    await asyncio.to_thread(eventually, lambda: compatibility._busy)
    await compatibility.close()
    assert isinstance(await work, Undecided)
    assert not _workers()
    with pytest.raises(Unavailable, match="stopping"):
        await compatibility.compare(INTEGER, NUMBER, B)


async def test_closing_ends_a_worker_that_is_being_started() -> None:
    compatibility = CompatibilityChecker()
    work = asyncio.create_task(compatibility.compare(INTEGER, NUMBER, B))
    await asyncio.to_thread(eventually, _workers)
    await compatibility.close()
    assert isinstance(await work, Undecided)
    assert not _workers()


async def test_a_worker_whose_gateway_is_gone_ends() -> None:
    worker = await CompatibilityWorker.start(1.0, 768 << 20)
    (running,) = _workers()
    worker._stdin.close()
    await asyncio.wait_for(worker._process.wait(), 5)
    assert not running.is_running()


async def test_a_worker_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "START_LIMIT", 0.0)
    with pytest.raises(Unavailable, match="does not start"):
        await CompatibilityWorker.start(1.0, 768 << 20)
    assert not _workers()


async def test_schemas_come_as_text_or_parsed() -> None:
    async with a_checker() as compatibility:
        result = await compatibility.compare(
            json.dumps(INTEGER).encode(), NUMBER, B, examples=[1, b"2"]
        )
    assert result == Compatible()
