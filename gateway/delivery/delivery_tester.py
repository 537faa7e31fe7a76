"""Sends a test event to one subscription alone, by the way its events are delivered."""

import time

from gateway.base.errors import Conflict
from gateway.base.snapshot import Snapshot
from gateway.base.times import now
from gateway.broker import publish_confirmed
from gateway.contracts import Catalogue
from gateway.delivery.queue_message import message_to_queue
from gateway.delivery.store import Deliveries
from gateway.delivery.test_event import (
    DeliveryTest,
    make_test_entry,
    make_test_event,
    new_test_number,
)
from gateway.delivery.webhook import Endpoints
from gateway.identity import Directory
from gateway.subscriptions import Delivery, Subscription
from gateway.subscriptions.permissions import require_right

CONFIRM_SECONDS = 10.0


class DeliveryTester:
    """Tests the delivery of a subscription with an event that no other subscription receives."""

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

    async def send_test_event(self, subscription: Subscription) -> DeliveryTest:
        """Send a test event and return the result.

        Raises Conflict for a stream, whose reader asks for the test event, and for a paused
        subscription; Forbidden where the right to receive was withdrawn; Overloaded where too many
        tests are under way; BrokerUnavailable.
        """
        self._require(subscription)
        match subscription.delivery:
            case Delivery.WEBHOOK:
                return await self._endpoints.send_test_event(subscription)
            case Delivery.PULL:
                return await self._open(subscription)
            case Delivery.AMQP:
                return await self._send(subscription)
            case Delivery.STREAM:
                raise Conflict(
                    "The reader of a stream requests the test event. Use GET "
                    f"/v1/subscriptions/{subscription.name}/stream?test=true."
                )

    def _require(self, subscription: Subscription) -> None:
        if subscription.paused and subscription.delivery is not Delivery.WEBHOOK:
            raise Conflict(f"Subscription {subscription.name} is paused. Resume it first.")
        require_right(subscription, self._directory.value, self._catalogue.value)

    async def _open(self, subscription: Subscription) -> DeliveryTest:
        number, began = new_test_number(), time.monotonic()
        event = make_test_event(subscription.key, number)
        await self._deliveries.open_test_event(subscription.key, number, event.type)
        detail = "the next receive returns it"
        return DeliveryTest(True, detail, _seconds_since(began), event.id)

    async def _send(self, subscription: Subscription) -> DeliveryTest:
        number, began = new_test_number(), time.monotonic()
        entry = make_test_entry(subscription.key, number, now())
        confirmed = await publish_confirmed(
            self._url,
            [message_to_queue(subscription, entry, "public", entry.event.id)],
            confirm_timeout=CONFIRM_SECONDS,
            name="nusabus-test-event",
        )
        detail = "confirmed into the queue" if confirmed else "the queue is being repaired"
        return DeliveryTest(bool(confirmed), detail, _seconds_since(began), entry.event.id)


def _seconds_since(began: float) -> float:
    return round(time.monotonic() - began, 3)
