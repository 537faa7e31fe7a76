"""How much of the journal a queue may take now: a deep one costs every subscriber of its broker."""

import time
from collections.abc import Callable

from gateway.broker import Broker, NotOnBroker

PAUSE = 0.5  # seconds until a queue that was full is asked again, by all shards together
REMEMBERED = 1000  # queues that were full; who has ended among them is forgotten
LEAST = 8  # a queue is full until this part of the low mark is free: no asking for every message


class QueueCredit:
    """Asks the queues themselves; the statistics of the broker are seconds old."""

    def __init__(
        self,
        broker: Broker,
        *,
        low: int,
        shards: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A queue takes what makes it `low` messages deep, shared evenly among the shards."""
        self._broker = broker
        self._low = low
        self._shards = shards
        self._clock = clock
        self._full: dict[str, float] = {}

    async def of(self, queue: str) -> int:
        """How many messages one shard may send before it asks again; 0 where it is to wait.

        Raises BrokerUnavailable.
        """
        if self._clock() < self._full.get(queue, 0):
            return 0
        try:
            room = self._low - (await self._broker.depth(queue)).ready
        except NotOnBroker:
            room = 0  # lost with what it held: the reconciler makes it again
        if room * LEAST < self._low:
            self._note_full(queue)
            return 0
        self._full.pop(queue, None)
        return max(1, room // self._shards)

    def _note_full(self, queue: str) -> None:
        now = self._clock()
        if len(self._full) >= REMEMBERED:
            self._full = {name: until for name, until in self._full.items() if until > now}
        self._full[queue] = now + PAUSE
