"""Who is catching up in one shard, and who has caught up and is not yet served by the exchange."""

import asyncio
from collections.abc import Callable, Iterable

from gateway.amqp import Lane
from gateway.database import Database
from gateway.journal import Lead, Reader
from gateway.relay.catchup import CatchUp
from gateway.relay.control import Control
from gateway.subscriptions import Key, Progress, State, Subscription
from gateway.subscriptions import progress as places
from gateway.telemetry import log


class Joining:
    """The subscriptions that a pump brings from their past to its present."""

    def __init__(
        self,
        lead: Lead,
        lane: Lane,
        *,
        reader: Reader,
        database: Database,
        control: Control,
        read: Callable[[], int],
        arrived: Callable[[], None],
        joined: Callable[[], None],
    ) -> None:
        """`read` is how far the pump has read; `arrived` is told when somebody is close behind.

        `joined` is told of each who gets everything from here on, before anything more is read.
        """
        self._lead = lead
        self._lane = lane
        self._reader = reader
        self._database = database
        self._control = control
        self._read = read
        self._arrived = arrived
        self._tell_joined = joined
        self._joined: dict[Key, Subscription] = {}
        self._catching: dict[tuple[Key, int], CatchUp] = {}

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
        subscriptions = self._control.subscriptions.all
        catching = {(s.key, s.generation): s for s in subscriptions if s.state is State.CATCHING_UP}
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
        async with self._database.session() as session:
            progress = await places.progress(session, subscription, self._lead.shard)
        if progress is None:
            return False
        if progress.joined:
            self._joined[subscription.key] = subscription
            return True
        catch_up = CatchUp(
            subscription,
            self._lead,
            progress.position,
            lane=self._lane,
            reader=self._reader,
            database=self._database,
            control=self._control,
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
            if not catch_up.near:
                continue
            if not await catch_up.complete(self._read()):
                continue
            subscription = catch_up.subscription
            async with self._database.session() as session:
                await self._lead.fence(session)
                joined = await places.move(
                    session,
                    subscription,
                    self._lead.shard,
                    Progress(max(catch_up.position, self._read()), True),
                )
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
