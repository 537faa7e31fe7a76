"""The workers: killed in time, replaced, bounded, and never in the way of the event loop."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway.base.errors import Overloaded, Unavailable
from gateway.contracts.compatibility import (
    Compatibility,
    Compatible,
    Direction,
    Incompatible,
    Mode,
    Policy,
    Rule,
    Undecided,
    process,
)
from gateway.contracts.compatibility.process import Worker
from tests.waiting import eventually

B = Direction.BACKWARD
TEXT, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


def _endless(kind: str) -> dict[str, Any]:
    """Six choices of three, all at once: the algebra writes out more than it ever can."""
    return {
        "allOf": [
            {
                "anyOf": [
                    {"required": [f"a{n}"]},
                    {"required": [f"b{n}"]},
                    {"properties": {f"c{n}": {"type": kind if n == 5 else "string"}}},
                ]
            }
            for n in range(9)
        ]
    }


def _monster(kind: str) -> dict[str, Any]:
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


@asynccontextmanager
async def _open(**settings: Any) -> AsyncIterator[Compatibility]:
    compatibility = Compatibility(**settings)
    try:
        yield compatibility
    finally:
        await compatibility.close()


def _workers() -> list[psutil.Process]:
    """The workers among the children: the tests' servers are children too."""
    return [each for each in psutil.Process().children(recursive=True) if _is_worker(each)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return any("gateway.contracts.compatibility" in word for word in process.cmdline())
    except psutil.Error:  # it has just ended
        return False


async def _longest_pause(work: asyncio.Task[Any]) -> float:
    """Seconds that the event loop did not run while the work was under way."""
    longest, before = 0.0, time.perf_counter()
    while not work.done():
        await asyncio.sleep(0.005)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return longest


async def test_a_question_is_answered() -> None:
    async with _open() as compatibility:
        assert await compatibility.judge(INTEGER, NUMBER, B) == Compatible()
        verdict = await compatibility.judge(NUMBER, INTEGER, B)
    assert isinstance(verdict, Incompatible)
    assert verdict.counterexample is not None
    assert str(verdict.counterexample.document) == "0.5"


async def test_nothing_starts_before_the_first_question() -> None:
    async with _open():
        assert not _workers()


async def test_a_worker_is_ready_in_half_a_second_and_is_used_again() -> None:
    async with _open() as compatibility:
        await compatibility.judge(INTEGER, NUMBER, B)
        (worker,) = _workers()
        await compatibility.judge(NUMBER, INTEGER, B)
        assert _workers() == [worker]
        assert worker.environ() == {} or set(worker.environ()) <= {"LC_CTYPE"}
        loaded = {Path(each.path).name for each in worker.memory_maps()}
    assert not any("asyncpg" in name or "uvloop" in name for name in loaded)


async def test_a_question_that_never_ends_is_undecided_in_time_and_the_loop_runs_on() -> None:
    async with _open(limit=1.0) as compatibility:
        await compatibility.judge(INTEGER, NUMBER, B)
        started = time.perf_counter()
        work = asyncio.create_task(compatibility.judge(_endless("integer"), _endless("number"), B))
        assert await _longest_pause(work) < 0.3
        verdict = await work
        assert time.perf_counter() - started < 3
        assert isinstance(verdict, Undecided)
        assert "time limit" in verdict.reason
        assert [str(each) for each in verdict.changes] == [
            "`/c5`: numbers with a fraction are accepted now"
        ]
        assert await compatibility.judge(INTEGER, NUMBER, B) == Compatible()


async def test_a_loss_is_found_even_where_the_algebra_never_ends() -> None:
    async with _open(limit=3.0) as compatibility:
        old, new = _endless("number"), _endless("integer")
        old["required"] = new["required"] = [f"a{n}" for n in range(9) if n != 5]
        verdict = await compatibility.judge(old, new, B)
    assert isinstance(verdict, Incompatible)
    assert verdict.counterexample is not None
    assert verdict.counterexample.document["c5"] % 1


async def test_the_known_monster_is_not_proven() -> None:
    async with _open(limit=2.0) as compatibility:
        verdict = await compatibility.judge(_monster("integer"), _monster("number"), B)
    assert not isinstance(verdict, Compatible)


@pytest.mark.parametrize("count", [10_000])
async def test_schema_bombs_end_in_time(count: int) -> None:
    wide = {"oneOf": [{"required": [f"a{n}"]} for n in range(count)]}
    listed = {"enum": [f"a{n}" for n in range(count)]}
    started = time.perf_counter()
    async with _open(limit=1.0) as compatibility:
        await compatibility.judge(wide, {**wide, "required": ["x"]}, B)
        assert await compatibility.judge(listed, {"type": "string"}, B) == Compatible()
    assert time.perf_counter() - started < 6


async def test_a_worker_that_needs_too_much_memory_is_undecided() -> None:
    async with _open(memory=120 << 20) as compatibility:
        big = {"enum": ["a" * 100 + str(n) for n in range(300_000)]}
        verdict = await compatibility.judge(big, {"type": "integer"}, B)
        assert isinstance(verdict, Undecided)
        assert await compatibility.judge(INTEGER, NUMBER, B) == Compatible()


async def test_a_worker_that_was_killed_from_outside_is_replaced() -> None:
    async with _open() as compatibility:
        await compatibility.judge(INTEGER, NUMBER, B)
        _workers()[0].kill()
        await compatibility.judge(INTEGER, NUMBER, B)
        assert await compatibility.judge(INTEGER, NUMBER, B) == Compatible()


async def test_no_more_workers_than_allowed() -> None:
    async with _open(workers=2) as compatibility:
        await asyncio.gather(*(compatibility.judge(INTEGER, NUMBER, B) for _ in range(12)))
        assert len(_workers()) == 2


async def test_too_many_questions_are_refused() -> None:
    async with _open(workers=1, queue=1) as compatibility:
        asked = [asyncio.create_task(compatibility.judge(INTEGER, NUMBER, B)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="a little later"):
            await compatibility.judge(INTEGER, NUMBER, B)
        assert await asyncio.gather(*asked) == [Compatible()] * 2


async def test_a_caller_who_goes_away_leaves_no_worker_behind() -> None:
    async with _open(limit=30.0) as compatibility:
        await compatibility.judge(INTEGER, NUMBER, B)
        work = asyncio.create_task(compatibility.judge(_endless("integer"), _endless("number"), B))
        await asyncio.sleep(0.1)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert not _workers()
        assert await compatibility.judge(INTEGER, NUMBER, B) == Compatible()


async def test_closing_ends_what_is_under_way() -> None:
    compatibility = Compatibility(limit=30.0)
    work = asyncio.create_task(compatibility.judge(_endless("integer"), _endless("number"), B))
    await asyncio.to_thread(eventually, lambda: compatibility._busy)
    await compatibility.close()
    assert isinstance(await work, Undecided)
    assert not _workers()
    with pytest.raises(Unavailable, match="stopping"):
        await compatibility.judge(INTEGER, NUMBER, B)


async def test_closing_ends_a_worker_that_is_being_started() -> None:
    compatibility = Compatibility()
    work = asyncio.create_task(compatibility.judge(INTEGER, NUMBER, B))
    await asyncio.to_thread(eventually, _workers)
    await compatibility.close()
    assert isinstance(await work, Undecided)
    assert not _workers()


async def test_a_worker_whose_gateway_is_gone_ends() -> None:
    worker = await Worker.start(1.0, 768 << 20)
    (running,) = _workers()
    worker._questions.close()
    await asyncio.wait_for(worker._process.wait(), 5)
    assert not running.is_running()


async def test_a_worker_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "START_LIMIT", 0.0)
    with pytest.raises(Unavailable, match="does not start"):
        await Worker.start(1.0, 768 << 20)
    assert not _workers()


V1 = {"type": "object", "properties": {"a": TEXT, "b": TEXT}}
V2 = {"type": "object", "properties": {"b": TEXT}}
V3 = {"type": "object", "properties": {"a": INTEGER, "b": TEXT}}


async def test_a_history_stops_at_the_first_loss() -> None:
    async with _open() as compatibility:
        rule = Rule(Mode.BACKWARD_TRANSITIVE)
        judgement = await compatibility.judge_history(TEXT, {1: INTEGER, 2: TEXT, 3: TEXT}, rule)
    assert isinstance(judgement.verdict, Incompatible)
    assert judgement.version == 1


async def test_a_history_without_transitivity_asks_the_newest_version_only() -> None:
    async with _open() as compatibility:
        judgement = await compatibility.judge_history(TEXT, {1: INTEGER, 2: TEXT}, Rule(Mode.FULL))
    assert judgement.verdict == Compatible()
    assert judgement.version is None


async def test_a_history_that_is_open_somewhere_is_undecided() -> None:
    async with _open() as compatibility:
        judgement = await compatibility.judge_history(
            TEXT, {1: TEXT, 2: b"{", 3: TEXT}, Rule(Mode.BACKWARD_TRANSITIVE)
        )
    assert isinstance(judgement.verdict, Undecided)
    assert judgement.version == 2


async def test_a_history_that_takes_too_long_is_undecided() -> None:
    versions = dict.fromkeys(range(1, 40), _endless("integer"))
    started = time.perf_counter()
    async with _open(limit=0.4) as compatibility:
        judgement = await compatibility.judge_history(
            _endless("number"), versions, Rule(Mode.BACKWARD_TRANSITIVE)
        )
    assert isinstance(judgement.verdict, Undecided)
    assert time.perf_counter() - started < 6


async def test_a_member_that_came_back_with_another_type_is_seen() -> None:
    rule = Rule(Mode.BACKWARD_TRANSITIVE, Policy.OPTIONAL_FRIENDLY)
    async with _open() as compatibility:
        assert (await compatibility.judge_history(V2, {1: V1}, rule)).verdict == Compatible()
        judgement = await compatibility.judge_history(V3, {1: V1, 2: V2}, rule)
    assert judgement.version == 1
    assert isinstance(judgement.verdict, Incompatible)


async def test_schemas_come_as_text_or_parsed() -> None:
    async with _open() as compatibility:
        verdict = await compatibility.judge(
            json.dumps(INTEGER).encode(), NUMBER, B, examples=[1, b"2"]
        )
    assert verdict == Compatible()
