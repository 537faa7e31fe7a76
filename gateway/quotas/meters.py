"""One quota of one organisation or client in one process: what is left, and what was used."""

import math
import time
from collections import deque
from collections.abc import Callable

from gateway.base.rate_limit import RateLimit, SharedBucket
from gateway.identity import Quota

Clock = Callable[[], float]
Key = tuple[str, Quota]
"""The subject and the quota."""
SLOT, MINUTE = 5.0, 60.0  # seconds
_WAIT = 1.0  # seconds after which a place may be free: nobody knows


class LastMinute:
    """What was used and refused within the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slots: deque[tuple[float, float, int]] = deque()

    def add(self, used: float, refused: int) -> None:
        """Count what has come since the last call."""
        if used or refused:
            slot = self._clock() // SLOT
            if self._slots and self._slots[-1][0] == slot:
                _, used_before, refused_before = self._slots.pop()
                used, refused = used + used_before, refused + refused_before
            self._slots.append((slot, used, refused))

    @property
    def totals(self) -> tuple[float, int]:
        """Used and refused."""
        first = (self._clock() - MINUTE) // SLOT
        while self._slots and self._slots[0][0] <= first:
            self._slots.popleft()
        return sum(used for _, used, _ in self._slots), sum(refused for *_, refused in self._slots)


class RateMeter:
    """So many a second."""

    def __init__(self, key: Key, limit: int, sharers: int, clock: Clock = time.monotonic) -> None:
        self.key = key
        self.limit = limit
        self.bucket = SharedBucket(RateLimit.per_second(limit), sharers=sharers, clock=clock)
        self.refused = 0
        self.minute = LastMinute(clock)

    def change(self, limit: int) -> None:
        """Put another limit in force."""
        if limit != self.limit:
            self.limit = limit
            self.bucket.change(RateLimit.per_second(limit))

    @property
    def policy(self) -> str:
        """The item of a RateLimit-Policy field."""
        return f'"{self.key[1]}";q={self.limit};w=1{_UNITS.get(self.key[1], "")}'

    @property
    def wait(self) -> float:
        """Seconds until one more may begin."""
        return self.bucket.wait

    @property
    def state(self) -> str:
        """The item of a RateLimit field: what is left for this process, and when it is full."""
        left = self.bucket.left
        full = math.ceil(max(0.0, (self.limit - left) / self.limit))
        return f'"{self.key[1]}";r={max(0, left)};t={full}'


class PlaceMeter:
    """So many at the same time."""

    def __init__(self, key: Key, limit: int, elsewhere: int, sharers: int, clock: Clock) -> None:
        self.key = key
        self.limit = limit
        self.in_use = 0
        self.refused = 0
        self.minute = LastMinute(clock)
        self._sharers = sharers
        self.reconcile(elsewhere, sharers)

    def change(self, limit: int) -> None:
        """Put another limit in force. What is in progress goes on."""
        if limit != self.limit:
            self.limit = limit
            self.reconcile(self._elsewhere, self._sharers)

    def reconcile(self, elsewhere: int, sharers: int) -> None:
        """The other processes have so many in use: take a share of what is free.

        One place is for whoever is first, so all together may exceed the limit by one less than
        there are processes.
        """
        self._elsewhere, self._sharers = elsewhere, sharers
        free = self.limit - self.in_use - elsewhere
        self._left = math.ceil(free / sharers) if free > 0 else free

    def enter(self) -> bool:
        """Take a place; False if there is none."""
        if self._left <= 0:
            return False
        self._left -= 1
        self.in_use += 1
        return True

    def leave(self) -> None:
        """Give a place back."""
        self._left += 1
        self.in_use -= 1

    @property
    def policy(self) -> str:
        """The item of a RateLimit-Policy field."""
        return f'"{self.key[1]}";q={self.limit};qu="concurrent-requests"'

    @property
    def wait(self) -> float:
        """Seconds after which to try again."""
        return _WAIT

    @property
    def state(self) -> str:
        """The item of a RateLimit field."""
        return f'"{self.key[1]}";r={max(0, self._left)}'


# Not "requests", which is what the field means otherwise. `events` is a unit of our own.
_UNITS = {
    Quota.EVENTS: ';qu="events"',
    Quota.REFUSALS: ';qu="events"',
    Quota.BYTES: ';qu="content-bytes"',
}
Meter = RateMeter | PlaceMeter
