"""Keeps the broker as the subscriptions say, and lets those catch up that missed something.

What a subscription is sure to have got is known by two marks for each shard, moved on with every
look at the broker: `routed` (its bindings stood, so all that was relayed before reached its queue)
and `drained` (its queue stood empty, so all that had reached it was taken and settled). A binding
that is gone costs what came after `routed`; a queue that is gone costs what came after `drained`.
From there the journal is sent again: nothing is lost, and what repeats has its identity.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gateway.base.database import Database, Topic
from gateway.base.errors import NusabusError
from gateway.base.settings import Settings
from gateway.base.snapshot import Snapshot, refresh
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.broker import Broker, Management, NotOnBroker, QueueState, names
from gateway.contracts import Catalogue
from gateway.identity import Directory
from gateway.journal import JournalReader
from gateway.subscriptions import (
    Key,
    ShardSequences,
    Subscription,
    Subscriptions,
    SubscriptionState,
    backfill_progress,
    register,
)
from gateway.subscriptions.backfill_progress import Cause
from gateway.subscriptions.deep_queues import Deep
from gateway.subscriptions.permissions import may_receive
from gateway.subscriptions.queues import begin_again_now
from gateway.subscriptions.routing import binding_keys, exchange_of, private_key

LOOK = 1.0  # seconds between two looks at the broker
SHARE = 4  # times as long as it takes to see the broker is the pause after it at least
LONGEST = 5.0  # seconds of that pause: its statistics are as old as that anyway
ORPHAN = 60.0  # seconds until a queue that belongs to no subscription is deleted
# RabbitMQ 3.10 can lose a quorum queue's log when it is killed within a second of the declaration:
# the queue comes back without a leader and never confirms anything again. A sound queue counts its
# messages within 10 seconds of a restart.
UNSOUND_SECONDS = 30.0


@dataclass(frozen=True)
class _Seen:
    """The broker at one moment: `bindings` has the routing keys by exchange and queue."""

    queues: Mapping[str, QueueState]
    bindings: Mapping[str, Mapping[str, set[str]]]

    def keys(self, subscription: Subscription) -> set[str]:
        """The routing keys that reach its queue."""
        return self.bindings[exchange_of(subscription)].get(names.queue(*subscription.key), set())


class Reconciler:
    """One at work at a time: `responsible` says whether it is this process's turn."""

    def __init__(
        self,
        database: Database,
        reader: JournalReader,
        broker: Broker,
        management: Management,
        control: tuple[Snapshot[Directory], Snapshot[Catalogue], Snapshot[Subscriptions]],
        *,
        responsible: Callable[[], bool],
        settings: Settings,
    ) -> None:
        self._database = database
        self._reader = reader
        self._broker = broker
        self._management = management
        self._directory, self._catalogue, self._subscriptions = control
        self._responsible = responsible
        self._statistics_delay = settings.queue_statistics_delay
        self._deep = Deep(database, reader, broker, management, settings.queue_depth_limit)
        self._cursors: deque[tuple[float, ShardSequences]] = deque()
        self._active_since: dict[tuple[Key, int], float] = {}
        self._orphans: dict[str, float] = {}
        self._unsound: dict[str, float] = {}
        self._seeing = 0.0

    async def run(self, stop: Stop) -> None:
        """Look and mend until stopped; where the broker takes long to tell, it is asked less."""
        failing = ""
        while await stop.sleep(max(LOOK, min(SHARE * self._seeing, LONGEST))):
            if not self._responsible():
                self._cursors.clear()
                self._active_since.clear()
                continue
            try:
                await self.look()
                failing = ""
            except NusabusError as error:
                if str(error) != failing:
                    log().warning("repair.waits", reason=str(error))
                failing = str(error)

    async def look(self) -> None:
        """One look at everything. Raises what the database or the broker raise."""
        try:
            await self._look()
        except NotOnBroker:
            await self._broker.declare_base()  # a deleted exchange looks like one without bindings
            raise

    async def _look(self) -> None:
        now = time.monotonic()
        cursors = await self._reader.relay_cursors()
        await refresh(self._database, self._subscriptions)
        subscriptions = tuple(s for s in self._subscriptions.value.all if not s.journal_delivered)
        seen = await self._see()
        self._seeing = time.monotonic() - now
        await self._delete_unsound(seen, now)
        marks = []
        for subscription in subscriptions:
            if await self._mend(subscription, seen):
                queue = seen.queues[names.queue(*subscription.key)]
                if not await self._deep.divert(subscription, queue, cursors):
                    drained = self._drained(subscription, seen, now)
                    marks.append((subscription, cursors, drained))
        self._cursors.append((now, cursors))
        while len(self._cursors) > 1 and self._cursors[1][0] <= now - self._statistics_delay:
            self._cursors.popleft()
        async with self._database.session() as session:
            await backfill_progress.mark(session, marks)
        await self._delete_orphans(subscriptions, seen, now)

    async def _see(self) -> _Seen:
        try:
            return _Seen(
                await self._management.queues(),
                {
                    name: _by_queue(await self._management.bindings(name))
                    for name in (names.EVENTS, names.COMMANDS, names.REQUESTS, names.CALLBACKS)
                },
            )
        except NusabusError:
            await self._broker.declare_base()  # a new broker, or somebody deleted an exchange
            raise

    async def _mend(self, subscription: Subscription, seen: _Seen) -> bool:
        """Put right what is wrong with one subscription; True if what is sent to it arrives."""
        queue = names.queue(*subscription.key)
        state, keys = seen.queues.get(queue), seen.keys(subscription)
        if await self._keep_right(subscription, keys):
            return False
        if subscription.state is SubscriptionState.SUSPENDED:
            await self._unbind(subscription, keys)
            return False
        if state is None:
            await self._begin_again(subscription, "queue is gone", Cause.QUEUE_LOST)
            return False
        private = private_key(subscription)
        if private not in keys:
            await self._begin_again(subscription, "private binding is gone", Cause.WAY_LOST)
            return False
        wanted = set(binding_keys(subscription))
        if not subscription.bound:
            return await self._activate_when_joined(subscription, keys - {private}, wanted)
        if not wanted <= keys:
            await self._begin_again(subscription, "binding is gone", Cause.WAY_LOST)
            return False
        await self._unbind(subscription, keys - wanted - {private})
        return True

    async def _activate_when_joined(
        self, subscription: Subscription, present: set[str], wanted: set[str]
    ) -> bool:
        """Let the exchange serve it once every lead adds its queue to what it sends.

        True if there is still time until then.
        """
        async with self._database.session() as session:
            _, everywhere = await backfill_progress.joined(session, subscription)
        if not everywhere:
            await self._unbind(subscription, present)  # events would arrive before older ones
            return True
        for key in wanted:
            await self._broker.bind(names.queue(*subscription.key), exchange_of(subscription), key)
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            await backfill_progress.activate(session, subscription)
        log().info("subscription.active", **_named(subscription))
        return False

    async def _begin_again(self, subscription: Subscription, why: str, cause: Cause) -> None:
        begun = await begin_again_now(
            self._database, subscription, self._broker, self._management, cause=cause
        )
        if begun:
            log().warning("subscription.repaired", why=why, **_named(subscription))

    async def _keep_right(self, subscription: Subscription, keys: set[str]) -> bool:
        """Suspend who lost the right to its types, resume who has it again; True if changed."""
        permitted = all(
            may_receive(
                subscription.organisation, types, self._directory.value, self._catalogue.value
            )
            for types in subscription.types
        )
        suspended = subscription.state is SubscriptionState.SUSPENDED
        if permitted is not suspended:
            return False
        if not permitted:  # first, so that who is shown as suspended gets nothing any more
            await self._unbind(subscription, keys)
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            await register.suspend(session, subscription, suspended=not permitted)
        log().warning("subscription.suspended", on=not permitted, **_named(subscription))
        return True

    async def _unbind(self, subscription: Subscription, keys: set[str]) -> None:
        for key in keys:
            await self._broker.unbind(
                names.queue(*subscription.key), exchange_of(subscription), key
            )

    def _drained(self, subscription: Subscription, seen: _Seen, now: float) -> ShardSequences:
        """Up to where its queue is known to have been emptied by now.

        The statistics may be old: an empty queue says something of the time before the margin.
        """
        if not subscription.bound:
            return {}
        since = self._active_since.setdefault((subscription.key, subscription.generation), now)
        empty = seen.queues[names.queue(*subscription.key)].messages == 0
        if not empty or not self._cursors:
            return {}
        looked, cursors = self._cursors[0]
        return cursors if since <= looked <= now - self._statistics_delay else {}

    async def _delete_unsound(self, seen: _Seen, now: float) -> None:
        """Queues that will not work again: the next look finds them gone and fills new ones."""
        unsound = {
            name
            for name, queue in seen.queues.items()
            if names.owner(name) and queue.messages is None
        }
        self._unsound = {name: self._unsound.get(name, now) for name in unsound}
        for name, since in self._unsound.items():
            if now - since > UNSOUND_SECONDS:
                await self._broker.delete_queue(name)
                log().warning("repair.unsound_deleted", queue=name, state=seen.queues[name].state)

    async def _delete_orphans(
        self, subscriptions: tuple[Subscription, ...], seen: _Seen, now: float
    ) -> None:
        """Queues of subscriptions that ended while the broker or we were away."""
        known = {names.queue(*s.key) for s in subscriptions}
        orphans = {name for name in seen.queues if names.owner(name) and name not in known}
        self._orphans = {name: self._orphans.get(name, now) for name in orphans}
        for name, since in self._orphans.items():
            if now - since > ORPHAN:
                await self._management.delete_user(names.user(name))
                await self._management.close_connections(names.user(name))
                held = await self._broker.delete_queue(name)
                log().warning("subscription.orphan_deleted", queue=name, held=held)


def _by_queue(bindings: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for queue, key in bindings:
        found.setdefault(queue, set()).add(key)
    return found


def _named(subscription: Subscription) -> dict[str, str | int]:
    return {
        "organisation": subscription.organisation,
        "subscription": subscription.name,
        "generation": subscription.generation,
    }
