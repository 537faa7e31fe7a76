"""How much of a stream may be without an answer: the bound on its memory."""

import asyncio


class StreamWindow:
    """Events and bytes that were read and not answered yet.

    One more message is read while both are below their limits, so each is exceeded by less than
    one message.
    """

    def __init__(self, events: int, size: int) -> None:
        self.limits = (events, size)
        self.open = (0, 0)
        self._free = asyncio.Event()
        self._free.set()

    async def room(self) -> None:
        """Return once one more message may be read."""
        await self._free.wait()

    def take(self, events: int, size: int) -> None:
        """A message was read."""
        self._change(events, size)

    def give_back(self, events: int, size: int) -> None:
        """It was answered."""
        self._change(-events, -size)

    def _change(self, events: int, size: int) -> None:
        self.open = (self.open[0] + events, self.open[1] + size)
        if self.open[0] < self.limits[0] and self.open[1] < self.limits[1]:
            self._free.set()
        else:
            self._free.clear()
