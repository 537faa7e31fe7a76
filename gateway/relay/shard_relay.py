"""Moves one shard of the journal to RabbitMQ, in order, at least once."""

import asyncio
from contextlib import closing

from gateway.base.database import Topic
from gateway.base.defects import report_defect
from gateway.base.leases import LeaseLost
from gateway.base.outages import OutageReporter
from gateway.base.telemetry import log
from gateway.base.waiting import wait_for_event
from gateway.broker import OutgoingMessage
from gateway.journal import Cursor, Entry, ShardLease
from gateway.relay.context import RelayContext
from gateway.relay.in_flight import InFlight, InFlightWindow
from gateway.relay.messages import make_message, past_deadline
from gateway.relay.routing import Route, Routes
from gateway.relay.set_aside import Unsent, set_aside
from gateway.relay.shard_backfills import ShardBackfills
from gateway.subscriptions import Key, Subscription, backfill_progress

READ = 500  # entries in one query
READ_AHEAD = 4000  # entries that are read and not yet settled: keys that wait block no others
MAX_IN_FLIGHT_BYTES = 32 << 20
RETRY = 0.5  # seconds until the journal is asked again after an outage


class ShardRelay:
    """Relays one shard, for as long as its lease and its publisher last."""

    def __init__(self, lease: ShardLease, context: RelayContext) -> None:
        self.lease = lease
        self.in_flight = InFlightWindow(lease.reached, entries=READ_AHEAD, size=MAX_IN_FLIGHT_BYTES)
        self.ended = asyncio.Event()
        self._wake_up = asyncio.Event()
        self._read = lease.reached
        self._head = lease.reached.sequence
        self._context = context
        self._backfills = ShardBackfills(
            lease,
            context,
            read=lambda: self._read.sequence,
            on_near=self._wake_up.set,
            on_joined=self._make_routes,
        )
        self._unsent: dict[InFlight, Unsent] = {}
        self._applied: tuple[int, int] | None = None  # revisions of the control plane
        self._routes: Routes
        self._unavailable: set[tuple[Key, int]] = set()
        self._finishing = False

    def finish(self) -> None:
        """Read nothing more, and end once everything that was read is settled."""
        self._finishing = True
        self.in_flight.changed.set()
        self._wake_up.set()

    def update_lease(self) -> None:
        """Tell the lease up to where everything is settled."""
        self.lease.reached = self.in_flight.cursor

    def head_moved(self, sequence: int) -> bool:
        """Take the new head of the shard; True if it is beyond what was read."""
        self._head = sequence
        if sequence > self._read.sequence:
            self._wake_up.set()
            return True
        return False

    async def run(self) -> None:
        """Relay until the lease is lost or `finish`.

        Raises BrokerUnavailable when the publisher's connection ends.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._publish())
                await self._follow(tasks)
                self._backfills.cancel()
                await self._settle_rest()
                raise _Ended
        except* (_Ended, LeaseLost):
            pass
        finally:
            self.ended.set()

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        with closing(OutageReporter("relay.shard")) as outages:
            while self.lease and not self._finishing:
                with outages.tolerated():
                    await self._settle_failed()
                    await self._apply_changes(tasks)
                    await self._backfills.join_near()
                    if not await self._read_entries():
                        await self._wait()
                if outages.failing:
                    await asyncio.sleep(RETRY)

    async def _settle_rest(self) -> None:
        while self.lease and len(self.in_flight):
            await self._settle_failed()
            self.in_flight.changed.clear()
            await wait_for_event(self.in_flight.changed, 0.1)

    async def _read_entries(self) -> bool:
        """Read as many entries as may be in flight. False if there is nothing to read."""
        limit = min(self.in_flight.free, READ)
        if limit == 0:
            self.in_flight.changed.clear()
            if self.in_flight.free == 0:
                await wait_for_event(self.in_flight.changed, 0.1)
            return True
        self._wake_up.clear()
        if self._read.sequence >= self._head:
            return False
        entries = await self._context.reader.after(self.lease.shard, self._read, limit=limit)
        if not self._routes.catalogue.covers({entry.event.type for entry in entries}):
            await self._context.control_plane.refresh()
            if self._context.control_plane.revisions() != self._applied:
                return True
        for entry in entries:
            self._add(entry)
        if entries:
            self._read = Cursor(entries[-1].sequence, entries[-1].recorded)
            self.in_flight.changed.set()
        return bool(entries)

    def _add(self, entry: Entry) -> None:
        cursor = Cursor(entry.sequence, entry.recorded)
        route = self._routes.route(entry.event.type)
        try:
            in_flight = self._message_of(entry, cursor, route)
        except Exception as error:
            report_defect("relay.message", error, shard=entry.shard, sequence=entry.sequence)
            self._hold(entry, cursor, route.concerned(entry) if route else [])
            return
        if in_flight is None:
            self.in_flight.skip(cursor)
        else:
            self.in_flight.add(in_flight)

    def _message_of(self, entry: Entry, cursor: Cursor, route: Route | None) -> InFlight | None:
        """The entry with its message; None if no queue gets it."""
        if route is not None and route.filtered:
            failing: list[Subscription] = []
            route = route.for_entry(entry, failing)
            if failing:
                self._hold(entry, Cursor(entry.sequence - 1, entry.recorded), failing)
        if route is None or past_deadline(entry, route):
            return None
        in_flight = InFlight(self.in_flight, cursor, entry.event.ordering_key)
        in_flight.message = make_message(entry, route, in_flight, entry.event.type)
        return in_flight

    def _hold(self, entry: Entry, cursor: Cursor, subscriptions: list[Subscription]) -> None:
        """Keep the cursor below `cursor` until the entry is a dead letter of subscriptions."""
        held = InFlight(self.in_flight, cursor, "")
        at = Cursor(entry.sequence, entry.recorded)
        self._unsent[held] = Unsent(at, entry.event.type, subscriptions)
        self.in_flight.hold(held)

    async def _publish(self) -> None:
        window, context = self.in_flight, self._context
        try:
            while True:
                await window.changed.wait()
                window.changed.clear()
                await context.send_ready(window, self.lease)
        finally:
            context.send_limit.forget(window)

    async def _wait(self) -> None:
        """Wait until the shard grows, the control plane may have changed or a backfill is near."""
        if not (self.in_flight.returned or self.in_flight.unsendable or self._unsent):
            await wait_for_event(self._wake_up, self._context.control_plane.poll)

    async def _apply_changes(self, tasks: asyncio.TaskGroup) -> None:
        """Apply changes of the control plane to backfills and routes.

        Nothing is read on routes that are known to be older than the database: a subscription that
        became active meanwhile would miss it.
        """
        control_plane = self._context.control_plane
        while (now := control_plane.revisions()) != self._applied:
            if not await self._backfills.apply_changes(tasks):
                await control_plane.refresh()
                if control_plane.revisions() != now:
                    continue
            self._applied = now
            self._make_routes()
            self._leave_unavailable()

    def _leave_unavailable(self) -> None:
        """Send again what waits for a queue that became unavailable; it is not routed to it now."""
        found = {
            (each.key, each.generation)
            for each in self._context.control_plane.subscriptions.all
            if each.unavailable is not None
        }
        if found - self._unavailable:
            self.in_flight.queue_lost()
        self._unavailable = found

    def _make_routes(self) -> None:
        self._routes = Routes(
            self._context.control_plane.catalogue,
            self._context.control_plane.subscriptions.all,
            self._backfills.joined,
        )
        self.in_flight.reroute(self._reroute)

    def _reroute(self, message: OutgoingMessage) -> OutgoingMessage | None:
        """The message of an earlier route, without the keys that no longer apply."""
        route = self._routes.route(message.routing_key)
        bcc = route.still_valid(message.bcc) if route else None
        if bcc is None:
            return None
        return message if bcc == message.bcc else message._replace(bcc=bcc)

    async def _settle_failed(self) -> None:
        """Record what happens with the messages that no queue holds, and settle them."""
        await self._repair_returned()
        await self._set_aside_unsent()

    async def _set_aside_unsent(self) -> None:
        for each in self.in_flight.unsendable:
            assert each.message is not None  # noqa: S101 - kept until it is settled
            recipients = list(self._recipients([each]).values())
            self._unsent[each] = Unsent(each.cursor, each.message.routing_key, recipients)
        self.in_flight.unsendable = []
        if not self._unsent:
            return
        unsent, self._unsent = self._unsent, {}
        try:
            await set_aside(self._context.dead_letters, self.lease.shard, unsent.values())
        except BaseException:
            self._unsent |= unsent
            raise
        self.in_flight.settle(unsent)
        log().error("relay.messages_set_aside", shard=self.lease.shard, count=len(unsent))

    async def _repair_returned(self) -> None:
        """Begin a new backfill for every subscription that should have got a returned message."""
        returned, self.in_flight.returned = self.in_flight.returned, []
        if not returned:
            return
        missed = self._recipients(returned)
        try:
            async with self._context.database.change(Topic.SUBSCRIPTIONS) as session:
                await self.lease.fence(session)
                for subscription in missed.values():
                    await backfill_progress.restart(
                        session, subscription, cause=backfill_progress.RestartCause.QUEUE_LOST
                    )
            await self._context.control_plane.refresh()
        except BaseException:
            self.in_flight.returned += returned
            raise
        self.lease.returned += len(returned)
        log().warning(
            "relay.messages_returned",
            shard=self.lease.shard,
            count=len(returned),
            subscriptions=["/".join(key) for key in missed],
        )
        self._backfills.remove_joined(missed)
        self._make_routes()  # before later messages of their keys are sent
        self.in_flight.settle(returned)

    def _recipients(self, returned: list[InFlight]) -> dict[Key, Subscription]:
        found: dict[Key, Subscription] = {}
        for each in returned:
            assert each.message is not None  # noqa: S101 - kept until it is settled
            route = self._routes.route(each.message.routing_key)
            recipients = route.recipients(each.message.bcc) if route else ()
            found.update({s.key: s for s in recipients})
        return found


class _Ended(Exception):
    """Ends the task group of a shard relay that is done."""
