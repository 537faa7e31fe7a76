"""Delivers the events of one webhook subscription to its endpoint while the lease is held."""

import asyncio
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass

from gateway.base.errors import Unavailable
from gateway.base.leases import Lease
from gateway.base.outages import OutageReporter
from gateway.base.rate_limit import RateLimit, TokenBucket
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import log
from gateway.base.waiting import WakeUp
from gateway.contracts import Catalogue
from gateway.delivery.journal_scanner import JournalScanner
from gateway.delivery.store import Claim, Deliveries, DeliveryLimits, DispatchStore, Locked
from gateway.delivery.webhook.attempt import EndpointCaller
from gateway.delivery.webhook.configs import WebhookConfig
from gateway.delivery.webhook.journal_tail import JournalFollower, JournalTail
from gateway.delivery.webhook.keyed_queue import KeyedQueue, PendingDelivery, ShardTracker
from gateway.delivery.webhook.retry_schedule import CircuitBreaker, RetrySchedule
from gateway.delivery.webhook.sender import (
    AttemptResult,
    Delivered,
    EndpointGone,
    Rejected,
    RetryLater,
    WebhookSender,
)
from gateway.delivery.webhook.settlement_buffer import SettlementBuffer
from gateway.journal import Entry, JournalReader

READ_AHEAD = 4  # deliveries in memory for each concurrent call of the endpoint
IDLE = 2.0  # seconds between two checks of the lease when nothing happens
RETRY = 0.5  # seconds until the next step while the database is away
MARGIN = 10.0  # seconds by which the lock of a retry outlasts its call
FINISH = 4.0  # seconds in which calls may end when the dispatcher finishes


@dataclass(frozen=True, slots=True)
class DispatchContext:
    """What all dispatchers of a process share."""

    reader: JournalReader
    deliveries: Deliveries
    store: DispatchStore
    scanner: JournalScanner
    catalogue: Snapshot[Catalogue]
    schedule: RetrySchedule
    tail: JournalTail


