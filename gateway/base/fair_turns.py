"""A bounded number of turns at a time, shared fairly: who waits long for turns delays itself."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.base.errors import Overloaded


class FairTurns:
    """`slots` turns at a time, at most `share` of them for one key.

    Turns that become free go to the waiting keys in rotation, so that the length of one key's
    queue is of no concern to the others.
    """

    def __init__(self, *, slots: int, share: int, queue: int) -> None:
        """`queue` of each key may wait."""
        self._free, self._share, self._queue = slots, share, queue
        self._taken: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Wait for a turn, and hold it. Raises Overloaded if too many of this key wait."""
        await self._take(key)
        try:
            yield
        finally:
            self._release(key)

    async def _take(self, key: str) -> None:
        if self._free and self._taken[key] < self._share:  # whoever waits has used up its share
            self._free -= 1
            self._taken[key] += 1
            return
        queue = self._waiting.setdefault(key, deque())
        if len(queue) >= self._queue:
            raise Overloaded(
                "Too many expensive calls of your organisation are waiting. Try again later."
            )
        granted = asyncio.get_running_loop().create_future()
        queue.append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if granted.cancelled():
                self._forget(key, granted)
            else:
                self._release(key)
            raise

    def _forget(self, key: str, granted: asyncio.Future[None]) -> None:
        queue = self._waiting.get(key, deque())
        if granted in queue:
            queue.remove(granted)
        if not queue:
            self._waiting.pop(key, None)

    def _release(self, key: str) -> None:
        self._free += 1
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]
        while self._free and (following := self._next()) is not None:
            self._free -= 1
            self._taken[following] += 1

    def _next(self) -> str | None:
        """Give a turn to the first key in the rotation that may have one."""
        for key, queue in self._waiting.items():
            if self._taken[key] >= self._share:
                continue
            granted = queue.popleft()
            self._waiting.move_to_end(key)
            if not queue:
                del self._waiting[key]
            if granted.done():  # it was cancelled, and has not noticed yet
                return self._next()
            granted.set_result(None)
            return key
        return None
