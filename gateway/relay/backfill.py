"""Sends one subscription what it missed of one shard, into its queue alone.

    journal   |=========|==============|--------------->
              start     position       read (the pump)

It runs beside the pump until it is close behind. Then the pump stops reading for a moment, lets it
complete, and from there on adds the queue to the routes of everything that it reads (see
Joining.join_arrived). So there is neither a gap nor a change of order at the seam.

A queue that its reader does not empty is filled up to a low mark only, see QueueCredit. What it
has no room for stays in the journal, however long that takes.
"""

import asyncio
from collections.abc import Callable

from gateway.base.errors import Unavailable
from gateway.broker import names
from gateway.contracts import Failure
from gateway.delivery.store import TOO_OLD, DeadLetters, NewDeadLetter
from gateway.journal import Cursor, Entry, Lead, LeadLost, Position
from gateway.relay.context import RelayContext
from gateway.relay.in_flight import InFlight, InFlightWindow
from gateway.relay.messages import outgoing, too_late, within_age
from gateway.relay.queue_credit import PAUSE
from gateway.relay.routing import Route
from gateway.subscriptions import BackfillProgress, Subscription, backfill_progress
from gateway.subscriptions.routing import exchange_of, private_key, routed_by

WINDOW = 500  # entries on their way at once: the present goes first
WINDOW_BYTES = 8 << 20
SPAN = 20_000  # numbers looked through by one query, so that rare types do not make it endless
NEAR = 500  # numbers behind the pump at which it may be asked to wait
COMPLETE = 5.0  # seconds that a shard waits for one that has nearly caught up
RETRY = 0.5
TIMEOUT = 10.0  # seconds for a connection to the database


class Backfill:
    """One subscription catching up in one shard."""

    def __init__(
        self,
        subscription: Subscription,
        lead: Lead,
        position: int,
        means: RelayContext,
        *,
        arrived: Callable[[], None],
    ) -> None:
        self.subscription = subscription
        self._place = Cursor(position)
        self.near = False
        self._lead = lead
        self._means = means
        self._letters = DeadLetters(means.database.pool, timeout=TIMEOUT)
        self._noted = position
        self._arrived = arrived
        self._queue = names.queue(*subscription.key)
        self._exchange = exchange_of(subscription)
        self._task: asyncio.Task[None] | None = None
        self._go_on: Callable[[], None]

    @property
    def position(self) -> int:
        """Up to where everything was sent and confirmed."""
        return self._place.sequence

    def start(self, tasks: asyncio.TaskGroup, head: Callable[[], int]) -> None:
        """Begin; `head` is how far the pump has read."""
        self._go_on = lambda: self.start(tasks, head)
        self.near = False
        self._task = tasks.create_task(self._run(head))

    def cancel(self) -> None:
        """End without more ado; the position noted last is where another may go on."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, head: Callable[[], int]) -> None:
        while self._lead:
            try:
                room = await self._means.rooms.of(self._queue)
                behind = head() - self.position
                if room > 0 and 0 <= behind <= min(NEAR, room):
                    await self._note()
                    self.near = True
                    self._arrived()
                    return
                await self._go_on_a_little(room, behind)
            except Unavailable:
                await asyncio.sleep(RETRY)

    async def _go_on_a_little(self, room: int, behind: int) -> None:
        """Send what there is room for; nothing is held in memory while it waits for more."""
        if room == 0:
            await self._note()
            await asyncio.sleep(PAUSE)
        elif behind < 0:
            await asyncio.sleep(RETRY)
        else:
            await self._step(self.position + min(behind, SPAN), min(WINDOW, room))
            if self.position >= self._noted + SPAN:
                await self._note()

    async def complete(self, until: int) -> bool:
        """Go the rest of the way. False if `until` lies before what the subscription wants.

        False as well if it takes long, and the catching up goes on: a whole shard waits for this,
        and the queue may be without a leader, or gone with its subscription. There was room a
        moment ago, and not much is left: nobody asks for it again.
        """
        if self.position < until:
            try:
                async with asyncio.timeout(COMPLETE):
                    while self.position < until:
                        await self._step(until, WINDOW)
            except TimeoutError:
                self._go_on()
        return self.position == until

    async def _note(self) -> None:
        if self.position == self._noted:
            return
        async with self._means.database.session() as session:
            await self._lead.fence(session)
            await backfill_progress.move(
                session, self.subscription, self._lead.shard, BackfillProgress(self.position, False)
            )
        self._noted = self.position

    async def _step(self, until: int, limit: int) -> None:
        """Send the next entries that it is to get up to `until`, at most so many of its types.

        Every one of them is confirmed when this returns.
        """
        entries = await self._means.reader.matching(
            self._lead.shard,
            self._place,
            until=until,
            types=self.subscription.type_expression,
            limit=limit,
        )
        await self._means.control.load_contracts({entry.event.type for entry in entries})
        wanted = [entry for entry in entries if self._is_for_it(entry)]
        await self._deliver(await self._young(wanted))
        if len(entries) == limit and entries[-1].sequence < until:
            self._place = Cursor(entries[-1].sequence, entries[-1].recorded)
        else:
            self._place = Cursor(until)

    def _is_for_it(self, entry: Entry) -> bool:
        """Events of a type may take another route; and filters choose."""
        catalogue = self._means.control.catalogue
        return routed_by(self.subscription, entry.event.type, catalogue) and (
            self.subscription.accepts(entry.event)
        )

    async def _young(self, entries: list[Entry]) -> list[Entry]:
        """Those that are not too old for it; the others become dead letters."""
        terms = self.subscription.terms
        old = [entry for entry in entries if terms.too_old(entry.recorded)]
        if old:
            await self._letters.add([self._new_dead_letter(entry) for entry in old])
        return [entry for entry in entries if entry not in old] if old else entries

    def _new_dead_letter(self, entry: Entry) -> NewDeadLetter:
        spot = Position(entry.shard, entry.sequence)
        type_, key = entry.event.type, self.subscription.key
        return NewDeadLetter(key, spot, entry.recorded, type_, Failure.EXPIRED, TOO_OLD, 0)

    async def _deliver(self, entries: list[Entry]) -> None:
        """Send in order per key and wait until everything is in the queue."""
        window = InFlightWindow(self._place, entries=WINDOW, size=WINDOW_BYTES)
        key = private_key(self.subscription)
        for entry in entries:
            classification = self._means.control.catalogue.classification(entry.event.type)
            ticket = InFlight(
                window, Cursor(entry.sequence, entry.recorded), entry.event.ordering_key
            )
            route = Route(self._exchange, classification, (), (self.subscription,))
            if too_late(entry, route):
                continue
            message = outgoing(entry, route, ticket, key)
            ticket.message = within_age(message, entry.recorded, self.subscription.terms.max_age)
            window.add(ticket)
        window.changed.set()
        while len(window):
            await window.changed.wait()
            window.changed.clear()
            for ticket in window.returned:  # its queue is being repaired
                asyncio.get_running_loop().call_later(RETRY, window.resend, ticket)
            window.returned = []
            if not self._lead:
                raise LeadLost(self._lead.shard)
            await self._means.lane.free()
            await self._means.lane.send(window.take())
