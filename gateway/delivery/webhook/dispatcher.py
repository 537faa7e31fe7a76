"""Delivers to one endpoint what its subscription wants, for as long as the lease holds."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from gateway.base.errors import Unavailable
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import log
from gateway.broker import message
from gateway.contracts import Catalogue
from gateway.delivery.journal_scanner import JournalScanner
from gateway.delivery.rate import Pace
from gateway.delivery.store import Claim, Deliveries, Dispatching, Lease, Locked, Patience
from gateway.delivery.webhook.assignments import Assignment
from gateway.delivery.webhook.journal_tail import Following, Tail
from gateway.delivery.webhook.keyed_queue import Job, KeyedQueue, Track
from gateway.delivery.webhook.retry_schedule import Breaker, Schedule
from gateway.delivery.webhook.sender import (
    Delivered,
    Gone,
    Outcome,
    Rejected,
    TryAgain,
    WebhookSender,
)
from gateway.delivery.webhook.settlement_buffer import SettlementBuffer
from gateway.delivery.webhook.signatures import webhook_id
from gateway.journal import Entry, JournalReader
from gateway.request_reply import expired, handed_out

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
    dispatching: Dispatching
    finder: JournalScanner
    catalogue: Snapshot[Catalogue]
    schedule: Schedule
    tail: Tail


class Dispatcher:
    """One subscription. One task reads, retries and writes, each call of the endpoint has its own.

    So nothing that is decided here waits for the endpoint, and nothing needs a lock.
    """

    def __init__(
        self, assignment: Assignment, lease: Lease, sources: DispatchContext, caller: WebhookSender
    ) -> None:
        self._subscription = assignment.subscription
        self._endpoint = assignment.endpoint
        self._sign = assignment.sign
        self._lease = lease
        self._sources = sources
        self._caller = caller
        self._keeper = SettlementBuffer(lease, sources.deliveries, sources.dispatching)
        self._lanes = KeyedQueue()
        self._breaker = Breaker()
        self._pace = Pace(assignment.rate)
        self._under_way: set[asyncio.Task[None]] = set()
        self._following = Following(self._subscription, sources.finder, sources.tail)
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
        await self._keeper.begin()
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
            await self._keeper.write()

    async def _step(self, calls: asyncio.TaskGroup) -> None:
        if self._keeper.wait == 0 and await self._keeper.write():
            self._due = True  # what waited behind those of its ordering key
        if self._due:
            await self._collect_due()
        await self._read()
        self._begin_calls(calls)

    async def _rest(self) -> None:
        """Until something happens, or it is time."""
        wait = self._keeper.wait
        pause = IDLE if wait is None else max(wait, 0.001)
        if self._lanes or self._due:
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
        room = window - len(self._lanes) - len(self._under_way)
        open_now = self._keeper.open + self._keeper.fresh
        room = min(room, self._subscription.terms.in_flight - open_now)
        if room * 2 < window and self._lanes:
            return
        for shard, track in self._keeper.tracks.items():
            head = self._following.head(shard).sequence
            while track.looked.sequence < head and (limit := self._following.limit(room)) > 0:
                if self._keeper.full:
                    self._wake.set()
                    return
                entries, looked = await self._following.after(shard, track.looked, limit)
                room -= sum(self._admit(entry, track) for entry in entries)
                track.looked = looked

    def _admit(self, entry: Entry, track: Track) -> bool:
        """Whether it takes up room."""
        order = entry.event.ordering_key if self._subscription.ordered else ""
        job = Job(entry, 1, order, entry.recorded)
        if self._keeper.knows(job.spot):
            return False
        track.began(entry)
        if self._subscription.terms.too_old(job.since):
            self._keeper.too_old(job)
            return False
        if order in self._keeper.blocked:
            self._keeper.wait_behind(job)
        else:
            self._put(job)
        return True

    def _put(self, job: Job) -> None:
        self._following.hold(job.entry)
        self._lanes.put(job)

    async def _collect_due(self) -> None:
        """Lock no more than can be tried at once, so that no lock ends before its attempt.

        Where others wait as well, they have half of the calls.
        """
        free = self._free
        limit = max(free - self._lanes.ready, (free + 1) // 2)
        if limit <= 0:
            return
        self._due = False
        terms = self._subscription.terms
        patience = Patience(
            terms.attempts, self._endpoint.timeout + MARGIN, max_age=terms.max_age
        )  # its pace is kept here, as nobody else delivers
        try:
            locked, _, _ = await self._sources.deliveries.lock(
                self._subscription.key, limit=limit, patience=patience
            )
            entries = await self._sources.reader.entries_at([each.spot for each in locked])
        except Unavailable:
            self._due = True
            raise
        self._due = len(locked) == limit
        found = {(entry.shard, entry.sequence): entry for entry in entries}
        for each in locked:
            self._retry(each, found[each.spot])
        if not locked:  # what was tried too often became dead letters: nobody waits for it now
            await self._keeper.look_at_open()

    def _retry(self, locked: Locked, entry: Entry) -> None:
        order = entry.event.ordering_key if self._subscription.ordered else ""
        claim = Claim(locked.spot, locked.lock)
        self._put(Job(entry, locked.attempt, order, locked.since, claim))

    def _begin_calls(self, calls: asyncio.TaskGroup) -> None:
        while self._free and (job := self._lanes.take()):
            if self._subscription.terms.too_old(job.since):
                self._keeper.too_old(job)
                self._done(job)
                continue
            self._pace.spend()
            task = calls.create_task(self._call(job))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _call(self, job: Job) -> None:
        event = job.entry.event
        if self._subscription.is_responder and expired(event, job.entry.recorded):
            self._keeper.expired(job)
            self._done(job)
            return
        if self._subscription.is_responder:
            event = handed_out(event, job.entry.recorded)
        classification = self._sources.catalogue.value.classification(event.type)
        body = message.body(event, *job.entry.journal_attributes, classification)
        outcome = await self._caller.deliver(
            webhook_id(event), body, self._sign(), content_type=message.CONTENT_TYPE
        )
        self._settle(job, outcome)
        self._done(job)

    def _done(self, job: Job) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a call is a task
        self._under_way.discard(task)  # before the wake-up, so that its place is seen to be free
        self._following.let_go(job.entry)
        self._lanes.done(job)
        self._wake.set()

    def _settle(self, job: Job, outcome: Outcome) -> None:
        match outcome:
            case Delivered():
                self._keeper.delivered(job)
            case Rejected():
                self._keeper.rejected(job, outcome)
            case TryAgain():
                delay = self._sources.schedule.delay(job.attempt, outcome.after)
                self._keeper.failed(job, outcome, delay=self._delay(job, delay))
            case Gone():
                self.gone = outcome.detail
                self._keeper.failed(job, TryAgain(outcome.detail, 410), delay=0.0)
        if isinstance(outcome, TryAgain | Gone):
            for waiting in self._lanes.withdraw(job.order):
                self._following.let_go(waiting.entry)
                self._keeper.wait_behind(waiting)
        self._judge_endpoint(job, outcome)

    def _delay(self, job: Job, planned: float) -> float:
        """At once where it was the last attempt: it becomes a dead letter then."""
        return 0.0 if job.attempt >= self._subscription.terms.attempts else planned

    def _judge_endpoint(self, job: Job, outcome: Outcome) -> None:
        if not isinstance(outcome, TryAgain):
            self._breaker.succeeded()
            self.trouble = None
            return
        log().info(
            "webhook.attempt_failed",
            organisation=self._subscription.organisation,
            subscription=self._subscription.name,
            shard=job.spot.shard,
            sequence=job.spot.sequence,
            attempt=job.attempt,
            reason=outcome.detail,
        )
        if self._breaker.failed(outcome.after):
            self.trouble = f"spared after {Breaker.FAILURES} failures in a row: {outcome.detail}"
