"""Moves one shard of the journal to RabbitMQ, in order, at least once."""

import asyncio

from gateway.base.database import Topic
from gateway.base.errors import Unavailable
from gateway.base.telemetry import log
from gateway.broker import OutgoingMessage
from gateway.journal import Cursor, Entry, Lead, LeadLost
from gateway.relay.context import RelayContext
from gateway.relay.in_flight import InFlight, InFlightWindow
from gateway.relay.joining import Joining
from gateway.relay.messages import outgoing, too_late
from gateway.relay.routing import Routes
from gateway.subscriptions import Key, Subscription, backfill_progress

READ = 500  # entries in one query
WINDOW_BYTES = 32 << 20
RETRY = 0.5  # seconds until the journal is asked again after an outage


class ShardRelay:
    """One lead at work on one lane. A new lane or lead gets a new pump."""

    def __init__(
        self,
        lead: Lead,
        means: RelayContext,
        *,
        window: int,
    ) -> None:
        self.lead = lead
        self.window = InFlightWindow(lead.reached, entries=window, size=WINDOW_BYTES)
        self.heads = asyncio.Event()
        self.ended = asyncio.Event()
        self._read = lead.reached
        self._head = lead.reached.sequence
        self._means = means
        self._joining = Joining(
            lead,
            means,
            read=lambda: self._read.sequence,
            arrived=self.heads.set,
            joined=self._make_routes,
        )
        self._seen: object = None
        self._routes: Routes
        self._finishing = False

    def finish(self) -> None:
        """Read nothing more, and end once all that was read is settled."""
        self._finishing = True
        self.window.changed.set()
        self.heads.set()

    def note_reached(self) -> None:
        """Let the lead know up to where everything is confirmed."""
        self.lead.reached = self.window.cursor

    def new_head(self, sequence: int) -> bool:
        """The shard now reaches up to here; True if that is further than was read."""
        self._head = sequence
        if sequence > self._read.sequence:
            self.heads.set()
            return True
        return False

    async def run(self) -> None:
        """Work until the lead is lost, the lane dies (BrokerUnavailable) or `finish`."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send())
                await self._follow(tasks)
                self._joining.cancel()
                await self._settle_rest()
                raise _Ended
        except* (_Ended, LeadLost):
            pass
        finally:
            self.ended.set()

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        while self.lead and not self._finishing:
            try:
                await self._repair_returned()
                await self._apply_changes(tasks)
                await self._joining.join_arrived()
                if not await self._fill():
                    await self._wait()
            except Unavailable as error:
                log().warning("relay.waits", shard=self.lead.shard, reason=str(error))
                await asyncio.sleep(RETRY)

    async def _settle_rest(self) -> None:
        while self.lead and len(self.window):
            await self._repair_returned()
            self.window.changed.clear()
            await _either(self.window.changed, 0.1)

    async def _fill(self) -> bool:
        """Read on as far as there is room; False if there was nothing to do."""
        room = min(self.window.room, READ)
        if room == 0:
            self.window.changed.clear()
            if self.window.room == 0:
                await _either(self.window.changed, 0.1)
            return True
        self.heads.clear()
        if self._read.sequence >= self._head:
            return False
        entries = await self._means.reader.after(self.lead.shard, self._read, limit=room)
        if not self._routes.catalogue.covers({entry.event.type for entry in entries}):
            await self._means.control.refresh()
            if self._means.control.versions() != self._seen:
                return True
        for entry in entries:
            self._take_in(entry)
        if entries:
            self._read = Cursor(entries[-1].sequence, entries[-1].recorded)
            self.window.changed.set()
        return bool(entries)

    def _take_in(self, entry: Entry) -> None:
        position = Cursor(entry.sequence, entry.recorded)
        route = self._routes.route(entry.event.type)
        if route is not None and route.filtered:
            route = route.of(entry.event)
        if route is None or too_late(entry, route):
            self.window.skip(position)
            return
        ticket = InFlight(self.window, position, entry.event.ordering_key)
        ticket.message = outgoing(entry, route, ticket, entry.event.type)
        self.window.add(ticket)

    async def _send(self) -> None:
        window = self.window
        while True:
            await window.changed.wait()
            await self._means.lane.free()
            window.changed.clear()
            messages = window.take()
            if messages and self.lead:
                await self._means.lane.send(messages)
            elif messages:
                raise LeadLost(self.lead.shard)

    async def _wait(self) -> None:
        """Until the shard grows, the control plane changes or a catch-up arrives."""
        if not self.window.returned:
            await _either(self.heads, self._means.control.poll)

    async def _apply_changes(self, tasks: asyncio.TaskGroup) -> None:
        """Follow the control plane: routes, and who is catching up.

        Nothing is read by routes that are known to be older than what is written: who became
        active meanwhile would miss it.
        """
        while (now := self._means.control.versions()) != self._seen:
            if not await self._joining.follow(tasks):
                await self._means.control.refresh()
                if self._means.control.versions() != now:
                    continue
            self._seen = now
            self._make_routes()

    def _make_routes(self) -> None:
        self._routes = Routes(
            self._means.control.catalogue,
            self._means.control.subscriptions.all,
            self._joining.joined,
        )
        self.window.reroute(self._renewed)

    def _renewed(self, message: OutgoingMessage) -> OutgoingMessage | None:
        """What earlier routes made of an entry, without those who are to get it no more."""
        route = self._routes.route(message.routing_key)
        bcc = route.renewed(message.bcc) if route else None
        if bcc is None:
            return None
        return message if bcc == message.bcc else message._replace(bcc=bcc)

    async def _repair_returned(self) -> None:
        """Messages came back: whoever should have got them catches up from where it was sound."""
        returned, self.window.returned = self.window.returned, []
        if not returned:
            return
        missed: dict[Key, Subscription] = {}
        for ticket in returned:
            assert ticket.message is not None  # noqa: S101 - kept until it is settled
            route = self._routes.route(ticket.message.routing_key)
            audience = route.audience(ticket.message.bcc) if route else ()
            missed.update({s.key: s for s in audience})
        try:
            async with self._means.database.change(Topic.SUBSCRIPTIONS) as session:
                await self.lead.fence(session)
                for subscription in missed.values():
                    await backfill_progress.begin_again(
                        session, subscription, cause=backfill_progress.Cause.QUEUE_LOST
                    )
            await self._means.control.refresh()
        except BaseException:
            self.window.returned += returned
            raise
        self.lead.returned += len(returned)
        log().warning(
            "relay.returned",
            shard=self.lead.shard,
            count=len(returned),
            subscriptions=["/".join(key) for key in missed],
        )
        self._joining.forget(missed)
        self._make_routes()  # before those behind them are sent
        self.window.forgive(returned)


class _Ended(Exception):
    """Ends the task group of a pump that is done."""


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than that."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
