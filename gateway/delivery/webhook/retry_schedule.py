"""When to retry: the schedule of one delivery, and the circuit breaker of one endpoint."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from gateway.base.backoff import Backoff

DAY = 86_400.0
JITTER = 0.2  # of the delay, each way
Clock = Callable[[], float]


class RetrySchedule:
    """The pauses between the attempts at one delivery, from seconds to a day."""

    def __init__(
        self, delays: Sequence[float], *, chance: Callable[[], float] = random.random
    ) -> None:
        self._delays = delays
        self._chance = chance

    @classmethod
    def parse(cls, text: str) -> "RetrySchedule":
        """Read the setting: seconds, separated by commas."""
        return cls([float(each) for each in text.split(",")])

    def delay(self, attempt: int, requested: float | None) -> float:
        """Seconds to wait after this failed attempt, at least as many as the endpoint requested."""
        planned = self._delays[min(attempt, len(self._delays)) - 1]
        spread = planned * (1 + JITTER * (2 * self._chance() - 1))
        return min(DAY, max(spread, requested or 0.0))


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that `Retry-After` requests, a day at most; None if invalid (RFC 9110, 10.2.3)."""
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
    """Holds back calls of an endpoint that keeps failing: one probe at a time until one succeeds.

    `FAILURES` in a row open it. Deliveries that wait meanwhile use up no attempts.
    """

    FAILURES = 10
    FIRST, LAST = 2.0, 300.0  # seconds until a probe
    HOLD = 3600.0  # seconds that Retry-After can hold back an endpoint at most

    def __init__(
        self, clock: Clock = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._backoff = Backoff(self.FIRST, self.LAST, jitter=JITTER, chance=chance)
        self._failures = 0
        self._until = 0.0

    @property
    def open(self) -> bool:
        """Whether calls are held back."""
        return self._failures >= self.FAILURES

    @property
    def wait(self) -> float:
        """Seconds until a call may begin."""
        return max(0.0, self._until - self._clock())

    def slots(self, usual: int) -> int:
        """How many calls may be in flight now, of the usual number."""
        if self.wait:
            return 0
        return min(usual, 1) if self.open else usual

    def succeeded(self) -> None:
        """A call succeeded."""
        self._backoff.reset()
        self._failures, self._until = 0, 0.0

    def failed(self, requested: float | None = None) -> bool:
        """A call failed, and may have requested a pause in seconds. True if this opened it."""
        was_open, probed = self.open, not self.wait
        self._failures += 1
        if self.open and probed:  # else the call began before and proves nothing new
            self._hold_back(self._backoff.next())
        if requested is not None:
            self._hold_back(min(requested, self.HOLD))
        return self.open and not was_open

    def _hold_back(self, seconds: float) -> None:
        self._until = max(self._until, self._clock() + seconds)
