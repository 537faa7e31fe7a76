"""Repairs the broker: what RabbitMQ has is made what the subscriptions need.

Two cursors for each shard, moved on with every look at the broker, say what a subscription has
received: `routed` (its bindings were there, so every message relayed before is in its queue) and
`drained` (its queue was empty, so every message that was in it is settled). A lost binding costs
the events after `routed`; a lost queue costs the events after `drained`. From there the journal is
sent again: nothing is lost, and a repeated event has the same identity.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.base.database import Database, Topic
from gateway.base.errors import NusabusError
from gateway.base.periodic import periodic
from gateway.base.settings import Settings
from gateway.base.snapshot import Snapshot, refresh
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.broker import Broker, Management, NotOnBroker, QueueState, names
from gateway.contracts import Catalogue
from gateway.identity import Directory
from gateway.journal import JournalReader
from gateway.subscriptions import backfill_progress, register
from gateway.subscriptions.backfill_progress import RestartCause
from gateway.subscriptions.deep_queues import DeepQueues
from gateway.subscriptions.failures import Failures
from gateway.subscriptions.permissions import may_receive
from gateway.subscriptions.queues import restart_backfill_now
from gateway.subscriptions.register import Subscriptions
from gateway.subscriptions.routing import binding_keys, exchange_of, private_key, private_keys
from gateway.subscriptions.unavailable_queues import UnavailableQueues
from gateway.subscriptions.values import Key, ShardSequences, Subscription, SubscriptionState

LOOK = 1.0  # seconds between two looks at the broker
REST = 4  # the pause is at least this many times as long as it took to see the broker
LONGEST = 5.0  # seconds of that pause at most: the broker's statistics are as old anyway
ORPHAN = 60.0  # seconds until a queue that belongs to no subscription is deleted


@dataclass(frozen=True)
class _BrokerState:
    """The broker at one moment: `bindings` has the routing keys by exchange and queue."""

    queues: Mapping[str, QueueState]
    bindings: Mapping[str, Mapping[str, set[str]]]

    def keys(self, subscription: Subscription) -> set[str]:
        """The routing keys that reach its queue."""
        return self.bindings[exchange_of(subscription)].get(names.queue(*subscription.key), set())


class Reconciler:
    """Works in one process at a time: `responsible` says whether it is this one's turn."""

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
        self._deep_queues = DeepQueues(
            database, reader, broker, management, settings.queue_depth_limit
        )
        self._unavailable = UnavailableQueues(database, broker, management)
        self._cursors: deque[tuple[float, ShardSequences]] = deque()
        self._active_since: dict[tuple[Key, int], float] = {}
        self._orphans: dict[str, float] = {}
        self._failed: frozenset[Hashable] = frozenset()
        self._seeing = 0.0

    async def run(self, stop: Stop) -> None:
        """Reconcile until stopped, every second; a slow broker is asked less often."""
        await periodic(
            "subscriptions.reconciler", self.run_once, self, stop, only_while=self._is_responsible
        )

    def pause(self, *, found: bool, woken: bool, took: float) -> float:
        """The pause between two runs, see `gateway.base.periodic.Pace`."""
        return max(LOOK, min(REST * self._seeing, LONGEST))

    async def run_once(self) -> None:
        """Reconcile everything once. Raises what the database or the broker raise."""
        try:
            await self._reconcile()
        except NotOnBroker:
            await self._broker.declare_base()  # a deleted exchange looks like one without bindings
            raise

    def _is_responsible(self) -> bool:
        if self._responsible():
            return True
        self._cursors.clear()
        self._active_since.clear()
        return False

    async def _reconcile(self) -> None:
        now = time.monotonic()
        cursors = await self._reader.relay_cursors()
        await refresh(self._database, self._subscriptions)
        subscriptions = self._subscriptions.value.with_queue
        seen = await self._see()
        self._seeing = time.monotonic() - now
        self._unavailable.look(seen.queues, now)
        failures = Failures()
        delivered = []
        for subscription in self._failed_last(subscriptions):
            with failures.kept(subscription.key):
                if await self._repair(subscription, seen, now):
                    queue = seen.queues[names.queue(*subscription.key)]
                    if not await self._deep_queues.divert(subscription, queue, cursors):
                        drained = self._drained(subscription, seen, now)
                        delivered.append((subscription, cursors, drained))
            if failures.outage:
                break
        self._failed = failures.keys
        self._cursors.append((now, cursors))
        while len(self._cursors) > 1 and self._cursors[1][0] <= now - self._statistics_delay:
            self._cursors.popleft()
        async with self._database.session() as session:
            await backfill_progress.record_delivery(session, delivered)
        await self._unavailable.delete_unsound(seen.queues, now, failures)
        await self._delete_orphans(subscriptions, seen, now, failures)
        failures.raise_first()

    def _failed_last(self, subscriptions: Sequence[Subscription]) -> list[Subscription]:
        """Those that failed in the last run come last, so that they keep no other from its turn."""
        return sorted(subscriptions, key=lambda each: each.key in self._failed)

    async def _see(self) -> _BrokerState:
        try:
            return _BrokerState(
                await self._management.queues(),
                {
                    name: _by_queue(await self._management.bindings(name))
                    for name in (names.EVENTS, names.COMMANDS, names.REQUESTS, names.CALLBACKS)
                },
            )
        except NusabusError:
            await self._broker.declare_base()  # a new broker, or an exchange was deleted
            raise

    async def _repair(self, subscription: Subscription, seen: _BrokerState, now: float) -> bool:
        """Repair one subscription. True if messages for it arrive in its queue."""
        queue = names.queue(*subscription.key)
        state, keys = seen.queues.get(queue), seen.keys(subscription)
        if await self._follow_permission(subscription, keys):
            return False
        if subscription.state is SubscriptionState.SUSPENDED:
            await self._unbind(subscription, keys)
            return False
        if state is None:
            await self._restart(subscription, "queue is gone", RestartCause.QUEUE_LOST)
            return False
        if await self._unavailable.keep_off(subscription, keys, now):
            return False
        own = private_keys(subscription)
        if private_key(subscription) not in keys:
            await self._restart(subscription, "private binding is gone", RestartCause.BINDING_LOST)
            return False
        wanted = set(binding_keys(subscription))
        if not subscription.bound:
            return await self._activate_when_joined(subscription, keys - own, wanted)
        if not wanted <= keys:
            await self._restart(subscription, "binding is gone", RestartCause.BINDING_LOST)
            return False
        await self._unbind(subscription, keys - wanted - own)
        return True

    async def _activate_when_joined(
        self, subscription: Subscription, present: set[str], wanted: set[str]
    ) -> bool:
        """Bind the queue to its types once every shard adds its private key to all messages.

        True if that is not yet the case.
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
        log().info("subscription.activated", **_named(subscription))
        return False

    async def _restart(self, subscription: Subscription, why: str, cause: RestartCause) -> None:
        restarted = await restart_backfill_now(
            self._database, subscription, self._broker, self._management, cause=cause
        )
        if restarted:
            log().warning("subscription.repaired", reason=why, **_named(subscription))

    async def _follow_permission(self, subscription: Subscription, keys: set[str]) -> bool:
        """Suspend a subscription that lost its right, resume it with one. True if changed."""
        permitted = all(
            may_receive(
                subscription.organisation, types, self._directory.value, self._catalogue.value
            )
            for types in subscription.types
        )
        suspended = subscription.state is SubscriptionState.SUSPENDED
        if permitted is not suspended:
            return False
        if not permitted:  # first: a subscription that is shown as suspended gets nothing any more
            await self._unbind(subscription, keys)
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            await register.suspend(session, subscription, suspended=not permitted)
        event = "subscription.reinstated" if permitted else "subscription.suspended"
        log().warning(event, **_named(subscription))
        return True

    async def _unbind(self, subscription: Subscription, keys: set[str]) -> None:
        for key in keys:
            await self._broker.unbind(
                names.queue(*subscription.key), exchange_of(subscription), key
            )

    def _drained(
        self, subscription: Subscription, seen: _BrokerState, now: float
    ) -> ShardSequences:
        """Up to where its queue is known to have been emptied.

        The statistics may be old: an empty queue counts for the time before their delay.
        """
        if not subscription.bound:
            return {}
        since = self._active_since.setdefault((subscription.key, subscription.generation), now)
        empty = seen.queues[names.queue(*subscription.key)].messages == 0
        if not empty or not self._cursors:
            return {}
        looked, cursors = self._cursors[0]
        return cursors if since <= looked <= now - self._statistics_delay else {}

    async def _delete_orphans(
        self,
        subscriptions: tuple[Subscription, ...],
        seen: _BrokerState,
        now: float,
        failures: Failures,
    ) -> None:
        """Delete queues of subscriptions that ended while the broker or the gateway was away.

        After a restore of the journal they may belong to what was made after the backup, and hold
        all that is left of it: they are kept until the operator has recovered.
        """
        known = {names.queue(*s.key) for s in subscriptions}
        orphans = {name for name in seen.queues if names.owner(name) and name not in known}
        self._orphans = {name: self._orphans.get(name, now) for name in orphans}
        due = [name for name, since in self._orphans.items() if now - since > ORPHAN]
        if due and await self._reader.recovered():
            for name in due:
                with failures.kept(name):
                    await self._management.delete_user(names.user(name))
                    await self._management.close_connections(names.user(name))
                    held = await self._broker.delete_queue(name)
                    log().warning("queue.orphan_deleted", queue=name, held=held)


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
