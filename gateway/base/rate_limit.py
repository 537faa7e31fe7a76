"""One token bucket: the arithmetic, and buckets kept in memory.

The arithmetic is apart from where the state is kept: in memory (`TokenBucket`, `KeyedBuckets`), in
a table that several processes share (see `gateway.delivery.store`), or in both (`SharedBucket`).
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

    def spend(self, count: float = 1) -> None:
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

    def spend(self, key: Hashable, count: int = 1) -> None:
        """Count so many of this key."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._limit, self._clock)
        bucket.spend(count)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)


class SharedBucket(TokenBucket):
    """One process's copy of a bucket that several processes share.

    What is spent counts here at once. `reconcile` brings in what the others have spent; until the
    next time each process may use its share of what is left then, and its share of the rate. So the
    rate is exact in the long run: what several took at once beyond the limit is a debt of all.
    """

    def __init__(
        self, limit: RateLimit, *, sharers: int = 1, clock: Clock = time.monotonic
    ) -> None:
        super().__init__(limit, clock)
        self._whole = limit
        self._sharers = sharers
        self._unreported = 0.0
        self._limit = self._share()
        self._tokens = self._limit.burst

    @property
    def limit(self) -> RateLimit:
        """The limit of all processes together."""
        return self._whole

    @property
    def wait(self) -> float:
        """See TokenBucket. Without a look at the clock while there is something left."""
        return 0.0 if self._tokens >= 1.0 else super().wait

    def change(self, limit: RateLimit) -> None:
        """Put another limit in force."""
        self._refill()
        self._whole = limit
        self._limit = self._share()
        self._tokens = min(self._tokens, self._limit.burst)

    def spend(self, count: float = 1) -> None:
        """See TokenBucket."""
        self._tokens -= count
        self._unreported += count

    def report(self) -> float:
        """What was spent since the last report.

        A report that gets lost is not repeated: an outage leaves each process its share of the
        rate, so what it spends then is no debt.
        """
        spent, self._unreported = self._unreported, 0.0
        return spent

    def reconcile(self, tokens: float, sharers: int) -> None:
        """All processes together had so many tokens when the last report was counted.

        Among `sharers` processes each gets a part, and one whole token at least where there is one:
        otherwise nobody could use the last.
        """
        self._sharers = sharers
        self._limit = self._share()
        part = max(tokens / sharers, min(tokens, 1.0)) if tokens > 0 else tokens
        self._tokens = part - self._unreported
        self._at = self._clock()

    def _share(self) -> RateLimit:
        whole = self._whole
        return RateLimit(whole.rate / self._sharers, max(1.0, whole.burst / self._sharers))
