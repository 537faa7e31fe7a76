"""Sends one subscription the entries of one shard that it missed, into its queue alone.

    journal   |=========|==============|--------------->
              start     cursor         read by the shard relay

A backfill runs beside the shard relay until it is close behind. Then the shard relay stops reading
for a moment, the backfill completes, and from there on the shard relay adds the queue to the routes
of everything that it reads (see ShardBackfills.join_near). So there is no gap and no change of
order at the seam.

A queue that its consumers do not empty is filled up to a low mark only, see QueueCredit. The
remaining entries stay in the journal, however long that takes.
"""

import asyncio
from collections.abc import Callable
from contextlib import closing

from gateway.base.backoff import Backoff
from gateway.base.defects import report_defect
from gateway.base.errors import Unavailable
from gateway.base.leases import LeaseLost
from gateway.base.outages import OutageReporter
from gateway.broker import names
from gateway.contracts import Failure
from gateway.delivery.store import TOO_OLD, NewDeadLetter
from gateway.journal import Cursor, Entry, Position, ShardLease
from gateway.relay.context import RelayContext
from gateway.relay.in_flight import InFlight, InFlightWindow
from gateway.relay.messages import limit_age, make_message, past_deadline
from gateway.relay.queue_credit import PAUSE
from gateway.relay.routing import Route
from gateway.relay.set_aside import Unsent, set_aside
from gateway.subscriptions import BackfillProgress, Subscription, backfill_progress
from gateway.subscriptions.routing import exchange_of, private_key, routed_by

MAX_IN_FLIGHT = 500  # entries on their way at once: the shard relay has priority
MAX_IN_FLIGHT_BYTES = 8 << 20
SPAN = 20_000  # sequences that one query reads through, so that rare types do not make it endless
NEAR = 500  # sequences behind the shard relay at which it may be asked to wait
COMPLETE_SECONDS = 5.0  # for which a shard waits for a backfill that is near
RETRY = 0.5
DEFECT = Backoff(RETRY, 60.0)  # seconds until a backfill that had a defect goes on


