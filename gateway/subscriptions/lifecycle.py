"""The lifecycle of subscriptions: begin, show, change, pause, seek and end them."""

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import log
from gateway.broker import Broker, Management, NotOnBroker, hash_password, names
from gateway.contracts import Catalogue
from gateway.identity import Client, Credential, Directory, Quota
from gateway.journal import JournalReader
from gateway.subscriptions import register, webhooks
from gateway.subscriptions.backfill_progress import RestartCause
from gateway.subscriptions.permissions import pattern_of_types
from gateway.subscriptions.queues import provide_queue, restart_backfill
from gateway.subscriptions.start_positions import seek_positions, start_positions, start_text
from gateway.subscriptions.subscription_request import SubscriptionRequest
from gateway.subscriptions.values import (
    Delivery,
    Key,
    ShardSequences,
    Subscription,
    SubscriptionState,
    Terms,
)

CLOSING = 5.0  # seconds in which the connections of an ended subscription close


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription to show; password and secret only if this call made them."""

    subscription: Subscription
    start_positions: ShardSequences
    password: str | None
    created: bool
    secret: str | None = None
    webhook: webhooks.Webhook | None = None

    @property
    def queue(self) -> str:
        """The queue to read."""
        return names.queue(*self.subscription.key)

    @property
    def user(self) -> str:
        """The broker user that may read it."""
        return names.user(self.queue)


class JournalDeliveries(Protocol):
    """Deliveries that the gateway makes from the journal; see `gateway.delivery.store.Deliveries`.

    The delivery room is above this one, so its part of a subscription's life is handed in.
    """

    async def begin(self, session: AsyncSession, key: Key, positions: ShardSequences) -> None:
        """Start a new subscription after these positions, in the transaction that makes it."""

    async def count_open(self, key: Key) -> int:
        """How many deliveries are open: waiting, or locked."""

    async def settled_up_to(self, key: Key) -> dict[int, int]:
        """Up to which sequence of each shard everything is settled."""

    async def seek(self, key: Key, positions: ShardSequences) -> None:
        """Let it have what is above these sequences, and drop what is open."""


class WebhookEndpoints(Protocol):
    """Endpoints of webhooks; see `gateway.delivery.webhook.Endpoints`."""

    def check(self, delivery: Delivery, terms: Terms) -> None:
        """Raises Invalid where the terms have no permitted endpoint, or one without a webhook."""

    async def create_signing_key(
        self, session: AsyncSession, subscription: Subscription
    ) -> str | None:
        """The first secret of a new webhook, in the transaction that creates it; else None."""

    async def webhook(self, subscription: Subscription) -> webhooks.Webhook | None:
        """The state of its endpoint; None for other deliveries."""


class SubscriptionLifecycle:
    """Begins, changes and ends subscriptions, together with their queues."""

    def __init__(
        self,
        database: Database,
        reader: JournalReader,
        deliveries: JournalDeliveries,
        broker: Broker,
        management: Management,
        directory: Snapshot[Directory],
        catalogue: Snapshot[Catalogue],
        endpoints: WebhookEndpoints,
    ) -> None:
        self._database = database
        self._reader = reader
        self._deliveries = deliveries
        self._broker = broker
        self._management = management
        self._directory = directory
        self._catalogue = catalogue
        self._endpoints = endpoints

    async def subscribe(
        self, client: Client, request: SubscriptionRequest, by: Credential
    ) -> SubscriptionView:
        """Make a subscription; the same request again changes its terms, or nothing.

        Its password, over AMQP, is valid as long as the credential that has asked for it.

        Raises Forbidden for types that the organisation may not receive, Invalid or Conflict for
        a request that cannot be met, BrokerUnavailable if the queue cannot be made now.
        """
        snapshots = (self._directory.value, self._catalogue.value)
        pattern = pattern_of_types(client.organisation, request.types, *snapshots)
        request.require_deliverable(pattern)
        self._endpoints.check(request.delivery, request.terms)
        existing = await self._find(client.organisation, request.name)
        if existing is not None:
            return await self._change(existing, request)
        queued = request.delivery is Delivery.AMQP
        if queued:
            await self._broker.declare_base()  # fails here, before anything is stored
        password = secrets.token_urlsafe(32) if queued else None
        new = request.subscription(client, pattern, password, by)
        new.accepts  # noqa: B018 - raises Invalid for an invalid filter
        limit = snapshots[0].quota(client.organisation, Quota.SUBSCRIPTIONS)
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            existing = await register.find(session, *new.key)  # the same request at the same time
            if existing is None:
                return await self._add(session, new, password, limit)
        return await self._change(existing, request)

    async def _add(
        self, session: AsyncSession, new: Subscription, password: str | None, limit: int
    ) -> SubscriptionView:
        """Store a new subscription, with its queue or its cursors."""
        secret = None
        positions = await start_positions(session, new, self._reader)
        await register.add(session, new, positions, limit)
        if new.journal_delivered:
            await self._deliveries.begin(session, new.key, positions)
            secret = await self._endpoints.create_signing_key(session, new)
        else:  # before the commit: the relays must not find it without its queue
            await provide_queue(new, self._broker, self._management)
        return SubscriptionView(new, positions, password, True, secret)

    async def unsubscribe(self, organisation: str, name: str) -> int:
        """End a subscription; returns how many events it had not received or settled yet."""
        subscription = await self.existing(organisation, name)
        if subscription.journal_delivered:
            return await self._end_journal_delivered(subscription)
        cursors = await self._reader.relay_cursors()
        queue = names.queue(*subscription.key)
        await self._management.delete_user(names.user(queue))
        await self._management.close_connections(names.user(queue))
        with suppress(NotOnBroker, TimeoutError):
            async with asyncio.timeout(CLOSING):
                while (await self._broker.depth(queue)).consumers:  # noqa: ASYNC110 - no other sign
                    await asyncio.sleep(0.05)
        held = await self._broker.delete_queue(queue)
        drained = held == 0 and subscription.state is SubscriptionState.ACTIVE
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            await register.remove(session, subscription, drained_to=cursors if drained else None)
        return held

    async def _end_journal_delivered(self, subscription: Subscription) -> int:
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            held = await self._deliveries.count_open(subscription.key)
            settled = await self._deliveries.settled_up_to(subscription.key)
            await register.remove(session, subscription, drained_to=settled)
        return held

    async def renew(self, organisation: str, name: str, by: Credential) -> SubscriptionView:
        """Give a subscription a new password; the old one is void, open connections stay.

        It is valid as long as the credential that has asked for it.
        """
        subscription = await self.existing(organisation, name)
        if subscription.journal_delivered:
            raise Conflict(
                f"{name} has no broker user, because its delivery is {subscription.delivery}."
            )
        password = secrets.token_urlsafe(32)
        renewed = replace(subscription, password_hash=hash_password(password), password_by=by)
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            await register.set_password(session, renewed)
            positions = await register.start_positions(session, subscription)
            # Before the commit: the reconciler makes the user under the same lock.
            await provide_queue(renewed, self._broker, self._management)
        return SubscriptionView(renewed, positions, password, False)

    async def pause(self, client: Client, name: str, *, paused: bool) -> SubscriptionView:
        """Stop to hand out events, or go on. Raises Conflict for delivery over AMQP."""
        subscription = await self.existing(client.organisation, name)
        if not subscription.journal_delivered:
            raise Conflict("Over AMQP, pause by not reading the queue.")
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            await register.set_paused(session, subscription, paused=paused)
        event = "subscription.paused" if paused else "subscription.resumed"
        log().info(event, subscription=name, by=client.id)
        return await self.show(client.organisation, name)

    async def seek(self, client: Client, name: str, to: str | datetime) -> SubscriptionView:
        """Go on from the beginning, from now, a time or an event; open deliveries are dropped.

        With the `sequence` of an event, in its shard alone. Raises Conflict for delivery over
        AMQP, because the messages in a queue stay there; Gone for what was removed.
        """
        subscription = await self.existing(client.organisation, name)
        if not subscription.journal_delivered:
            raise Conflict(
                "An AMQP queue cannot seek. Make another subscription with the start you want."
            )
        positions = await seek_positions(to, subscription.types, self._reader)
        await self._deliveries.seek(subscription.key, positions)
        log().info("subscription.cursor_moved", to=str(to), subscription=name, by=client.id)
        return await self.show(client.organisation, name)

    async def show(self, organisation: str, name: str) -> SubscriptionView:
        """A subscription with its start positions and webhook. Raises NotFound."""
        subscription = await self.existing(organisation, name)
        async with self._database.session() as session:
            positions = await register.start_positions(session, subscription)
        webhook = await self._endpoints.webhook(subscription)
        return SubscriptionView(subscription, positions, None, False, webhook=webhook)

    async def existing(self, organisation: str, name: str) -> Subscription:
        """The subscription of this name. Raises NotFound."""
        async with self._database.session() as session:
            return await register.existing(session, organisation, name)

    async def _find(self, organisation: str, name: str) -> Subscription | None:
        async with self._database.session() as session:
            return await register.find(session, organisation, name)

    async def _change(
        self, existing: Subscription, request: SubscriptionRequest
    ) -> SubscriptionView:
        """Change the terms of a subscription. Raises Conflict for any other difference."""
        start = start_text(request.start, existing.point_to_point)
        if (set(existing.types), existing.ordered, existing.start, existing.delivery) != (
            set(request.types),
            request.ordered,
            start,
            request.delivery,
        ):
            raise Conflict(
                f"The subscription {request.name} exists with other types, order, start or "
                "delivery. Delete it first, or choose another name."
            )
        terms = request.terms
        if not existing.journal_delivered and terms.max_age != existing.terms.max_age:
            raise Conflict(
                f"RabbitMQ cannot change the max_age of the queue of {request.name}. Make a second "
                "subscription beside it, or delete this one first."
            )
        if terms != existing.terms:
            replace(existing, terms=terms).accepts  # noqa: B018 - as above
            await self._change_terms(existing, terms)
        return await self.show(existing.organisation, existing.name)

    async def _change_terms(self, existing: Subscription, terms: Terms) -> None:
        """Put other terms in force.

        Other filters change which messages reach a queue, and each relay learns of them at its own
        time. So the subscription catches up with the new ones from where all messages are known to
        be in its queue: nothing is lost between the two, and a few events are repeated.
        """
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            present = await register.find(session, *existing.key) or existing
            await register.set_terms(session, present, terms)
            if not present.journal_delivered and present.terms.filters != terms.filters:
                cause = RestartCause.TERMS_CHANGED
                await restart_backfill(
                    session, present, self._broker, self._management, cause=cause
                )
