"""The endpoints of webhooks in an api process: check, sign, test."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict, Invalid, NotFound, Overloaded
from gateway.base.settings import Settings
from gateway.base.times import now, rfc3339
from gateway.broker import message
from gateway.delivery.test_event import DeliveryTest, make_test_event, new_test_number
from gateway.delivery.webhook.addresses import AddressPolicy, parse_endpoint_url
from gateway.delivery.webhook.configs import WebhookConfig, origin
from gateway.delivery.webhook.guarded_network import webhook_tls
from gateway.delivery.webhook.handshake import HandshakeDeclined, perform_handshake
from gateway.delivery.webhook.resolver import Resolver
from gateway.delivery.webhook.sender import Delivered, WebhookSender
from gateway.delivery.webhook.signatures import webhook_id
from gateway.identity import OPERATOR
from gateway.journal import sequence_text
from gateway.subscriptions import Delivery, Endpoint, Subscription, Terms, register, webhooks

TESTS_AT_ONCE, TESTS_OF_ORGANISATION = 32, 2  # in one process


class Endpoints:
    """What the owner of a webhook subscription does with its endpoint."""

    def __init__(self, database: Database, settings: Settings) -> None:
        """Raises UnusableFiles."""
        self._database = database
        self._settings = settings
        self._policy = AddressPolicy.of(settings)
        self._tls = webhook_tls(settings)
        self._resolver = Resolver()
        self._tests: Counter[str] = Counter()  # under way, by organisation

    def check(self, delivery: Delivery, terms: Terms) -> None:
        """Raises Invalid where the terms have no permitted endpoint, or one without a webhook."""
        if delivery is not Delivery.WEBHOOK:
            if terms.endpoint is not None:
                raise Invalid("Only webhooks have an endpoint. Omit it.", pointer="/terms/endpoint")
        elif terms.endpoint is None:
            raise Invalid("A webhook needs an endpoint.", pointer="/terms/endpoint")
        else:
            parse_endpoint_url(terms.endpoint.url, self._policy)

    async def create_signing_key(
        self, session: AsyncSession, subscription: Subscription
    ) -> str | None:
        """The first secret of a new webhook, in the transaction that creates it; else None."""
        if subscription.terms.endpoint is None:
            return None
        return await self._add_key(session, subscription, subscription.terms.endpoint, 0.0)

    async def rotate_signing_key(self, subscription: Subscription, *, overlap: float) -> str:
        """A new secret; the present one also signs for `overlap` more seconds.

        Raises Conflict for other deliveries, NotFound where the subscription has ended.
        """
        endpoint = _endpoint(subscription)
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            if await register.find(session, *subscription.key) is None:
                raise NotFound(f"Subscription {subscription.name} does not exist.")
            return await self._add_key(session, subscription, endpoint, overlap)

    async def webhook(self, subscription: Subscription) -> webhooks.Webhook | None:
        """The state of its endpoint; None for other deliveries."""
        if subscription.delivery is not Delivery.WEBHOOK:
            return None
        async with self._database.session() as session:
            return await webhooks.find(session, subscription.key)

    async def send_test_event(self, subscription: Subscription) -> DeliveryTest:
        """Send a test event to the endpoint, after a handshake where it has not accepted one.

        Raises Conflict for other deliveries, Overloaded where too many tests are under way.
        """
        endpoint = _endpoint(subscription)
        webhook = await self.webhook(subscription) or webhooks.Webhook()
        config = WebhookConfig(
            subscription, webhook.agreed_url, webhook.agreed_rate, webhook.keys, self._settings
        )
        with self._tested(subscription.organisation):
            sender = WebhookSender(
                parse_endpoint_url(endpoint.url, self._policy),
                self._policy,
                self._tls,
                origin=origin(self._settings),
                timeout=endpoint.timeout,
                resolve=self._resolver.of(subscription.organisation),
            )
            try:
                return await self._send_test_event(config, sender)
            finally:
                await sender.close()

    @contextmanager
    def _tested(self, organisation: str) -> Iterator[None]:
        if (
            self._tests[organisation] >= TESTS_OF_ORGANISATION
            or self._tests.total() >= TESTS_AT_ONCE
        ):
            raise Overloaded("Too many webhooks are being tested. Try again.")
        self._tests[organisation] += 1
        try:
            yield
        finally:
            self._tests[organisation] -= 1

    async def _send_test_event(self, config: WebhookConfig, sender: WebhookSender) -> DeliveryTest:
        event = make_test_event(config.subscription.key, new_test_number())
        name = webhook_id(event)
        test = DeliveryTest(False, "", 0.0, event.id, name)
        if not config.accepted:
            answer = await perform_handshake(sender, rate=config.requested_rate)
            if isinstance(answer, HandshakeDeclined):
                return replace(test, detail=answer.reason)
            async with self._database.change(Topic.SUBSCRIPTIONS) as session:
                key, url = config.subscription.key, config.endpoint.url
                if await register.find(session, *key) is not None:
                    await webhooks.set_agreed(session, key, url, answer.rate)
        body = message.body(event, sequence_text(0, 0), rfc3339(now()), OPERATOR, "public")
        began = time.monotonic()
        result = await sender.deliver(name, body, config.sign(), content_type=message.CONTENT_TYPE)
        return replace(
            test,
            delivered=isinstance(result, Delivered),
            detail=result.detail,
            seconds=round(time.monotonic() - began, 3),
        )

    async def _add_key(
        self, session: AsyncSession, subscription: Subscription, endpoint: Endpoint, overlap: float
    ) -> str:
        return await webhooks.add_key(
            session,
            subscription.key,
            endpoint.signature,
            self._settings.secret_key,
            overlap=timedelta(seconds=overlap),
        )


def _endpoint(subscription: Subscription) -> Endpoint:
    if subscription.terms.endpoint is None:
        raise Conflict(
            f"Subscription {subscription.name} is delivered by {subscription.delivery}. Only "
            "webhooks have an endpoint."
        )
    return subscription.terms.endpoint
