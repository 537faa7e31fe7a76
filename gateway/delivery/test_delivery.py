"""A trial of a subscription: a test event goes to it alone, by the way in which all others come."""

import time

from gateway.base.errors import Conflict
from gateway.base.snapshot import Snapshot
from gateway.base.times import now
from gateway.broker import OutgoingMessage, message, publish_confirmed
from gateway.contracts import Catalogue
from gateway.delivery.store import Deliveries
from gateway.delivery.test_event import (
    DeliveryTest,
    make_test_entry,
    make_test_event,
    new_test_number,
)
from gateway.delivery.webhook import Endpoints
from gateway.identity import Directory
from gateway.journal import Entry
from gateway.subscriptions import Delivery, Subscription
from gateway.subscriptions.permissions import require_right
from gateway.subscriptions.routing import exchange_of, private_key

CONFIRM_SECONDS = 10.0


class DeliveryTester:
    """Sends test events."""

    def __init__(
        self,
        endpoints: Endpoints,
        deliveries: Deliveries,
        directory: Snapshot[Directory],
        catalogue: Snapshot[Catalogue],
        amqp_url: str,
    ) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._directory = directory
        self._catalogue = catalogue
        self._url = amqp_url

    async def attempt(self, subscription: Subscription) -> DeliveryTest:
        """Let it have a test event.

        Raises Conflict for a stream, which is tried by reading it, and for what is paused;
        Forbidden for a lost right; Overloaded while too many are under way; BrokerUnavailable.
        """
        self._require(subscription)
        match subscription.delivery:
            case Delivery.WEBHOOK:
                return await self._endpoints.attempt(subscription)
            case Delivery.PULL:
                return await self._open(subscription)
            case Delivery.AMQP:
                return await self._send(subscription)
            case Delivery.STREAM:
                raise Conflict(
                    f"a stream is tried by its reader: GET /v1/subscriptions/{subscription.name}"
                    "/stream?test=true begins with a test event"
                )

    def _require(self, subscription: Subscription) -> None:
        if subscription.paused and subscription.delivery is not Delivery.WEBHOOK:
            raise Conflict(f"the subscription {subscription.name} is paused: resume it first")
        require_right(subscription, self._directory.value, self._catalogue.value)

    async def _open(self, subscription: Subscription) -> DeliveryTest:
        """The next that asks gets it."""
        number, began = new_test_number(), time.monotonic()
        event = make_test_event(subscription.key, number)
        await self._deliveries.open_test_event(subscription.key, number, event.type)
        return DeliveryTest(True, "the next receive hands it out", _since(began), event.id)

    async def _send(self, subscription: Subscription) -> DeliveryTest:
        """Into its queue alone."""
        number, began = new_test_number(), time.monotonic()
        entry = make_test_entry(subscription.key, number, now())
        confirmed = await publish_confirmed(
            self._url,
            [_outgoing(subscription, entry)],
            confirm_timeout=CONFIRM_SECONDS,
            name="nusabus-trial",
        )
        detail = "confirmed into the queue" if confirmed else "the queue is being repaired"
        return DeliveryTest(bool(confirmed), detail, _since(began), entry.event.id)


def _outgoing(subscription: Subscription, entry: Entry) -> OutgoingMessage:
    facts = (*entry.journal_attributes, "public")
    return OutgoingMessage(
        exchange_of(subscription),
        private_key(subscription),
        True,
        (),
        message.body(entry.event, *facts),
        entry.event.id,
        message.headers(entry.event, *facts),
        entry.event.id,
    )


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
