"""Queues that cannot work now, because most of their members are lost or they have no leader.

Nobody knows what such a queue holds, so it is kept: it takes up its work when its nodes are back.
Until then its subscription is taken off the exchange, because no message for it is confirmed, and
what follows waits in the journal (decision 0029). Only a queue that stays so although the nodes of
all its members run is deleted: then there is nothing to wait for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.base.database import Database, Topic
from gateway.base.telemetry import log
from gateway.broker import Broker, Management, QueueState, names
from gateway.subscriptions import backfill_progress, register
from gateway.subscriptions.backfill_progress import RestartCause
from gateway.subscriptions.failures import Failures
from gateway.subscriptions.routing import exchange_of, private_key, private_keys
from gateway.subscriptions.values import Subscription

UNAVAILABLE = 10.0  # seconds until a queue counts as unavailable: an election takes less
# RabbitMQ 3.10 can lose a quorum queue's log when it is killed within a second of the declaration:
# the queue comes back without a leader, or with one that reports nothing, and never confirms
# anything again. A sound queue counts its messages within 10 seconds of a restart.
UNSOUND = 30.0
# With statistics of before, its members may only take long to read their log after a restart.
UNSOUND_AFTER_STATISTICS = 60.0


@dataclass
class UnavailableQueues:
    """Takes subscriptions off the exchange and puts them back; knows since when."""

    database: Database
    broker: Broker
    management: Management
    _since: dict[str, float] = field(default_factory=dict)
    _unsound: dict[str, float] = field(default_factory=dict)

    def look(self, queues: Mapping[str, QueueState], now: float) -> None:
        """Note which queues are unavailable at this look at the broker."""
        self._since = {
            name: self._since.get(name, now)
            for name, queue in queues.items()
            if names.owner(name) and not queue.available
        }

    async def keep_off(self, subscription: Subscription, keys: set[str], now: float) -> bool:
        """True if the queue of a subscription is unavailable, or was until now.

        `keys` are those that it is bound to. Its subscription is diverted after a while.
        """
        since = self._since.get(names.queue(*subscription.key))
        if since is None:
            if subscription.unavailable is None:
                return False
            await self._put_back(subscription)
        elif subscription.unavailable is not None:
            await self._unbind(subscription, keys - private_keys(subscription))
        elif now - since >= UNAVAILABLE:
            await self._divert(subscription, keys)
        return True

    async def delete_unsound(
        self, queues: Mapping[str, QueueState], now: float, failures: Failures
    ) -> None:
        """Delete queues that will not work again: the next run makes and fills new ones."""
        suspects = [
            name
            for name, queue in queues.items()
            if names.owner(name) and (queue.messages is None or not queue.available)
        ]
        running = await self.management.running_nodes() if suspects else frozenset()
        self._unsound = {
            name: self._unsound.get(name, now)
            for name in suspects
            if queues[name].members <= running
        }
        for name, since in self._unsound.items():
            silent = queues[name].messages is None
            if now - since > (UNSOUND if silent else UNSOUND_AFTER_STATISTICS):
                self._unsound[name] = now  # one that cannot be deleted costs a timeout each time
                with failures.kept(name):
                    await self.broker.delete_queue(name)
                    log().warning("queue.unsound_deleted", queue=name, state=queues[name].state)

    async def _divert(self, subscription: Subscription, keys: set[str]) -> None:
        """Let it catch up later. The bindings go first: the relays then send again what the queue
        has not confirmed, and it must not get that."""
        async with self.database.change(Topic.SUBSCRIPTIONS) as session:
            present = await register.find(session, *subscription.key)
            if present is None or present.generation != subscription.generation:
                return
            following = private_key(replace(present, generation=present.generation + 1))
            queue = names.queue(*present.key)
            await self.broker.bind(queue, exchange_of(present), following)
            await self._unbind(present, keys - {following})
            if not await backfill_progress.restart(
                session, present, cause=RestartCause.QUEUE_UNAVAILABLE
            ):
                return
        log().error(
            "queue.unavailable", queue=queue, organisation=present.organisation,
            subscription=present.name,
        )  # fmt: skip

    async def _put_back(self, subscription: Subscription) -> None:
        async with self.database.change(Topic.SUBSCRIPTIONS) as session:
            await backfill_progress.queue_available(session, subscription)
        log().warning(
            "queue.available", queue=names.queue(*subscription.key),
            organisation=subscription.organisation, subscription=subscription.name,
        )  # fmt: skip

    async def _unbind(self, subscription: Subscription, keys: set[str]) -> None:
        queue = names.queue(*subscription.key)
        for key in keys:
            await self.broker.unbind(queue, exchange_of(subscription), key)
