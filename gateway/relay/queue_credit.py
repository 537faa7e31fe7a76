"""How many messages of a backfill a queue may take now. A deep queue slows the whole broker."""

import time
from collections.abc import Callable

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

    async def available(self, queue: str) -> int:
        """How many messages one shard may send before it asks again; 0 means wait.

        Raises BrokerUnavailable.
        """
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
        return max(1, free // self._shards)

    def _remember_full(self, queue: str) -> None:
        now = self._clock()
        if len(self._full_until) >= REMEMBERED:
            self._full_until = {
                name: until for name, until in self._full_until.items() if until > now
            }
        self._full_until[queue] = now + PAUSE
