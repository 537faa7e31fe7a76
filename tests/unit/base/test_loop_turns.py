"""Turns on the event loop, counted in its passes."""

import asyncio

from gateway.base.loop_turns import LoopTurns


async def work(turns: LoopTurns, key: str, done: list[str], cost: int = 1) -> None:
    await turns.turn(key, cost)
    done.append(key)


def begin(turns: LoopTurns, keys: str, done: list[str], cost: int = 1) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(work(turns, key, done, cost)) for key in keys]


async def passes(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_pass_has_a_budget() -> None:
    turns, done = LoopTurns(2), list[str]()
    tasks = begin(turns, "a" * 100, done)
    await passes(10)
    assert 10 <= len(done) <= 2 * 11
    await asyncio.gather(*tasks)
    assert len(done) == 100


async def test_another_key_waits_for_no_queue() -> None:
    turns, done = LoopTurns(2), list[str]()
    tasks = begin(turns, "a" * 100, done)
    await passes(3)
    before = len(done)
    tasks += begin(turns, "b", done)
    await passes(4)
    assert "b" in done[before : before + 8]
    await asyncio.gather(*tasks)


async def test_what_costs_more_than_the_budget_is_paid_back() -> None:
    turns, done = LoopTurns(2), list[str]()
    tasks = begin(turns, "a" * 10, done, cost=20)
    await passes(15)
    assert len(done) <= 2
    await asyncio.gather(*tasks)


async def test_one_that_gave_up_takes_no_turn() -> None:
    turns, done = LoopTurns(1), list[str]()
    tasks = begin(turns, "aaaa", done)
    await passes(1)
    for task in tasks[1:3]:
        task.cancel()
    await asyncio.wait(tasks)
    assert done == ["a", "a"]


async def test_after_a_rest_the_budget_is_whole_and_no_more() -> None:
    turns, done = LoopTurns(3), list[str]()
    await asyncio.gather(*begin(turns, "aaa", done))
    await passes(20)
    tasks = begin(turns, "a" * 10, done)
    await passes(1)
    assert len(done) == 3 + 3
    await asyncio.gather(*tasks)
