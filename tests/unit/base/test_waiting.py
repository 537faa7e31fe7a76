"""Waiting for an event or a time."""

import asyncio

from gateway.base.stop import Stop
from gateway.base.waiting import WakeUp, wait_for_any, wait_for_event

LONG = 3600.0


async def test_an_event_ends_the_wait_and_stays_set() -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(wait_for_event(event, LONG))
    await asyncio.sleep(0)
    event.set()
    async with asyncio.timeout(10):
        assert await waiting is True
        assert await wait_for_event(event, LONG) is True


async def test_the_time_ends_the_wait() -> None:
    assert await wait_for_event(asyncio.Event(), 0.001) is False
    assert await wait_for_event(asyncio.Event(), 0) is False


async def test_the_first_of_several_ends_the_wait() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    waiting = asyncio.create_task(wait_for_any(first.wait, second.wait))
    await asyncio.sleep(0)
    second.set()
    async with asyncio.timeout(10):
        await waiting
    await wait_for_any(first.wait, seconds=0.001)


async def test_a_hint_is_kept_for_the_next_wait_and_used_up_by_it() -> None:
    wake = WakeUp()
    wake.set()
    wake.set()
    assert wake.is_set()
    assert await wake.wait(LONG) is True
    assert not wake.is_set()
    assert await wake.wait(0.001) is False


async def test_a_hint_ends_a_wait() -> None:
    wake = WakeUp()
    waiting = asyncio.create_task(wake.wait(LONG))
    await asyncio.sleep(0)
    wake.set()
    async with asyncio.timeout(10):
        assert await waiting is True


async def test_a_stop_is_a_hint_too() -> None:
    stop, wake, other = Stop(), WakeUp(), WakeUp()
    with stop.waking(wake):
        waiting = asyncio.create_task(wake.wait(LONG))
        await asyncio.sleep(0)
        stop.set()
        async with asyncio.timeout(10):
            assert await waiting is True
    with stop.waking(other):
        assert other.is_set()
