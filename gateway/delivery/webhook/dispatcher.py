"""Delivers to one endpoint what its subscription wants, for as long as the lease holds."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from gateway.base.errors import Unavailable
from gateway.base.leases import Lease
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import log
from gateway.broker import message
from gateway.contracts import Catalogue
from gateway.delivery.journal_scanner import JournalScanner
from gateway.delivery.rate import RateLimit
from gateway.delivery.store import Claim, Deliveries, DeliveryLimits, DispatchStore, Locked
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
from gateway.delivery.webhook.signatures import webhook_id
from gateway.journal import Entry, JournalReader
from gateway.request_reply import expired, outgoing_request

WINDOW = 4  # deliveries in memory for each that may be under way
IDLE = 2.0  # seconds between two looks at the lease when nothing happens
AGAIN = 0.5  # seconds until the next try when the database is away
MARGIN = 10.0  # seconds by which the lock of a retry outlasts its call
FINISH = 4.0  # seconds in which what is under way may end


@dataclass(frozen=True, slots=True)
class DispatchContext:
    """What all dispatchers of a process share."""

    reader: JournalReader
    deliveries: Deliveries
    dispatching: DispatchStore
    scanner: JournalScanner
    catalogue: Snapshot[Catalogue]
    schedule: RetrySchedule
    tail: JournalTail


class Dispatcher:
    """One subscription. One task reads, retries and writes, each call of the endpoint has its own.

    So nothing that is decided here waits for the endpoint, and nothing needs a lock.
    """

    def __init__(
        self,
        assignment: WebhookConfig,
        lease: Lease,
        context: DispatchContext,
        caller: WebhookSender,
    ) -> None:
        self._subscription = assignment.subscription
        self._endpoint = assignment.endpoint
        self._sign = assignment.sign
        self._lease = lease
        self._context = context
        self._caller = caller
        self._settlements = SettlementBuffer(lease, context.deliveries, context.dispatching)
        self._queue = KeyedQueue()
        self._breaker = CircuitBreaker()
        self._pace = RateLimit(assignment.rate)
        self._under_way: set[asyncio.Task[None]] = set()
        self._following = JournalFollower(self._subscription, context.scanner, context.tail)
        self._due = True
        self._wake = asyncio.Event()
        self._finishing = False
        self.gone: str | None = None
        """What the endpoint said when it wanted no further events."""
        self.trouble: str | None = None
        """Why the endpoint is spared now."""

    def something_is_new(self, types: Iterable[str] | None) -> None:
        """The journal has entries of these types, or of types that are not known."""
        if self._following.concerns(types):
            self._wake.set()

    def something_is_due(self) -> None:
        """An open delivery may be tried again."""
        self._due = True
        self._wake.set()

    def finish(self) -> None:
        """Begin nothing more, settle what is under way, and end."""
        self._finishing = True
        self._wake.set()

    async def run(self) -> None:
        """Until told to finish, the lease is lost or the endpoint is gone.

        Raises LeaseLost or Superseded where it must begin again from what is written.
        """
        await self._settlements.begin()
        async with asyncio.TaskGroup() as calls:
            while self._lease and not self._finishing and self.gone is None:
                try:
                    await self._step(calls)
                except Unavailable as error:
                    log().warning("webhook.database_away", reason=str(error))
                    await asyncio.sleep(AGAIN)
                await self._rest()
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=FINISH if self._lease else 0)
            for task in self._under_way:
                task.cancel()
        with suppress(Unavailable):
            await self._settlements.write()

    async def _step(self, calls: asyncio.TaskGroup) -> None:
        if self._settlements.wait == 0 and await self._settlements.write():
            self._due = True  # what waited behind those of its ordering key
        if self._due:
            await self._collect_due()
        await self._read()
        self._begin_calls(calls)

    async def _rest(self) -> None:
        """Until something happens, or it is time."""
        wait = self._settlements.wait
        pause = IDLE if wait is None else max(wait, 0.001)
        if self._queue or self._due:
            held_up = max(self._breaker.wait, self._pace.wait)
            pause = min(pause, held_up or IDLE)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._wake.wait()
        self._wake.clear()

    @property
    def _free(self) -> int:
        """How many calls may begin now."""
        slots = self._breaker.slots(self._endpoint.concurrency) - len(self._under_way)
        return max(0, min(slots, self._pace.left))

    async def _read(self) -> None:
        """Fill the window from the journal."""
        window = WINDOW * self._endpoint.concurrency
        room = window - len(self._queue) - len(self._under_way)
        open_now = self._settlements.open + self._settlements.fresh
        room = min(room, self._subscription.terms.in_flight - open_now)
        if room * 2 < window and self._queue:
            return
        for shard, track in self._settlements.tracks.items():
            head = self._following.head(shard).sequence
            while track.looked.sequence < head and (limit := self._following.limit(room)) > 0:
                if self._settlements.full:
                    self._wake.set()
                    return
                entries, looked = await self._following.after(shard, track.looked, limit)
                room -= sum(self._admit(entry, track) for entry in entries)
                track.looked = looked

    def _admit(self, entry: Entry, track: ShardTracker) -> bool:
        """Whether it takes up room."""
        order = entry.event.ordering_key if self._subscription.ordered else ""
        job = PendingDelivery(entry, 1, order, entry.recorded)
        if self._settlements.knows(job.position):
            return False
        track.began(entry)
        if self._subscription.terms.too_old(job.since):
            self._settlements.too_old(job)
            return False
        if order in self._settlements.blocked:
            self._settlements.wait_behind(job)
        else:
            self._put(job)
        return True

    def _put(self, job: PendingDelivery) -> None:
        self._following.hold(job.entry)
        self._queue.put(job)

    async def _collect_due(self) -> None:
        """Lock no more than can be tried at once, so that no lock ends before its attempt.

        Where others wait as well, they have half of the calls.
        """
        free = self._free
        limit = max(free - self._queue.ready, (free + 1) // 2)
        if limit <= 0:
            return
        self._due = False
        terms = self._subscription.terms
        limits = DeliveryLimits(
            terms.attempts, self._endpoint.timeout + MARGIN, max_age=terms.max_age
        )  # its pace is kept here, as nobody else delivers
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
        if not locked:  # what was tried too often became dead letters: nobody waits for it now
            await self._settlements.look_at_open()

    def _retry(self, locked: Locked, entry: Entry) -> None:
        order = entry.event.ordering_key if self._subscription.ordered else ""
        claim = Claim(locked.position, locked.lock)
        self._put(PendingDelivery(entry, locked.attempt, order, locked.since, claim))

    def _begin_calls(self, calls: asyncio.TaskGroup) -> None:
        while self._free and (job := self._queue.take()):
            if self._subscription.terms.too_old(job.since):
                self._settlements.too_old(job)
                self._done(job)
                continue
            self._pace.spend()
            task = calls.create_task(self._call(job))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _call(self, job: PendingDelivery) -> None:
        event = job.entry.event
        if self._subscription.is_responder and expired(event, job.entry.recorded):
            self._settlements.expired(job)
            self._done(job)
            return
        if self._subscription.is_responder:
            event = outgoing_request(event, job.entry.recorded)
        classification = self._context.catalogue.value.classification(event.type)
        body = message.body(event, *job.entry.journal_attributes, classification)
        outcome = await self._caller.deliver(
            webhook_id(event), body, self._sign(), content_type=message.CONTENT_TYPE
        )
        self._settle(job, outcome)
        self._done(job)

    def _done(self, job: PendingDelivery) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a call is a task
        self._under_way.discard(task)  # before the wake-up, so that its place is seen to be free
        self._following.let_go(job.entry)
        self._queue.done(job)
        self._wake.set()

    def _settle(self, job: PendingDelivery, outcome: AttemptResult) -> None:
        match outcome:
            case Delivered():
                self._settlements.delivered(job)
            case Rejected():
                self._settlements.rejected(job, outcome)
            case RetryLater():
                delay = self._context.schedule.delay(job.attempt, outcome.after)
                self._settlements.failed(job, outcome, delay=self._delay(job, delay))
            case EndpointGone():
                self.gone = outcome.detail
                self._settlements.failed(job, RetryLater(outcome.detail, 410), delay=0.0)
        if isinstance(outcome, RetryLater | EndpointGone):
            for waiting in self._queue.withdraw(job.order):
                self._following.let_go(waiting.entry)
                self._settlements.wait_behind(waiting)
        self._judge_endpoint(job, outcome)

    def _delay(self, job: PendingDelivery, planned: float) -> float:
        """At once where it was the last attempt: it becomes a dead letter then."""
        return 0.0 if job.attempt >= self._subscription.terms.attempts else planned

    def _judge_endpoint(self, job: PendingDelivery, outcome: AttemptResult) -> None:
        if not isinstance(outcome, RetryLater):
            self._breaker.succeeded()
            self.trouble = None
            return
        log().info(
            "webhook.attempt_failed",
            organisation=self._subscription.organisation,
            subscription=self._subscription.name,
            shard=job.position.shard,
            sequence=job.position.sequence,
            attempt=job.attempt,
            reason=outcome.detail,
        )
        if self._breaker.failed(outcome.after):
            self.trouble = (
                f"spared after {CircuitBreaker.FAILURES} failures in a row: {outcome.detail}"
            )
