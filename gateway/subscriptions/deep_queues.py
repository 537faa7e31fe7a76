"""Diverts subscriptions with a deep queue: the journal keeps their further events meanwhile.

They go back to catching up, which fills a queue to at most half of the limit (see
`gateway.relay.QueueCredit`), and are active again once their reader has caught up. This does not
count as a loss.
"""

from dataclasses import dataclass, field

from gateway.base.database import Database
from gateway.base.telemetry import log
from gateway.broker import Broker, Management, QueueState, names
from gateway.journal import JournalReader
from gateway.subscriptions import backfill_progress
from gateway.subscriptions.backfill_progress import RestartCause
from gateway.subscriptions.queues import restart_backfill_now
from gateway.subscriptions.routing import binding_keys, exchange_of
from gateway.subscriptions.values import Key, ShardSequences, Subscription, SubscriptionState


@dataclass
class DeepQueues:
    """Checks one subscription after another; `limit` is in ready messages.

    The broker's statistics may be seconds old, so from half of the limit on the queue is asked.
    """

    database: Database
    reader: JournalReader
    broker: Broker
    management: Management
    limit: int
    _heads: dict[Key, tuple[int, ShardSequences]] = field(default_factory=dict)

    async def divert(
        self, subscription: Subscription, queue: QueueState, cursors: ShardSequences
    ) -> bool:
        """Begin or finish to divert a subscription; True if it did something.

        A queue that is bound to one key leaves the exchange in one step: the next check removes
        the binding, and until then the relays know. With several bindings that would miss an event
        of one key while a later one of another key, perhaps with the same ordering key, still
        arrives. So first the relays add its private key to all messages, then the bindings go.
        """
        if subscription.state is SubscriptionState.DIVERTING:
            return await self._finish(subscription, cursors)
        ready = (queue.messages or 0) - queue.unacknowledged
        if ready < self.limit // 2 or not await self._is_deep(subscription):
            return False
        active = subscription.state is SubscriptionState.ACTIVE
        in_steps = active and len(binding_keys(subscription)) > 1
        cause = RestartCause.DIVERTING if in_steps else RestartCause.QUEUE_DEEP
        if not await self._restart(subscription, cause):
            return False
        log().warning(
            "subscription.diverted",
            organisation=subscription.organisation,
            subscription=subscription.name,
            ready=ready,
        )
        return True

    async def _is_deep(self, subscription: Subscription) -> bool:
        """Whether the queue is deep now, and filled by more than a backfill."""
        if subscription.state is SubscriptionState.CATCHING_UP:
            async with self.database.session() as session:
                some, _ = await backfill_progress.joined(session, subscription)
            if not some:
                return False
        return (await self.broker.depth(names.queue(*subscription.key))).ready >= self.limit

    async def _finish(self, subscription: Subscription, cursors: ShardSequences) -> bool:
        """Unbind the queue once every message without its private key is confirmed.

        A relay may have read entries before it began to add the key: all up to the heads of the
        moment when every shard had joined.
        """
        async with self.database.session() as session:
            _, everywhere = await backfill_progress.joined(session, subscription)
        if not everywhere:
            return False
        generation, heads = self._heads.get(subscription.key, (0, {}))
        if generation != subscription.generation:
            heads = {shard: head.sequence for shard, head in (await self.reader.heads()).items()}
            self._heads[subscription.key] = (subscription.generation, heads)
        if any(cursors.get(shard, 0) < head for shard, head in heads.items()):
            return False
        if not await self._is_bound(subscription):
            return False
        del self._heads[subscription.key]
        for key in binding_keys(subscription):
            await self.broker.unbind(names.queue(*subscription.key), exchange_of(subscription), key)
        return await self._restart(subscription, RestartCause.QUEUE_DEEP)

    async def _is_bound(self, subscription: Subscription) -> bool:
        """Whether all bindings are there; the reconciler handles a loss that came meanwhile."""
        queue = names.queue(*subscription.key)
        bound = await self.management.bindings(exchange_of(subscription))
        return {(queue, key) for key in binding_keys(subscription)} <= bound

    async def _restart(self, subscription: Subscription, cause: RestartCause) -> bool:
        return await restart_backfill_now(
            self.database, subscription, self.broker, self.management, cause=cause
        )
