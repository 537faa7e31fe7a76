"""Takes subscriptions whose queue is deep off the exchange, so that the journal holds what follows.

They go back to catching up, which fills a queue no further than to half of what counts as deep (see
relay/rooms.py), and are active again once their reader has caught up. Nothing is counted as lost.
"""

from dataclasses import dataclass, field

from gateway.base.database import Database
from gateway.base.telemetry import log
from gateway.broker import Broker, Management, QueueState, names
from gateway.journal import JournalReader
from gateway.subscriptions import (
    Key,
    ShardSequences,
    Subscription,
    SubscriptionState,
    backfill_progress,
)
from gateway.subscriptions.queues import begin_again_now
from gateway.subscriptions.routing import binding_keys, exchange_of


@dataclass
class Deep:
    """Looks at one subscription after another; `deep` is in ready messages.

    The statistics may be seconds old, so from half of `deep` on the queue is asked itself.
    """

    database: Database
    reader: JournalReader
    broker: Broker
    management: Management
    deep: int
    _read_then: dict[Key, tuple[int, ShardSequences]] = field(default_factory=dict)

    async def divert(
        self, subscription: Subscription, queue: QueueState, cursors: ShardSequences
    ) -> bool:
        """Begin or finish what is to be done about it; True if it did something.

        The next look takes the bindings of what is catching up away: until then the leads know.
        A queue that is bound to one key leaves the exchange in one step. With several it would miss
        an event of the one while it still gets a later one of the other, perhaps of the same
        ordering key. So first the leads add its private key to all that they send, and then the
        bindings go.
        """
        if subscription.state is SubscriptionState.DIVERTING:
            return await self._finish(subscription, cursors)
        ready = (queue.messages or 0) - queue.unacknowledged
        if ready < self.deep // 2 or not await self._is_deep(subscription):
            return False
        in_steps = (
            subscription.state is SubscriptionState.ACTIVE and len(binding_keys(subscription)) > 1
        )
        cause = backfill_progress.Cause.DIVERTING if in_steps else backfill_progress.Cause.DEEP
        if not await self._begin_again(subscription, cause):
            return False
        log().warning(
            "subscription.diverted",
            organisation=subscription.organisation,
            subscription=subscription.name,
            ready=ready,
        )
        return True

    async def _is_deep(self, subscription: Subscription) -> bool:
        """Whether the queue is deep now, and something but catching up goes on filling it."""
        if subscription.state is SubscriptionState.CATCHING_UP:
            async with self.database.session() as session:
                some, _ = await backfill_progress.joined(session, subscription)
            if not some:
                return False
        return (await self.broker.depth(names.queue(*subscription.key))).ready >= self.deep

    async def _finish(self, subscription: Subscription, cursors: ShardSequences) -> bool:
        """Unbind it once the leads add its key to all that is still to be confirmed.

        What a lead had read when it began to add the key may be on its way without it: all of that
        has to be confirmed first.
        """
        async with self.database.session() as session:
            _, everywhere = await backfill_progress.joined(session, subscription)
        if not everywhere:
            return False
        generation, places = self._read_then.get(subscription.key, (0, {}))
        if generation != subscription.generation:
            heads = await self.reader.heads()
            places = {shard: head.sequence for shard, head in heads.items()}
            self._read_then[subscription.key] = (subscription.generation, places)
        if any(cursors.get(shard, 0) < place for shard, place in places.items()):
            return False
        if not await self._is_bound(subscription):
            return False
        del self._read_then[subscription.key]
        for key in binding_keys(subscription):
            await self.broker.unbind(names.queue(*subscription.key), exchange_of(subscription), key)
        return await self._begin_again(subscription, backfill_progress.Cause.DEEP)

    async def _is_bound(self, subscription: Subscription) -> bool:
        """Whether its bindings stand still; a loss that came meanwhile is the reconciler's."""
        queue = names.queue(*subscription.key)
        bound = await self.management.bindings(exchange_of(subscription))
        return {(queue, key) for key in binding_keys(subscription)} <= bound

    async def _begin_again(
        self, subscription: Subscription, cause: backfill_progress.Cause
    ) -> bool:
        return await begin_again_now(
            self.database, subscription, self.broker, self.management, cause=cause
        )
