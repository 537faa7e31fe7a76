"""When to retry: the schedule of one delivery, and the circuit breaker of one endpoint."""

import random
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from gateway.base.backoff import Backoff

DAY = 86_400.0
LONGEST = 64  # characters of `Retry-After`; the longest valid date has 33
JITTER = 0.2  # of the delay, each way
Clock = Callable[[], float]

# The three forms of a date (RFC 9110, 5.6.7), whose names are in English and case-sensitive.
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_SECONDS = re.compile(r"[0-9]+")
_DAYS, _MONTH = "Mon|Tue|Wed|Thu|Fri|Sat|Sun", f"(?P<month>{'|'.join(_MONTHS)})"
_LONG_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-5][0-9]|60)"
_DATES = (
    re.compile(rf"(?:{_DAYS}), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(rf"(?:{_LONG_DAYS}), (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"(?:{_DAYS}) {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)


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
    """Seconds that `Retry-After` requests, a day at most; None if invalid (RFC 9110, 10.2.3).

    Parsed by its grammar and not by `email.utils`, which raises what it likes for odd dates.
    """
    if value is None or len(value) > LONGEST:
        return None
    text = value.strip(" \t")
    if _SECONDS.fullmatch(text):
        return min(float(text), DAY)
    now = now or datetime.now(UTC)
    until = next((_date(found, now) for form in _DATES if (found := form.fullmatch(text))), None)
    return None if until is None else min(max((until - now).total_seconds(), 0.0), DAY)


def _date(found: re.Match[str], now: datetime) -> datetime | None:
    """The date of a match; None if the calendar does not have it."""
    year, month = int(found["year"]), _MONTHS.index(found["month"]) + 1
    if len(found["year"]) == 2:  # in the last century if it is more than 50 years away
        year += now.year - now.year % 100
        year -= 100 if year > now.year + 50 else 0
    hour, minute, second = (int(found[name]) for name in ("hour", "minute", "second"))
    try:
        until = datetime(year, month, int(found["day"]), hour, minute, min(second, 59), tzinfo=UTC)
        return until + timedelta(seconds=1) if second == 60 else until  # a leap second
    except (ValueError, OverflowError):
        return None


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
        self._requested_until = 0.0

    @property
    def open(self) -> bool:
        """Whether calls are held back."""
        return self._failures >= self.FAILURES

    @property
    def wait(self) -> float:
        """Seconds until a call may begin."""
        return max(0.0, max(self._until, self._requested_until) - self._clock())

    def slots(self, usual: int) -> int:
        """How many calls may be in flight now, of the usual number."""
        if self.wait:
            return 0
        return min(usual, 1) if self.open else usual

    def succeeded(self) -> None:
        """A call succeeded.

        That does not end a pause which the endpoint requested: the call began before it.
        """
        self._backoff.reset()
        self._failures, self._until = 0, 0.0

    def failed(self, requested: float | None = None) -> bool:
        """A call failed, and may have requested a pause in seconds. True if this opened it."""
        was_open, probed = self.open, not self.wait
        self._failures += 1
        if self.open and probed:  # else the call began before and proves nothing new
            self._until = max(self._until, self._clock() + self._backoff.next())
        if requested is not None:
            until = self._clock() + min(requested, self.HOLD)
            self._requested_until = max(self._requested_until, until)
        return self.open and not was_open
