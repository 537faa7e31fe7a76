"""One attempt at a delivery: the event as the endpoint gets it, and the call."""

from collections.abc import Callable

from gateway.base.snapshot import Snapshot
from gateway.broker import message
from gateway.contracts import Catalogue
from gateway.delivery.webhook.keyed_queue import PendingDelivery
from gateway.delivery.webhook.sender import AttemptResult, RetryLater, WebhookSender, defect_detail
from gateway.delivery.webhook.signatures import Sign, webhook_id
from gateway.request_reply import expired, outgoing_request
from gateway.subscriptions import Subscription


class EndpointCaller:
    """Attempts the deliveries of one subscription."""

    def __init__(
        self,
        subscription: Subscription,
        sender: WebhookSender,
        sign: Callable[[], tuple[Sign, ...]],
        catalogue: Snapshot[Catalogue],
    ) -> None:
        self._subscription = subscription
        self._sender = sender
        self._sign = sign
        self._catalogue = catalogue

    async def attempt(self, delivery: PendingDelivery) -> AttemptResult | None:
        """Call the endpoint; None where the deadline of the request has passed.

        Whatever the event and the endpoint are like, this returns: a defect of the gateway is a
        failed attempt at this delivery, and concerns no other.
        """
        try:
            return await self._attempt(delivery)
        except Exception as error:
            return RetryLater(defect_detail("webhooks.delivery", error), defect=True)

    async def _attempt(self, delivery: PendingDelivery) -> AttemptResult | None:
        event = delivery.entry.event
        if self._subscription.is_responder:
            if expired(event, delivery.entry.recorded):
                return None
            event = outgoing_request(event, delivery.entry.recorded)
        classification = self._catalogue.value.classification(event.type)
        body = message.body(event, *delivery.entry.journal_attributes, classification)
        return await self._sender.deliver(
            webhook_id(event), body, self._sign(), content_type=message.CONTENT_TYPE
        )
