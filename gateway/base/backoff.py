"""Pauses between attempts that grow: the one exponential backoff of the house."""

import random
from collections.abc import Callable


class Backoff:
    """Pauses that double from `first` to `last` seconds.

    With `jitter` each pause is spread by that part of itself, each way: 0.2 gives 80 % to 120 %.
    One loop that fails and recovers calls `next` and `reset`; what counts its attempts elsewhere
    asks for `delay(attempt)`.
    """

    def __init__(
        self,
        first: float,
        last: float,
        *,
        jitter: float = 0.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.first = first
        self.last = last
        self._jitter = jitter
        self._chance = chance
        self._attempts = 0

    def next(self) -> float:
        """Seconds until the next attempt; the pause after that is twice as long."""
        self._attempts += 1
        return self.delay(self._attempts)

    def reset(self) -> None:
        """An attempt succeeded: begin with the first pause again."""
        self._attempts = 0

    def delay(self, attempt: int) -> float:
        """Seconds to wait after this failed attempt, counted from 1."""
        doubled = self.first * 2.0 ** min(max(attempt - 1, 0), 64)
        spread = 1 + self._jitter * (2 * self._chance() - 1) if self._jitter else 1.0
        return min(doubled, self.last) * spread
