"""Wait for an event or a time, whichever comes first."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any


async def wait_for_event(event: asyncio.Event, seconds: float) -> bool:
    """Wait until the event is set, at most `seconds`. True if it is set. It stays set."""
    if not event.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
    return event.is_set()


async def wait_for_any(*waits: Callable[[], Awaitable[Any]], seconds: float | None = None) -> None:
    """Wait until one of these returns, at most `seconds`; the others are cancelled.

    Takes functions, such as `event.wait` and `stop.wait`. Raises nothing of what they raise.
    """
    tasks = {asyncio.ensure_future(each()) for each in waits}
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


class WakeUp:
    """A hint to one loop that there is something to do.

    A hint that comes while nobody waits is kept for the next wait, so none is lost; several
    hints are one. Only one task may wait.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def is_set(self) -> bool:
        """Whether a hint has come since the last wait."""
        return self._event.is_set()

    def set(self) -> None:
        """Wake the loop."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for a hint, at most `seconds`. True if one came, which is used up by that."""
        hinted = await wait_for_event(self._event, seconds)
        self._event.clear()
        return hinted