class Backfill:
    """The backfill of one subscription in one shard."""

    def __init__(
        self,
        subscription: Subscription,
        lease: ShardLease,
        sequence: int,
        context: RelayContext,
        *,
        on_near: Callable[[], None],
    ) -> None:
        """Begin after `sequence`. `on_near` is called when the backfill is close behind."""
        self.subscription = subscription
        self.near = False
        self._cursor = Cursor(sequence)
        self._saved = sequence
        self._lease = lease
        self._context = context
        self._on_near = on_near
        self._queue = names.queue(*subscription.key)
        self._exchange = exchange_of(subscription)
        self._task: asyncio.Task[None] | None = None
        self._restart: Callable[[], None]
        self._defects = 0

    @property
    def sequence(self) -> int:
        """Every entry up to this one was sent and confirmed."""
        return self._cursor.sequence

    def start(self, tasks: asyncio.TaskGroup, read: Callable[[], int]) -> None:
        """Begin; `read` returns the sequence up to which the shard relay has read."""
        self._restart = lambda: self.start(tasks, read)
        self.near = False
        self._task = tasks.create_task(self._run(read))

    def cancel(self) -> None:
        """Stop at once; another backfill may go on from the progress saved last."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, read: Callable[[], int]) -> None:
        with closing(OutageReporter("relay.backfill")) as outages:
            while self._lease and not self.near:
                try:
                    with outages.tolerated():
                        await self._step(read)
                except (Unavailable, LeaseLost):
                    raise
                except Exception as error:
                    await self._rest(error)
                if outages.failing:
                    await asyncio.sleep(RETRY)

    async def _rest(self, error: Exception) -> None:
        """A defect costs this backfill alone, and some time."""
        self._defects += 1
        organisation, name = self.subscription.key
        report_defect("relay.backfill", error, organisation=organisation, subscription=name)
        await asyncio.sleep(DEFECT.delay(self._defects))

    async def _step(self, read: Callable[[], int]) -> None:
        async with self._context.queue_credit.reserve(self._queue) as credit:
            behind = read() - self.sequence
            if credit > 0 and 0 <= behind <= min(NEAR, credit):
                await self._save()
                self.near = True
                self._on_near()
            else:
                await self._advance(credit, behind)

    async def _advance(self, credit: int, behind: int) -> None:
        """Send as much as the queue takes; nothing is held in memory while it waits for more."""
        if credit == 0:
            await self._save()
            await asyncio.sleep(PAUSE)
        elif behind < 0:
            await asyncio.sleep(RETRY)
        else:
            await self._send_next(self._span_end(behind), min(MAX_IN_FLIGHT, credit))
            if self.sequence >= self._saved + SPAN:
                await self._save()

    def _span_end(self, behind: int) -> int:
        head = Cursor(self.sequence + behind)
        return self._context.reader.span_end(self._lease.shard, self._cursor, head, SPAN)

    async def complete(self, until: int) -> bool:
        """Send the rest up to `until`. False if the subscription begins later than that.

        Also False after COMPLETE_SECONDS or a defect, and the backfill goes on: a whole shard waits
        for this, and the queue may be without a leader, or deleted with its subscription. It does
        not ask for credit again: the queue had some a moment ago, and little is left to send.
        """
        if self.sequence < until:
            try:
                async with asyncio.timeout(COMPLETE_SECONDS):
                    while self.sequence < until:
                        await self._send_next(until, MAX_IN_FLIGHT)
            except TimeoutError:
                self._restart()
            except (Unavailable, LeaseLost):
                raise
            except Exception as error:
                report_defect("relay.backfill", error)
                self._restart()
        return self.sequence == until

    async def _save(self) -> None:
        if self.sequence == self._saved:
            return
        async with self._context.database.session() as session:
            await self._lease.fence(session)
            await backfill_progress.save(
                session,
                self.subscription,
                self._lease.shard,
                BackfillProgress(self.sequence, False),
            )
        self._saved = self.sequence

    async def _send_next(self, until: int, limit: int) -> None:
        """Send the next entries for it up to `until`, out of at most `limit` of its types.

        All of them are confirmed when this returns.
        """
        entries = await self._context.reader.matching(
            self._lease.shard,
            self._cursor,
            until=until,
            types=self.subscription.type_expression,
            limit=limit,
        )
        await self._context.control_plane.load_contracts({entry.event.type for entry in entries})
        failing: list[Entry] = []
        wanted = [entry for entry in entries if self._is_wanted(entry, failing)]
        await self._publish(await self._without_expired(wanted), failing)
        if len(entries) == limit and entries[-1].sequence < until:
            self._cursor = Cursor(entries[-1].sequence, entries[-1].recorded)
        else:
            self._cursor = Cursor(until)

    def _is_wanted(self, entry: Entry, failing: list[Entry]) -> bool:
        """Whether its type takes the subscription's route and its filters accept it.

        If the filters fail on it, which is a defect, it is added to `failing`.
        """
        catalogue = self._context.control_plane.catalogue
        if not routed_by(self.subscription, entry.event.type, catalogue):
            return False
        try:
            return self.subscription.accepts(entry)
        except Exception as error:
            report_defect("relay.filter", error, shard=entry.shard, sequence=entry.sequence)
            failing.append(entry)
            return False

    async def _without_expired(self, entries: list[Entry]) -> list[Entry]:
        """The entries that are not too old; those that are become dead letters."""
        terms = self.subscription.terms
        old = [entry for entry in entries if terms.too_old(entry.recorded)]
        if old:
            await self._context.dead_letters.add([self._dead_letter(entry) for entry in old])
        return [entry for entry in entries if entry not in old] if old else entries

    def _dead_letter(self, entry: Entry) -> NewDeadLetter:
        position = Position(entry.shard, entry.sequence)
        type_, key = entry.event.type, self.subscription.key
        return NewDeadLetter(key, position, entry.recorded, type_, Failure.EXPIRED, TOO_OLD, 0)

    async def _publish(self, entries: list[Entry], failing: list[Entry]) -> None:
        """Send in order per key and wait until the queue holds everything.

        What cannot be sent becomes a dead letter, and those that are failing as well.
        """
        window = InFlightWindow(self._cursor, entries=MAX_IN_FLIGHT, size=MAX_IN_FLIGHT_BYTES)
        by_sequence = {entry.sequence: entry for entry in entries}
        for entry in entries:
            try:
                in_flight = self._message_of(entry, window)
            except Exception as error:
                report_defect("relay.message", error, shard=entry.shard, sequence=entry.sequence)
                failing.append(entry)
            else:
                if in_flight is not None:
                    window.add(in_flight)
        try:
            await self._settle_all(window, by_sequence, failing)
        finally:
            self._context.send_limit.forget(window)
        await set_aside(
            self._context.dead_letters,
            self._lease.shard,
            [
                Unsent(Cursor(each.sequence, each.recorded), each.event.type, (self.subscription,))
                for each in failing
            ],
        )

    async def _settle_all(
        self, window: InFlightWindow, by_sequence: dict[int, Entry], failing: list[Entry]
    ) -> None:
        """Send everything in the window until it is settled; add what cannot be to `failing`."""
        window.changed.set()
        while len(window):
            await window.changed.wait()
            window.changed.clear()
            for returned in window.returned:  # its queue is being repaired
                asyncio.get_running_loop().call_later(RETRY, window.resend, returned)
            window.returned = []
            if window.unsendable:
                failing += [by_sequence[each.cursor.sequence] for each in window.unsendable]
                window.settle(window.unsendable)
                window.unsendable = []
            await self._context.send_ready(window, self._lease)

    def _message_of(self, entry: Entry, window: InFlightWindow) -> InFlight | None:
        """The entry with its message; None if it is a request that is too late."""
        classification = self._context.control_plane.catalogue.classification(entry.event.type)
        cursor = Cursor(entry.sequence, entry.recorded)
        in_flight = InFlight(window, cursor, entry.event.ordering_key)
        route = Route(self._exchange, classification, (), (self.subscription,))
        if past_deadline(entry, route):
            return None
        message = make_message(entry, route, in_flight, private_key(self.subscription))
        in_flight.message = limit_age(message, entry.recorded, self.subscription.terms.max_age)
        return in_flight
