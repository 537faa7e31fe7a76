"""Wakes those who wait in this process for something new: receivers that pull, and streams.

One look for all of them, at once on a hint and else by polling: a thousand receivers that wait
cost the database as much as one. Who is not woken misses nothing but time: nothing is handed out
by this, and whoever comes looks for itself.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from gateway.base.errors import Unavailable
from gateway.base.stop import Stop
from gateway.delivery.store import Deliveries, Key
from gateway.journal import Cursor, HintListener, JournalReader
from gateway.subscriptions import Subscription

BUSY, IDLE = 0.02, 0.25  # seconds between two looks for new entries
DUE = 0.1  # seconds between two looks for deliveries that are due again
SOUGHT = 1.0  # seconds between two looks for frontiers that were moved back
SHARE = 20  # times as long as a look takes is the pause after it at least
VERDICTS = 50_000  # kept at most


class Waiter:
    """One receiver, and what it waits for."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self._woken = asyncio.Event()

    @property
    def is_woken(self) -> bool:
        """Whether there may be something since it last waited."""
        return self._woken.is_set()

    def wake(self) -> None:
        """There may be something for it."""
        self._woken.set()

    async def wait(self, seconds: float) -> None:
        """Until woken, also if that was since the last time; no longer than that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()


class Wakeups:
    """Everybody who waits, by subscription; `run` wakes them."""

    def __init__(self, reader: JournalReader, deliveries: Deliveries, hints: HintListener) -> None:
        self._reader = reader
        self._deliveries = deliveries
        self._hints = hints
        self._waiters: dict[Key, set[Waiter]] = {}
        self._heads: Mapping[int, Cursor] = {}
        self._verdicts: dict[tuple[tuple[str, ...], str], bool] = {}
        self._cursors: dict[Key, int] = {}
        self.ended = False
        """Nobody is woken any more."""

    @contextmanager
    def of(self, subscription: Subscription) -> Iterator[Waiter]:
        """Wait in here. Begun before the first look, it misses nothing."""
        waiter = Waiter(subscription)
        self._waiters.setdefault(subscription.key, set()).add(waiter)
        try:
            yield waiter
        finally:
            others = self._waiters[subscription.key]
            others.discard(waiter)
            if not others:
                del self._waiters[subscription.key]

    def tell(self, key: Key) -> None:
        """Something was settled or given back: there may be more to hand out."""
        for waiter in self._waiters.get(key, ()):
            waiter.wake()

    async def run(self, stop: Stop) -> None:
        """Look until stopped; then wake everybody for the last time."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch_heads(stop))
                tasks.create_task(_again(self._look_for_due, DUE, stop))
                tasks.create_task(_again(self._look_for_sought, SOUGHT, stop))
        finally:
            self.ended = True
            for key in self._waiters:
                self.tell(key)

    async def _watch_heads(self, stop: Stop) -> None:
        pause = BUSY
        while not stop:
            hinted = await self._hints.wait(pause)
            moved = False
            if self._waiters:
                with suppress(Unavailable):  # the next look may do better
                    moved = await self._look_for_new()
            pause = BUSY if hinted or moved else min(pause * 2, IDLE)

    async def _look_for_new(self) -> bool:
        """Wake those who want what has come since the last look; True if anything has."""
        heads = await self._reader.heads()
        if heads == self._heads:
            return False
        types = await self._reader.types_between(self._heads, heads)
        self._heads = heads
        for waiters in self._waiters.values():
            for each in waiters:
                if types is None or any(self._wants(each.subscription, type) for type in types):
                    each.wake()
        return True

    def _wants(self, subscription: Subscription, type: str) -> bool:
        question = subscription.types, type
        if (verdict := self._verdicts.get(question)) is None:
            if len(self._verdicts) >= VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[question] = subscription.wants(type)
        return verdict

    async def _look_for_due(self) -> None:
        if self._waiters:
            for key in await self._deliveries.due(list(self._waiters)):
                self.tell(key)

    async def _look_for_sought(self) -> None:
        """Wake who was sent back in the journal: its own look may have come before that.

        A frontier is compared with what was seen the last time, so each waiter is woken once when
        it is seen for the first time.
        """
        keys = list(self._waiters)
        cursors = await self._deliveries.summed_cursors(keys) if keys else {}
        for key, now in cursors.items():
            if now < self._cursors.get(key, now + 1):
                self.tell(key)
        self._cursors = cursors


async def _again(look: Callable[[], Awaitable[None]], pause: float, stop: Stop) -> None:
    """Look until stopped; what takes long is done less often."""
    took = 0.0
    while await stop.sleep(max(pause, SHARE * took)):
        began = time.monotonic()
        with suppress(Unavailable):  # the next look may do better
            await look()
        took = time.monotonic() - began
