"""The one way in which every background loop is told to end."""

import asyncio


class Stop:
    """Set once, seen by all loops of a process."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        """Ask every loop to finish what it holds and return."""
        self._event.set()

    async def wait(self) -> None:
        """Return once a stop has been asked for."""
        await self._event.wait()

    async def sleep(self, seconds: float) -> bool:
        """Sleep, but wake at once on stop. True while the work goes on, False once stopped."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return not self
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return True
        return False
