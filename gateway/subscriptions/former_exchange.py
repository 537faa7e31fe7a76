"""From the topic exchange of earlier versions to the direct exchange (decision 0036).

The two must not be in use at once: an event that goes by one of them reaches no queue that is bound
to the other alone, and nobody would notice. So a relay begins only once no relay of an earlier
version is at work, and every queue is bound to the exchange of now.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing, suppress

from gateway.base.outages import OutageReporter
from gateway.base.snapshot import Snapshot
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.broker import Broker, Management, NotOnBroker, names
from gateway.subscriptions.queues import bind
from gateway.subscriptions.register import Subscriptions
from gateway.subscriptions.routing import (
    Binding,
    exchange_of,
    private_bindings,
    type_bindings,
)
from gateway.subscriptions.values import Subscription, SubscriptionState

LOOK = 0.5  # seconds until it is asked again whether relays of an earlier version are at work


class FormerExchange:
    """Is left once, when the first relay of this version begins; later it is a leftover."""

    def __init__(
        self,
        broker: Broker,
        management: Management,
        subscriptions: Snapshot[Subscriptions],
        *,
        refresh: Callable[[], Awaitable[None]],
        attending: Callable[[], Awaitable[int]],
    ) -> None:
        """`refresh` loads the subscriptions; `attending` says how many relays are at work."""
        self._broker = broker
        self._management = management
        self._subscriptions = subscriptions
        self._refresh = refresh
        self._attending = attending
        self._said = False

    async def leave(self, stop: Stop) -> None:
        """Return once the former exchange is gone, or stopped. Call it before this relay attends.

        Safe to repeat, also where it was interrupted, and for several relays at once.
        """
        with closing(OutageReporter("relay.former_exchange")) as outages:
            while not stop:
                with outages.tolerated():
                    if await self._left(stop):
                        return
                await stop.sleep(LOOK)

    async def delete_leftover(self) -> None:
        """Delete it where a process of an earlier version has made it again.

        For the leader, which is at work after `leave`: else the next relay to begin would take the
        present ones for relays of an earlier version, and wait for them.
        """
        if await self._management.has_exchange(names.FORMER_EVENTS):
            await self._broker.delete_exchange(names.FORMER_EVENTS)
            log().warning("exchange.leftover_deleted", exchange=names.FORMER_EVENTS)

    async def _left(self, stop: Stop) -> bool:
        if not await self._management.has_exchange(names.FORMER_EVENTS):
            return True
        if relays := await self._attending():
            if not self._said:
                log().warning("relay.waits_for_earlier_version", relays=relays)
            self._said = True
            return False
        await self._broker.declare_base()
        await self._refresh()
        moved = [each for each in self._subscriptions.value.with_queue if _is_moved(each)]
        present = await self._present()
        for each in moved:
            if stop:
                return False
            with suppress(NotOnBroker):  # the reconciler makes a queue that is missing
                await bind(each, _bindings(each) - present[names.queue(*each.key)], self._broker)
        if await self._attending():  # one of either version has begun meanwhile: look again
            return False
        await self._broker.delete_exchange(names.FORMER_EVENTS)
        log().warning("exchange.replaced", exchange=names.FORMER_EVENTS, queues=len(moved))
        return True

    async def _present(self) -> Mapping[str, set[Binding]]:
        """The bindings that an attempt before, or another relay, has made, by queue."""
        present: dict[str, set[Binding]] = defaultdict(set)
        for exchange in (names.EVENTS, names.EVENTS_TOPIC):
            for queue, key in await self._management.bindings(exchange):
                present[queue].add(Binding(exchange, key))
        return present


def _bindings(subscription: Subscription) -> set[Binding]:
    """What its queue must be bound to, as it was bound to the former exchange."""
    types = type_bindings(subscription) if subscription.bound else set()
    return private_bindings(subscription) | types


def _is_moved(subscription: Subscription) -> bool:
    suspended = subscription.state is SubscriptionState.SUSPENDED
    return exchange_of(subscription) == names.EVENTS and not suspended
