"""How every background loop of a process is asked to end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.base.waiting import WakeUp, wait_for_event


class Stop:
    """Set once, seen by all loops of a process."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._wakes: list[WakeUp] = []

    def __bool__(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        """Ask every loop to finish what it holds and return."""
        self._event.set()
        for wake in self._wakes:
            wake.set()

    async def wait(self) -> None:
        """Return once a stop has been asked for."""
        await self._event.wait()

    async def sleep(self, seconds: float) -> bool:
        """Sleep, but wake at once on stop. True while the work goes on, False once stopped."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return not self
        return not await wait_for_event(self._event, seconds)

    @contextmanager
    def waking(self, wake: WakeUp) -> Iterator[None]:
        """In here a stop is also a hint: a loop that waits for `wake` need not watch the stop."""
        self._wakes.append(wake)
        if self:
            wake.set()
        try:
            yield
        finally:
            self._wakes.remove(wake)
