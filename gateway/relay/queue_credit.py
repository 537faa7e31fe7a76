"""How many messages of a backfill a queue may take now. A deep queue slows the whole broker."""

import time
from asyncio import Lock
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.broker import Broker, NotOnBroker

PAUSE = 0.5  # seconds until a full queue is asked again, by all shards together
REMEMBERED = 1000  # full queues remembered; above this, those whose pause is over are forgotten
MIN_FREE = 8  # a queue counts as full until 1/8 of the low mark is free: fewer, larger batches


class QueueCredit:
    """Asks the queues themselves, because the broker's statistics are seconds old."""

    def __init__(
        self,
        broker: Broker,
        *,
        low: int,
        shards: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Fill each queue up to `low` messages, shared evenly among the shards."""
        self._broker = broker
        self._low = low
        self._shards = shards
        self._clock = clock
        self._full_until: dict[str, float] = {}
        self._reserved: defaultdict[str, int] = defaultdict(int)  # perhaps not in the queue yet
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)

    @asynccontextmanager
    async def reserve(self, queue: str) -> AsyncIterator[int]:
        """How many messages one shard may send in here, until all are confirmed; 0 means wait.

        What several shards reserve at once never exceeds what is free. Raises BrokerUnavailable.
        """
        async with self._locks[queue]:
            credit = await self._credit(queue, self._reserved[queue])
            self._reserved[queue] += credit
        try:
            yield credit
        finally:
            self._reserved[queue] -= credit
            if not self._reserved[queue] and not self._locks[queue].locked():
                del self._reserved[queue], self._locks[queue]

    async def _credit(self, queue: str, reserved: int) -> int:
        if self._clock() < self._full_until.get(queue, 0):
            return 0
        try:
            free = self._low - (await self._broker.depth(queue)).ready
        except NotOnBroker:
            free = 0  # the queue is lost with its messages; the reconciler declares it again
        if free * MIN_FREE < self._low:
            self._remember_full(queue)
            return 0
        self._full_until.pop(queue, None)
        return max(0, min(max(1, free // self._shards), free - reserved))

    def _remember_full(self, queue: str) -> None:
        now = self._clock()
        if len(self._full_until) >= REMEMBERED:
            self._full_until = {
                name: until for name, until in self._full_until.items() if until > now
            }
        self._full_until[queue] = now + PAUSE