class Dispatcher:
    """Dispatches one subscription.

    One task reads, retries and writes; each call of the endpoint has a task of its own. So no
    decision waits for the endpoint, and no state needs a lock.
    """

    def __init__(
        self,
        config: WebhookConfig,
        lease: Lease,
        context: DispatchContext,
        sender: WebhookSender,
    ) -> None:
        self._subscription = config.subscription
        self._endpoint = config.endpoint
        self._lease = lease
        self._context = context
        self._caller = EndpointCaller(config.subscription, sender, config.sign, context.catalogue)
        self.settlements = SettlementBuffer(lease, context.deliveries, context.store)
        self._queue = KeyedQueue()
        self._breaker = CircuitBreaker()
        self._rate = TokenBucket(RateLimit.per_second(config.rate))
        self._calls: set[asyncio.Task[None]] = set()
        self._follower = JournalFollower(self._subscription, context.scanner, context.tail)
        self._due = True
        self._wake = WakeUp()
        self._finishing = False
        self.gone: str | None = None
        """The answer by which the endpoint said that it wants no further events."""
        self.last_error: str | None = None
        """Why deliveries are held back now."""

    def notify_new(self, types: Iterable[str] | None) -> None:
        """The journal has new entries of these types; None is any type."""
        if self._follower.receives_any(types):
            self._wake.set()

    def notify_due(self) -> None:
        """An open delivery is due."""
        self._due = True
        self._wake.set()

    def finish(self) -> None:
        """Start no further calls, settle those in flight, and end."""
        self._finishing = True
        self._wake.set()

    async def run(self) -> None:
        """Dispatch until `finish`, or until the lease is lost or the endpoint is gone.

        Raises LeaseLost or Superseded where it must start again from what is stored.
        """
        await self.settlements.begin()
        async with asyncio.TaskGroup() as calls:
            with closing(OutageReporter("webhooks.dispatcher")) as outages:
                while self._lease and not self._finishing and self.gone is None:
                    with outages.tolerated():
                        await self._step(calls)
                    if outages.failing:
                        await asyncio.sleep(RETRY)
                    await self._rest()
            if self._calls:
                await asyncio.wait(self._calls, timeout=FINISH if self._lease else 0)
            for task in self._calls:
                task.cancel()
        with suppress(Unavailable):
            await self.settlements.write()

    async def _step(self, calls: asyncio.TaskGroup) -> None:
        if self.settlements.wait == 0 and await self.settlements.write():
            self._due = True  # those that waited for their ordering key
        if self._due:
            await self._lock_due()
        await self._read()
        self._start_calls(calls)

    async def _rest(self) -> None:
        """Wait for a wake-up, or for the next time at which something is to be done."""
        wait = self.settlements.wait
        pause = IDLE if wait is None else max(wait, 0.001)
        if self._queue or self._due:
            held_back = max(self._breaker.wait, self._rate.wait)
            pause = min(pause, held_back or IDLE)
        await self._wake.wait(pause)

    @property
    def _free(self) -> int:
        """How many calls may start now."""
        slots = self._breaker.slots(self._endpoint.concurrency) - len(self._calls)
        return max(0, min(slots, self._rate.left))

    async def _read(self) -> None:
        """Read entries until enough deliveries are in memory."""
        window = READ_AHEAD * self._endpoint.concurrency
        room = window - len(self._queue) - len(self._calls)
        in_flight = self.settlements.open + self.settlements.in_flight
        room = min(room, self._subscription.terms.in_flight - in_flight)
        if room * 2 < window and self._queue:
            return
        for shard, tracker in self.settlements.trackers.items():
            head = self._follower.head(shard).sequence
            while tracker.scanned.sequence < head and (limit := self._follower.limit(room)) > 0:
                if self.settlements.full:
                    self._wake.set()
                    return
                entries, scanned = await self._follower.after(shard, tracker.scanned, limit)
                room -= sum(self._admit(entry, tracker) for entry in entries)
                tracker.scanned = scanned

    def _admit(self, entry: Entry, tracker: ShardTracker) -> bool:
        """Begin the delivery of an entry. Returns whether it needs room."""
        ordering_key = entry.event.ordering_key if self._subscription.ordered else ""
        delivery = PendingDelivery(entry, 1, ordering_key, entry.recorded)
        if self.settlements.knows(delivery.position):
            return False
        tracker.begin(entry)
        if self._subscription.terms.too_old(delivery.since):
            self.settlements.too_old(delivery)
            return False
        if ordering_key in self.settlements.blocked:
            self.settlements.wait_for_key(delivery)
        else:
            self._put(delivery)
        return True

    def _put(self, delivery: PendingDelivery) -> None:
        self._follower.hold(delivery.entry)
        self._queue.put(delivery)

    async def _lock_due(self) -> None:
        """Lock due deliveries, no more than can be attempted before their locks expire.

        Where new deliveries wait as well, each kind gets half of the calls.
        """
        free = self._free
        limit = max(free - self._queue.ready, (free + 1) // 2)
        if limit <= 0:
            return
        self._due = False
        terms = self._subscription.terms
        # No rate: it is limited here, as no other process delivers this subscription.
        limits = DeliveryLimits(
            terms.attempts, self._endpoint.timeout + MARGIN, max_age=terms.max_age
        )
        try:
            locked, _, _ = await self._context.deliveries.lock(
                self._subscription.key, limit=limit, limits=limits
            )
            entries = await self._context.reader.entries_at([each.position for each in locked])
        except Unavailable:
            self._due = True
            raise
        self._due = len(locked) == limit
        found = {(entry.shard, entry.sequence): entry for entry in entries}
        for each in locked:
            self._retry(each, found[each.position])
        if not locked:  # some may have become dead letters, which block their ordering key no more
            await self.settlements.update_open()

    def _retry(self, locked: Locked, entry: Entry) -> None:
        ordering_key = entry.event.ordering_key if self._subscription.ordered else ""
        claim = Claim(locked.position, locked.lock)
        self._put(PendingDelivery(entry, locked.attempt, ordering_key, locked.since, claim))

    def _start_calls(self, calls: asyncio.TaskGroup) -> None:
        while self._free and (delivery := self._queue.take()):
            if self._subscription.terms.too_old(delivery.since):
                self.settlements.too_old(delivery)
                self._done(delivery)
                continue
            self._rate.spend()
            task = calls.create_task(self._call(delivery))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _call(self, delivery: PendingDelivery) -> None:
        result = await self._caller.attempt(delivery)
        if result is None:
            self.settlements.expired(delivery)
        else:
            self._settle(delivery, result)
        self._done(delivery)

    def _done(self, delivery: PendingDelivery) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a call is a task
        self._calls.discard(task)  # before the wake-up, so that the slot is free by then
        self._follower.release(delivery.entry)
        self._queue.done(delivery)
        self._wake.set()

    def _settle(self, delivery: PendingDelivery, result: AttemptResult) -> None:
        match result:
            case Delivered():
                self.settlements.delivered(delivery)
            case Rejected():
                self.settlements.rejected(delivery, result)
            case RetryLater():
                self.settlements.retry(delivery, result, delay=self._delay(delivery, result))
            case EndpointGone():
                self.gone = result.detail
                self.settlements.retry(delivery, RetryLater(result.detail, 410), delay=0.0)
        if isinstance(result, RetryLater | EndpointGone):
            for waiting in self._queue.withdraw(delivery.ordering_key):
                self._follower.release(waiting.entry)
                self.settlements.wait_for_key(waiting)
        self._update_breaker(delivery, result)

    def _delay(self, delivery: PendingDelivery, result: RetryLater) -> float:
        """Seconds until the next attempt; none after the last one, for it becomes a dead letter."""
        if delivery.attempt >= self._subscription.terms.attempts:
            return 0.0
        return self._context.schedule.delay(delivery.attempt, result.after)

    def _update_breaker(self, delivery: PendingDelivery, result: AttemptResult) -> None:
        if not isinstance(result, RetryLater):
            self._breaker.succeeded()
            self.last_error = None
            return
        log().info(
            "webhook.attempt_failed",
            organisation=self._subscription.organisation,
            subscription=self._subscription.name,
            shard=delivery.position.shard,
            sequence=delivery.position.sequence,
            attempt=delivery.attempt,
            reason=result.detail,
        )
        if self._breaker.failed(result.after):
            self.last_error = (
                f"held back after {CircuitBreaker.FAILURES} failures in a row: {result.detail}"
            )
