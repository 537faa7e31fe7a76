"""The one way to stop."""

import asyncio

from gateway.base.stop import Stop


async def test_a_sleep_ends_at_once_on_stop() -> None:
    stop = Stop()
    sleeping = asyncio.create_task(stop.sleep(3600))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(10):
        assert await sleeping is False
        await stop.wait()
    assert stop
    assert await stop.sleep(3600) is False
    assert await stop.sleep(0) is False


async def test_a_sleep_ends_by_itself() -> None:
    stop = Stop()
    assert await stop.sleep(0.001) is True
    assert await stop.sleep(0) is True
    assert not stop
