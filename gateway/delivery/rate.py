"""How fast one process hands out to one receiver."""

import time
from collections.abc import Callable

Clock = Callable[[], float]


class RateLimit:
    """At most `rate` a second, and no more than a second's worth at once."""

    def __init__(self, rate: float, clock: Clock = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._burst = max(1.0, rate)
        self._left = self._burst
        self._at = clock()

    @property
    def left(self) -> int:
        """How many may begin now."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        return int(self._left)

    @property
    def wait(self) -> float:
        """Seconds until one may begin."""
        return 0.0 if self.left else (1 - self._left) / self._rate

    def spend(self) -> None:
        """One begins."""
        self._left -= 1
