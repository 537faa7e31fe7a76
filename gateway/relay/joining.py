"""Who is catching up in one shard, and who has caught up and is not yet served by the exchange."""

import asyncio
from collections.abc import Callable, Iterable

from gateway.base.telemetry import log
from gateway.journal import Lead
from gateway.relay.backfill import Backfill
from gateway.relay.context import RelayContext
from gateway.subscriptions import BackfillProgress, Key, State, Subscription, backfill_progress
from gateway.subscriptions.routing import private_key

JOINED_BYTES = 32 << 10  # beside the keys of those with filters, in a frame of 128 KiB


class Joining:
    """The subscriptions that a pump brings from their past to its present."""

    def __init__(
        self,
        lead: Lead,
        means: RelayContext,
        *,
        read: Callable[[], int],
        arrived: Callable[[], None],
        joined: Callable[[], None],
    ) -> None:
        """`read` is how far the pump has read; `arrived` is told when somebody is close behind.

        `joined` is told of each who gets everything from here on, before anything more is read.
        """
        self._lead = lead
        self._means = means
        self._read = read
        self._arrived = arrived
        self._tell_joined = joined
        self._joined: dict[Key, Subscription] = {}
        self._catching: dict[tuple[Key, int], Backfill] = {}

    @property
    def joined(self) -> list[Subscription]:
        """Those to whose queues the pump adds what it reads."""
        return list(self._joined.values())

    def cancel(self) -> None:
        """End all catching up; the positions noted last are where another may go on."""
        for catch_up in self._catching.values():
            catch_up.cancel()

    def forget(self, keys: Iterable[Key]) -> None:
        """Whoever of these had joined is to catch up again."""
        for key in keys:
            self._joined.pop(key, None)

    async def follow(self, tasks: asyncio.TaskGroup) -> bool:
        """Begin and end catching up; False where what we know of the subscriptions is too old."""
        subscriptions = self._means.control.subscriptions.all
        catching = {
            (s.key, s.generation): s
            for s in subscriptions
            if s.state in (State.CATCHING_UP, State.DIVERTING)
        }
        for known in set(self._catching) - set(catching):
            self._catching.pop(known).cancel()
        self._joined = {
            key: s for key, s in self._joined.items() if (key, s.generation) in catching
        }
        begun = [
            await self._begin(subscription, tasks)
            for name, subscription in catching.items()
            if name not in self._catching and subscription.key not in self._joined
        ]
        return all(begun)

    async def _begin(self, subscription: Subscription, tasks: asyncio.TaskGroup) -> bool:
        """Let it catch up; False where it has moved on meanwhile."""
        async with self._means.database.session() as session:
            progress = await backfill_progress.progress(session, subscription, self._lead.shard)
        if progress is None:
            return False
        if subscription.state is State.DIVERTING and not progress.joined:
            progress = BackfillProgress(progress.position, True)
            if not await self._move(subscription, progress):
                return False
        if progress.joined:
            self._joined[subscription.key] = subscription
            return True
        catch_up = Backfill(
            subscription,
            self._lead,
            progress.position,
            self._means,
            arrived=self._arrived,
        )
        self._catching[subscription.key, subscription.generation] = catch_up
        catch_up.start(tasks, self._read)
        return True

    async def join_arrived(self) -> None:
        """Let those who have caught up with the pump have everything from here on.

        Nothing is read between the end of their catching up and the moment their queue is on the
        routes; and that they joined is durable before anything is sent on those routes.
        """
        for name, catch_up in list(self._catching.items()):
            if not catch_up.near or not self._has_room_for(catch_up.subscription):
                continue
            if not await catch_up.complete(self._read()):
                continue
            subscription = catch_up.subscription
            position = max(catch_up.position, self._read())
            joined = await self._move(subscription, BackfillProgress(position, True))
            self._catching.pop(name).cancel()
            if joined:
                self._joined[subscription.key] = subscription
                self._tell_joined()
                log().info(
                    "relay.joined",
                    shard=self._lead.shard,
                    sequence=self._read(),
                    organisation=subscription.organisation,
                    subscription=subscription.name,
                )

    def _has_room_for(self, subscription: Subscription) -> bool:
        """Whether the keys of all who have joined, and its own, fit a message's header.

        Who has to wait is taken in when others have become active.
        """
        keys = [private_key(each) for each in (subscription, *self._joined.values())]
        return sum(map(len, keys)) <= JOINED_BYTES

    async def _move(self, subscription: Subscription, to: BackfillProgress) -> bool:
        async with self._means.database.session() as session:
            await self._lead.fence(session)
            return await backfill_progress.move(session, subscription, self._lead.shard, to)
