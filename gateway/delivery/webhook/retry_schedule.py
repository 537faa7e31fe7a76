"""When to try again: the schedule of one delivery, and the breaker of one endpoint."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

DAY = 86_400.0
JITTER = 0.2  # of the delay, each way
Clock = Callable[[], float]


class RetrySchedule:
    """Seconds until the next attempt, from seconds to a day."""

    def __init__(
        self, delays: Sequence[float], *, chance: Callable[[], float] = random.random
    ) -> None:
        self._delays = delays
        self._chance = chance

    @classmethod
    def parse(cls, text: str) -> "RetrySchedule":
        """As the settings have it."""
        return cls([float(each) for each in text.split(",")])

    def delay(self, attempts: int, asked: float | None) -> float:
        """After so many attempts; at least as long as the receiver asked for."""
        planned = self._delays[min(attempts, len(self._delays)) - 1]
        spread = planned * (1 + JITTER * (2 * self._chance() - 1))
        return min(DAY, max(spread, asked or 0.0))


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` asks for, a day at most (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), DAY)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        return None
    return min(max((until - (now or datetime.now(UTC))).total_seconds(), 0.0), DAY)


class CircuitBreaker:
    """Spares an endpoint that fails again and again: one probe at a time until one succeeds.

    `FAILURES` in a row open it. What waits meanwhile loses no attempt.
    """

    FAILURES = 10
    FIRST, LAST = 2.0, 300.0  # seconds until a probe
    HOLD = 3600.0  # seconds that a receiver may ask for by Retry-After

    def __init__(
        self, clock: Clock = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._failures = 0
        self._pause = self.FIRST
        self._until = 0.0

    @property
    def open(self) -> bool:
        """Whether it spares the endpoint now."""
        return self._failures >= self.FAILURES

    @property
    def wait(self) -> float:
        """Seconds until `admit` may say yes again."""
        return max(0.0, self._until - self._clock())

    def slots(self, usual: int) -> int:
        """How many deliveries may be under way now."""
        if self.wait:
            return 0
        return min(usual, 1) if self.open else usual

    def succeeded(self) -> None:
        """An endpoint answered with success."""
        self._failures, self._pause, self._until = 0, self.FIRST, 0.0

    def failed(self, asked: float | None = None) -> bool:
        """It failed; `asked` is for how long it wants to be spared. True if that opened it."""
        was_open, probed = self.open, not self.wait
        self._failures += 1
        if self.open and probed:  # else it was under way before and proves nothing new
            self._spare(self._pause * (1 + JITTER * (2 * self._chance() - 1)))
            self._pause = min(self._pause * 2, self.LAST)
        if asked is not None:
            self._spare(min(asked, self.HOLD))
        return self.open and not was_open

    def _spare(self, seconds: float) -> None:
        self._until = max(self._until, self._clock() + seconds)
