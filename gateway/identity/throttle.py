"""How often somebody may be wrong before having to wait."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Throttle:
    """A token bucket of failures per key, in bounded memory.

    `burst` failures are free, then one more each `interval` seconds. With more than `keys` keys the
    one that has been quiet for longest is forgotten.
    """

    def __init__(
        self,
        *,
        burst: int,
        interval: float,
        keys: int = 10_000,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._interval = interval
        self._capacity = keys
        self._now = now
        # The time at which the bucket of a key is full again.
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def wait(self, key: Hashable) -> float:
        """Seconds until this key may be wrong again; 0 when it may now."""
        full_at = self._full_at.get(key, 0.0)
        return max(0.0, full_at - self._now() - (self._burst - 1) * self._interval)

    def failed(self, key: Hashable) -> None:
        """Count a failure of this key."""
        full_at = max(self._full_at.get(key, 0.0), self._now())
        self._full_at[key] = full_at + self._interval
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._capacity:
            self._full_at.popitem(last=False)
