"""Wakes receivers and readers that wait in this process for new events.

One query serves all of them, at once after a hint and otherwise by polling, so a thousand waiting
receivers cost the database as much as one. A wake-up delivers nothing: each receiver then queries
for itself, so a missed wake-up costs only time.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from gateway.base.periodic import Every, Polling, periodic
from gateway.base.stop import Stop
from gateway.base.waiting import WakeUp
from gateway.delivery.recent_types import RecentTypes
from gateway.delivery.store import Deliveries, Key
from gateway.journal import Cursor, HintListener, JournalReader
from gateway.subscriptions import Subscription

BUSY, IDLE = 0.02, 0.25  # seconds between two checks for new entries
DUE = 0.1  # seconds between two checks for deliveries that are due again
SOUGHT = 1.0  # seconds between two checks for cursors that were moved back
REST = 20.0  # a check is followed by a pause of at least this many times its length


class Waiter(WakeUp):
    """One waiting receiver, and its subscription."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__()
        self.subscription = subscription


class Wakeups:
    """The waiting receivers, by subscription; `run` wakes them."""

    def __init__(
        self,
        reader: JournalReader,
        deliveries: Deliveries,
        hints: HintListener,
        recent: RecentTypes,
    ) -> None:
        """`recent` is told the types of new entries while receivers wait."""
        self._reader = reader
        self._deliveries = deliveries
        self._hints = hints
        self._recent = recent
        self._waiters: dict[Key, set[Waiter]] = {}
        self._heads: Mapping[int, Cursor] = {}
        self._cursors: dict[Key, int] = {}
        self.ended = False
        """Whether the process is stopping; there are no further wake-ups."""

    @contextmanager
    def of(self, subscription: Subscription) -> Iterator[Waiter]:
        """A waiter for this block. Enter it before the first query, so that it misses nothing."""
        waiter = Waiter(subscription)
        self._waiters.setdefault(subscription.key, set()).add(waiter)
        try:
            yield waiter
        finally:
            others = self._waiters[subscription.key]
            others.discard(waiter)
            if not others:
                del self._waiters[subscription.key]

    def wake(self, key: Key) -> None:
        """A delivery was settled or released: more may be delivered now."""
        for waiter in self._waiters.get(key, ()):
            waiter.set()

    async def run(self, stop: Stop) -> None:
        """Check until stopped; then wake everyone a last time."""
        try:
            async with asyncio.TaskGroup() as tasks:
                wake, pace = self._hints.wake_up, Polling(BUSY, IDLE)
                tasks.create_task(periodic("wakeups.new", self._check_new, pace, stop, wake=wake))
                tasks.create_task(periodic("wakeups.due", self._check_due, Every(DUE, REST), stop))
                tasks.create_task(
                    periodic("wakeups.sought", self._check_sought, Every(SOUGHT, REST), stop)
                )
        finally:
            self.ended = True
            for key in self._waiters:
                self.wake(key)

    async def _check_new(self) -> bool:
        """Wake receivers of the types that are new since the last check; True if any are new."""
        heads = await self._reader.heads() if self._waiters else self._heads
        if heads == self._heads:
            return False
        found = await self._reader.types_between(self._heads, heads)
        self._recent.extend(self._heads, heads, found)
        self._heads = heads
        types = None if found is None else set().union(*found.values())
        for waiters in self._waiters.values():
            for each in waiters:
                wants = partial(self._recent.wants, each.subscription)
                if types is None or any(map(wants, types)):
                    each.set()
        return True

    async def _check_due(self) -> None:
        if self._waiters:
            for key in await self._deliveries.due(list(self._waiters)):
                self.wake(key)

    async def _check_sought(self) -> None:
        """Wake receivers whose cursor a seek moved back; their last query may precede the seek.

        A cursor is compared with that of the last check, so each receiver is also woken once at
        the first check that sees it.
        """
        keys = list(self._waiters)
        cursors = await self._deliveries.summed_cursors(keys) if keys else {}
        for key, now in cursors.items():
            if now < self._cursors.get(key, now + 1):
                self.wake(key)
        self._cursors = cursors
