"""Turns: bounded in number, in rotation of the keys, and never lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from gateway.base.errors import Overloaded
from gateway.base.fair_turns import FairTurns


class Held:
    """Turns that are held until they are ended, and the order in which they were given."""

    def __init__(self, turns: FairTurns) -> None:
        self._turns = turns
        self.given: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, *names: str) -> None:
        """Ask for turns; the key of a turn is the first letter of its name."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._hold(name))
            await settled()

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
            await settled()

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self._tasks[name]

    async def _hold(self, name: str) -> None:
        async with self._turns.turn(name[0]):
            self.given.append(name)
            await self._ends[name].wait()

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


@asynccontextmanager
async def held(*, slots: int, share: int, queue: int = 9) -> AsyncIterator[Held]:
    made = Held(FairTurns(slots=slots, share=share, queue=queue))
    try:
        yield made
    finally:
        await made.close()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_long_queue_delays_its_own_key_alone() -> None:
    async with held(slots=1, share=1) as turns:
        await turns.ask("a1", "a2", "a3", "a4", "b1", "c1")
        assert turns.given == ["a1"]
        await turns.end("a1", "a2", "b1", "c1", "a3", "a4")
        assert turns.given == ["a1", "a2", "b1", "c1", "a3", "a4"]


async def test_no_key_takes_more_than_its_share() -> None:
    async with held(slots=3, share=2) as turns:
        await turns.ask("a1", "a2", "a3", "b1", "c1")
        assert turns.given == ["a1", "a2", "b1"], "the third is kept for another key"
        await turns.end("b1")
        assert turns.given[3:] == ["c1"]
        await turns.end("a1")
        assert turns.given[4:] == ["a3"]


async def test_a_turn_that_is_not_wanted_any_more_goes_to_the_next() -> None:
    async with held(slots=1, share=1) as turns:
        await turns.ask("a1", "b1", "c1", "d1")
        await turns.cancel("b1")
        await turns.end("a1")
        assert turns.given == ["a1", "c1"]
        await turns.cancel("c1")
        assert turns.given == ["a1", "c1", "d1"]


async def test_a_turn_that_was_given_to_somebody_who_leaves_is_given_again() -> None:
    turns = FairTurns(slots=1, share=1, queue=2)
    async with turns.turn("a"):
        leaving = asyncio.create_task(_take(turns, "b"))
        await settled()
    leaving.cancel()  # it has the turn and does not know it yet
    await asyncio.gather(leaving, return_exceptions=True)
    async with asyncio.timeout(5), turns.turn("c"):
        assert turns.waiting == 0


async def test_those_who_wait_are_bounded_for_each_key() -> None:
    async with held(slots=1, share=1, queue=2) as turns:
        await turns.ask("a1", "a2", "a3", "b1")
        with pytest.raises(Overloaded, match="Try again later"):
            await _take(turns._turns, "a")
        assert turns._turns.waiting == 3
        await turns.end("a1", "a2", "b1", "a3")
        assert turns._turns.waiting == 0
        await turns.ask("a4")
        assert turns.given[-1] == "a4"


async def _take(turns: FairTurns, key: str) -> None:
    async with turns.turn(key):
        pass
