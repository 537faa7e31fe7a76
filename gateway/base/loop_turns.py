"""Turns on the event loop, shared between keys.

A hundred requests of one key that are ready at once would all run before the next look at the
sockets, and a request of another key would wait for them at each of its steps.
"""

import asyncio
from collections.abc import Hashable

from gateway.base.fair_queue import FairQueue


class LoopTurns:
    """Work begins within a budget for each pass of the event loop; keys take turns."""

    def __init__(self, budget: int) -> None:
        self._budget = self._left = budget
        self._queue: FairQueue[tuple[asyncio.Future[None], int]] = FairQueue(1)
        self._scheduled = False

    async def turn(self, key: Hashable, cost: int) -> None:
        """Wait until it is the turn of work that costs so much of the budget."""
        loop = asyncio.get_running_loop()
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._next_pass)
        if self._left > 0 and not self._queue:
            self._left -= cost
            return
        waiting: asyncio.Future[None] = loop.create_future()
        self._queue.push(key, (waiting, cost), cost)
        await waiting

    def _next_pass(self) -> None:
        self._left = min(self._left, 0) + self._budget  # more than the budget is paid back
        while self._left > 0 and self._queue:
            waiting, cost = self._queue.pop()
            if not waiting.done():  # its caller may have given up
                self._left -= cost
                waiting.set_result(None)
        self._scheduled = self._left < self._budget or bool(self._queue)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._next_pass)
