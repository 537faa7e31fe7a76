"""What the owner of a webhook does with it: offer it, renew its secret, try it."""

import asyncio
import ssl
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict, Invalid, NotFound, Overloaded
from gateway.base.settings import Settings
from gateway.base.times import rfc3339
from gateway.broker import message
from gateway.delivery.test_event import DeliveryTest, make_test_event, new_test_number
from gateway.delivery.webhook import handshake
from gateway.delivery.webhook.addresses import AddressPolicy, parse_endpoint_url
from gateway.delivery.webhook.configs import WebhookConfig, origin
from gateway.delivery.webhook.guarded_network import trust
from gateway.delivery.webhook.sender import Delivered, WebhookSender
from gateway.delivery.webhook.signatures import webhook_id
from gateway.journal import sequence_text
from gateway.subscriptions import Delivery, Endpoint, Subscription, Terms, register, webhooks

AT_ONCE = 8  # trials of a process


class Endpoints:
    """The rules of endpoints, for the api process."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._policy = AddressPolicy.of(settings)
        self._trusted: ssl.SSLContext | None = None
        self._turns = asyncio.Semaphore(AT_ONCE)

    def judge(self, delivery: Delivery, terms: Terms) -> None:
        """Whether these terms can be kept. Raises Invalid."""
        if delivery is not Delivery.WEBHOOK:
            if terms.endpoint is not None:
                raise Invalid("an endpoint is for delivery by webhook", pointer="/terms/endpoint")
        elif terms.endpoint is None:
            raise Invalid("a webhook needs an endpoint", pointer="/terms/endpoint")
        else:
            parse_endpoint_url(terms.endpoint.url, self._policy)

    async def provide(self, session: AsyncSession, subscription: Subscription) -> str | None:
        """The first secret of a new webhook, in the transaction that makes it."""
        if subscription.terms.endpoint is None:
            return None
        return await self._add_key(session, subscription, subscription.terms.endpoint, 0.0)

    async def rotate(self, subscription: Subscription, *, overlap: float) -> str:
        """A new secret; the present one signs beside it for `overlap` seconds.

        Raises Conflict for what is no webhook.
        """
        endpoint = _endpoint(subscription)
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            if await register.find(session, *subscription.key) is None:
                raise NotFound(f"there is no subscription {subscription.name}")
            return await self._add_key(session, subscription, endpoint, overlap)

    async def known(self, subscription: Subscription) -> webhooks.Webhook | None:
        """What is known of its endpoint; None where it has none."""
        if subscription.delivery is not Delivery.WEBHOOK:
            return None
        async with self._database.session() as session:
            return await webhooks.find(session, subscription.key)

    async def attempt(self, subscription: Subscription) -> DeliveryTest:
        """Send an event that means nothing, after the handshake where that is due.

        Raises Conflict for what is no webhook, Overloaded while too many are tried.
        """
        endpoint = _endpoint(subscription)
        webhook = await self.known(subscription) or webhooks.Webhook()
        work = WebhookConfig(
            subscription, webhook.agreed_url, webhook.agreed_rate, webhook.keys, self._settings
        )
        if self._turns.locked():
            raise Overloaded("too many webhooks are being tried: try again")
        async with self._turns:
            caller = WebhookSender(
                parse_endpoint_url(endpoint.url, self._policy),
                self._policy,
                self._trust(),
                origin=origin(self._settings),
                timeout=endpoint.timeout,
            )
            try:
                return await self._attempt(work, caller)
            finally:
                await caller.close()

    async def _attempt(self, work: WebhookConfig, caller: WebhookSender) -> DeliveryTest:
        event = make_test_event(work.subscription.key, new_test_number())
        name = webhook_id(event)
        trial = DeliveryTest(False, "", 0.0, event.id, name)
        if not work.agreed:
            answer = await handshake.ask(caller, rate=work.wanted_rate)
            if isinstance(answer, handshake.HandshakeDeclined):
                return replace(trial, detail=answer.reason)
            async with self._database.change(Topic.SUBSCRIPTIONS) as session:
                key, url = work.subscription.key, work.endpoint.url
                if await register.find(session, *key) is not None:
                    await webhooks.set_agreed(session, key, url, answer.rate)
        body = message.body(event, sequence_text(0, 0), rfc3339(datetime.now(UTC)), "public")
        began = time.monotonic()
        outcome = await caller.deliver(name, body, work.sign(), content_type=message.CONTENT_TYPE)
        return replace(
            trial,
            delivered=isinstance(outcome, Delivered),
            detail=outcome.detail,
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

    def _trust(self) -> ssl.SSLContext:
        if self._trusted is None:  # reading the authorities takes its time
            self._trusted = trust(self._settings.webhook_ca_file)
        return self._trusted


def _endpoint(subscription: Subscription) -> Endpoint:
    if subscription.terms.endpoint is None:
        raise Conflict(f"{subscription.name} is delivered by {subscription.delivery}, no webhook")
    return subscription.terms.endpoint
