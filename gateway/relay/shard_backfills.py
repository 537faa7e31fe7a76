"""The backfills of one shard, and the subscriptions that have joined it and are not bound yet."""

import asyncio
from collections.abc import Callable, Iterable

from gateway.base.telemetry import log
from gateway.journal import ShardLease
from gateway.relay.backfill import Backfill
from gateway.relay.context import RelayContext
from gateway.subscriptions import (
    BackfillProgress,
    Key,
    Subscription,
    SubscriptionState,
    backfill_progress,
)
from gateway.subscriptions.routing import private_key

JOINED_BYTES = 32 << 10  # for private keys, beside those of filters, in a frame of 128 KiB


class ShardBackfills:
    """Brings subscriptions from the past of a shard to the point that its relay has read."""

    def __init__(
        self,
        lease: ShardLease,
        context: RelayContext,
        *,
        read: Callable[[], int],
        on_near: Callable[[], None],
        on_joined: Callable[[], None],
    ) -> None:
        """`read` returns how far the shard relay has read.

        `on_near` is called when a backfill is close behind. `on_joined` is called for each
        subscription that gets everything from here on, before anything more is read.
        """
        self._lease = lease
        self._context = context
        self._read = read
        self._on_near = on_near
        self._on_joined = on_joined
        self._joined: dict[Key, Subscription] = {}
        self._running: dict[tuple[Key, int], Backfill] = {}

    @property
    def joined(self) -> list[Subscription]:
        """The subscriptions whose queues the shard relay adds to what it reads."""
        return list(self._joined.values())

    def cancel(self) -> None:
        """Stop all backfills; others may go on from the progress saved last."""
        for backfill in self._running.values():
            backfill.cancel()

    def remove_joined(self, keys: Iterable[Key]) -> None:
        """These subscriptions have to catch up again."""
        for key in keys:
            self._joined.pop(key, None)

    async def apply_changes(self, tasks: asyncio.TaskGroup) -> bool:
        """Start and stop backfills. False if our knowledge of the subscriptions is too old."""
        subscriptions = self._context.control_plane.subscriptions.all
        wanted = {
            (s.key, s.generation): s
            for s in subscriptions
            if s.state in (SubscriptionState.CATCHING_UP, SubscriptionState.DIVERTING)
            and s.unavailable is None
        }
        for ended in set(self._running) - set(wanted):
            self._running.pop(ended).cancel()
        self._joined = {key: s for key, s in self._joined.items() if (key, s.generation) in wanted}
        started = [
            await self._start(subscription, tasks)
            for key, subscription in wanted.items()
            if key not in self._running and subscription.key not in self._joined
        ]
        return all(started)

    async def _start(self, subscription: Subscription, tasks: asyncio.TaskGroup) -> bool:
        """Start a backfill. False if the subscription has changed meanwhile."""
        async with self._context.database.session() as session:
            progress = await backfill_progress.progress(session, subscription, self._lease.shard)
        if progress is None:
            return False
        if subscription.state is SubscriptionState.DIVERTING and not progress.joined:
            progress = BackfillProgress(progress.sequence, True)
            if not await self._save(subscription, progress):
                return False
        if progress.joined:
            self._joined[subscription.key] = subscription
            return True
        backfill = Backfill(
            subscription,
            self._lease,
            progress.sequence,
            self._context,
            on_near=self._on_near,
        )
        self._running[subscription.key, subscription.generation] = backfill
        backfill.start(tasks, self._read)
        return True

    async def join_near(self) -> None:
        """Complete the backfills that are near: their queues get everything from here on.

        The shard relay reads nothing between the end of a backfill and the moment at which the
        queue is on its routes. That the subscription has joined is durable before anything is sent
        on those routes.
        """
        for key, backfill in list(self._running.items()):
            if not backfill.near or not self._fits_header(backfill.subscription):
                continue
            if not await backfill.complete(self._read()):
                continue
            subscription = backfill.subscription
            sequence = max(backfill.sequence, self._read())
            joined = await self._save(subscription, BackfillProgress(sequence, True))
            self._running.pop(key).cancel()
            if joined:
                self._joined[subscription.key] = subscription
                self._on_joined()
                log().info(
                    "relay.backfill_joined",
                    shard=self._lease.shard,
                    sequence=self._read(),
                    organisation=subscription.organisation,
                    subscription=subscription.name,
                )

    def _fits_header(self, subscription: Subscription) -> bool:
        """Whether the private keys of all that have joined, and its own, fit a message's header.

        If not, it waits until others are active.
        """
        keys = [private_key(each) for each in (subscription, *self._joined.values())]
        return sum(map(len, keys)) <= JOINED_BYTES

    async def _save(self, subscription: Subscription, progress: BackfillProgress) -> bool:
        async with self._context.database.session() as session:
            await self._lease.fence(session)
            return await backfill_progress.save(session, subscription, self._lease.shard, progress)
