"""One token bucket: the arithmetic, and buckets kept in memory.

The arithmetic is apart from where the state is kept: in memory (`TokenBucket`, `KeyedBuckets`) or
in a table that several processes share (see `gateway.delivery.store`).
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `rate` a second, and no more than `burst` at once."""

    rate: float
    burst: float

    @classmethod
    def per_second(cls, rate: float) -> "RateLimit":
        """At most a second's worth at once, and one at least."""
        return cls(rate, max(1.0, rate))

    def refilled(self, tokens: float, seconds: float) -> float:
        """The tokens in a bucket that held `tokens` so many seconds ago."""
        return min(self.burst, tokens + seconds * self.rate)

    def wait(self, tokens: float) -> float:
        """Seconds until a bucket that holds `tokens` holds a whole one."""
        return 0.0 if tokens >= 1.0 else (1.0 - tokens) / self.rate


class TokenBucket:
    """One bucket, full at first."""

    def __init__(self, limit: RateLimit, clock: Clock = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._tokens = limit.burst
        self._at = clock()

    @property
    def left(self) -> int:
        """How many may begin now."""
        self._refill()
        return int(self._tokens)

    @property
    def wait(self) -> float:
        """Seconds until one may begin."""
        self._refill()
        return self._limit.wait(self._tokens)

    def spend(self, count: int = 1) -> None:
        """So many begin. More than are left must be waited for afterwards."""
        self._tokens -= count

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = self._limit.refilled(self._tokens, now - self._at)
        self._at = now


class KeyedBuckets:
    """A bucket per key, in bounded memory: of more than `capacity` the longest unused goes."""

    def __init__(
        self, limit: RateLimit, *, capacity: int = 10_000, clock: Clock = time.monotonic
    ) -> None:
        self._limit = limit
        self._capacity = capacity
        self._clock = clock
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def wait(self, key: Hashable) -> float:
        """Seconds until this key may spend one; 0 where it may now."""
        bucket = self._buckets.get(key)
        return 0.0 if bucket is None else bucket.wait

    def spend(self, key: Hashable) -> None:
        """Count one of this key."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._limit, self._clock)
        bucket.spend()
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
