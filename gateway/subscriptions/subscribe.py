"""Begin and end subscriptions over AMQP."""

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict, Invalid, NotFound
from gateway.base.snapshot import Snapshot
from gateway.base.telemetry import log
from gateway.broker import LONGEST_AGE, Broker, Management, NotOnBroker, hash_password, names
from gateway.contracts import Catalogue, Pattern
from gateway.identity import Client, Directory
from gateway.journal import JournalReader
from gateway.subscriptions import (
    DEFAULT_TERMS,
    Delivery,
    Key,
    ShardSequences,
    Subscription,
    SubscriptionState,
    Terms,
    backfill_progress,
    register,
    webhooks,
)
from gateway.subscriptions.permissions import pattern_of_types
from gateway.subscriptions.queues import begin_again, provide
from gateway.subscriptions.start_positions import places_of, places_sought, start_text, worked_off

LET_GO = 5.0  # seconds in which the connections of an ended subscription close


@dataclass(frozen=True, slots=True)
class SubscriptionRequest:
    """What somebody wants to receive. `start` is now, beginning, waiting or a time.

    `waiting` is for point-to-point types: from the first event that nobody has worked off.
    """

    name: str
    types: tuple[str, ...]
    ordered: bool
    start: str | datetime | None
    delivery: Delivery = Delivery.AMQP
    terms: Terms = DEFAULT_TERMS


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription as it stands; password and secret only when made for this answer."""

    subscription: Subscription
    starts: ShardSequences
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

    Delivery is built on subscriptions; so what a subscription needs of it is handed in.
    """

    async def begin(self, session: AsyncSession, key: Key, starts: ShardSequences) -> None:
        """Let a new subscription have what is above `starts`, in the transaction that makes it."""

    async def count_open(self, key: Key) -> int:
        """How many deliveries are open: waiting, or locked."""

    async def settled_up_to(self, key: Key) -> dict[int, int]:
        """Per shard, up to where everything is settled."""

    async def seek(self, key: Key, places: ShardSequences) -> None:
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


class Subscribing:
    """The rules by which subscriptions begin and end."""

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

    async def subscribe(self, client: Client, wish: SubscriptionRequest) -> SubscriptionView:
        """Make a subscription, or find the same one again.

        Raises Forbidden for types that the organisation may not receive, Invalid or Conflict for
        what cannot be, BrokerUnavailable when the queue cannot be made now.
        """
        snapshots = (self._directory.value, self._catalogue.value)
        pattern = pattern_of_types(client.organisation, wish.types, *snapshots)
        _require_deliverable(wish, pattern)
        self._endpoints.check(wish.delivery, wish.terms)
        existing = await self._find(client.organisation, wish.name)
        if existing is not None:
            return await self._same(existing, wish)
        served = wish.delivery is not Delivery.AMQP
        if not served:
            await self._broker.declare_base()  # fails here, before anything is stored
        password = None if served else secrets.token_urlsafe(32)
        secret = None
        new = _subscription(client, wish, pattern, password)
        new.accepts  # noqa: B018 - raises Invalid where a filter is none
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            starts = await places_of(new.start, self._reader)
            if starts is None:
                starts = await worked_off(session, new, self._reader)
            await register.add(session, new, starts)
            if served:
                await self._deliveries.begin(session, new.key, starts)
                secret = await self._endpoints.create_signing_key(session, new)
            else:  # before the commit: the relays must not find it without its queue
                await provide(new, self._broker, self._management)
        return SubscriptionView(new, starts, password, True, secret)

    async def unsubscribe(self, organisation: str, name: str) -> int:
        """End a subscription; returns how many messages its queue still held."""
        subscription = await self.existing(organisation, name)
        if subscription.journal_delivered:
            return await self._end_served(subscription)
        cursors = await self._reader.relay_cursors()
        queue = names.queue(*subscription.key)
        await self._management.delete_user(names.user(queue))
        await self._management.close_connections(names.user(queue))
        with suppress(NotOnBroker, TimeoutError):
            async with asyncio.timeout(LET_GO):
                while (await self._broker.depth(queue)).consumers:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.05)
        held = await self._broker.delete_queue(queue)
        worked_off = held == 0 and subscription.state is SubscriptionState.ACTIVE
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            await register.remove(session, subscription, drained_to=cursors if worked_off else None)
        return held

    async def _end_served(self, subscription: Subscription) -> int:
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            held = await self._deliveries.count_open(subscription.key)
            settled = await self._deliveries.settled_up_to(subscription.key)
            await register.remove(session, subscription, drained_to=settled)
        return held

    async def renew(self, organisation: str, name: str) -> SubscriptionView:
        """Give a subscription a new password; the old one is void, open connections stay."""
        subscription = await self.existing(organisation, name)
        if subscription.journal_delivered:
            raise Conflict(f"{name} has no broker user: it is delivered by {subscription.delivery}")
        password = secrets.token_urlsafe(32)
        renewed = replace(subscription, password_hash=hash_password(password))
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            await register.set_password_hash(session, subscription, renewed.password_hash)
            starts = await register.starts(session, subscription)
            # Before the commit: whoever repairs the queue makes its user under the same lock.
            await provide(renewed, self._broker, self._management)
        return SubscriptionView(renewed, starts, password, False)

    async def pause(self, client: Client, name: str, *, paused: bool) -> SubscriptionView:
        """Hand out nothing more, or go on. Raises Conflict for delivery over AMQP."""
        subscription = await self.existing(client.organisation, name)
        if not subscription.journal_delivered:
            raise Conflict("an AMQP subscriber pauses by not reading its queue")
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            await register.set_paused(session, subscription, paused=paused)
        log().info("subscription.paused", on=paused, subscription=name, by=client.id)
        return await self.show(client.organisation, name)

    async def seek(self, client: Client, name: str, to: str | datetime) -> SubscriptionView:
        """Go on from the beginning, from now, a time or an event: what is open is dropped.

        With the `sequence` of an event, in its shard alone. Raises Conflict for delivery over
        AMQP, whose queue holds what it holds.
        """
        subscription = await self.existing(client.organisation, name)
        if not subscription.journal_delivered:
            raise Conflict("what is in an AMQP queue stays there: make a subscription that begins")
        places = await places_sought(to, self._reader)
        await self._deliveries.seek(subscription.key, places)
        log().info("subscription.sought", to=str(to), subscription=name, by=client.id)
        return await self.show(client.organisation, name)

    async def show(self, organisation: str, name: str) -> SubscriptionView:
        """A subscription as it stands."""
        subscription = await self.existing(organisation, name)
        async with self._database.session() as session:
            starts = await register.starts(session, subscription)
        webhook = await self._endpoints.webhook(subscription)
        return SubscriptionView(subscription, starts, None, False, webhook=webhook)

    async def _same(self, existing: Subscription, wish: SubscriptionRequest) -> SubscriptionView:
        start = start_text(wish.start, existing.point_to_point)
        if (set(existing.types), existing.ordered, existing.start, existing.delivery) != (
            set(wish.types),
            wish.ordered,
            start,
            wish.delivery,
        ):
            raise Conflict(
                f"a subscription {wish.name} exists with other types, order, start or delivery: "
                "delete it first, or choose another name"
            )
        if not existing.journal_delivered and wish.terms.max_age != existing.terms.max_age:
            raise Conflict(
                f"the queue of {wish.name} was made for another max_age, which RabbitMQ cannot "
                "change: make a second subscription beside it, or delete this one first"
            )
        if wish.terms != existing.terms:
            replace(existing, terms=wish.terms).accepts  # noqa: B018 - as above
            await self._change_terms(existing, wish.terms)
        return await self.show(existing.organisation, existing.name)

    async def _change_terms(self, existing: Subscription, terms: Terms) -> None:
        """Put other terms in force.

        Other filters change which keys reach a queue, and each relay learns of them in its own
        moment. So the subscription catches up by the new ones from where all was surely in its
        queue: nothing falls between the two, and a little comes twice.
        """
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            present = await register.find(session, *existing.key) or existing
            await register.set_terms(session, present, terms)
            if not present.journal_delivered and present.terms.filters != terms.filters:
                changed = backfill_progress.Cause.CHANGED
                await begin_again(session, present, self._broker, self._management, cause=changed)

    async def _find(self, organisation: str, name: str) -> Subscription | None:
        async with self._database.session() as session:
            return await register.find(session, organisation, name)

    async def existing(self, organisation: str, name: str) -> Subscription:
        """The subscription of this name. Raises NotFound."""
        found = await self._find(organisation, name)
        if found is None:
            raise NotFound(f"there is no subscription {name}")
        return found


def _require_deliverable(wish: SubscriptionRequest, pattern: Pattern) -> None:
    if wish.terms.filters and pattern is not Pattern.PUBLISH_SUBSCRIBE:
        raise Invalid(
            f"{pattern} events have one receiver, so what a filter leaves out would reach "
            "nobody: filters are for publish-subscribe types",
            pointer="/terms/filters",
        )
    if wish.terms.max_age is not None and wish.delivery is Delivery.STREAM:
        raise Invalid(
            "a stream has no dead letters in which what is too old could stand: leave max_age "
            "out, or choose pull, webhook or amqp",
            pointer="/terms/max_age",
        )
    if wish.delivery is Delivery.AMQP and (wish.terms.max_age or 0) > LONGEST_AGE:
        raise Invalid(
            f"over AMQP max_age may be {LONGEST_AGE} seconds at most: leave it out, or choose "
            "pull or webhook",
            pointer="/terms/max_age",
        )


def _subscription(
    client: Client, wish: SubscriptionRequest, pattern: Pattern, password: str | None
) -> Subscription:
    point_to_point = pattern is not Pattern.PUBLISH_SUBSCRIBE
    return Subscription(
        client.organisation,
        wish.name,
        wish.types,
        point_to_point,
        wish.ordered,
        start_text(wish.start, point_to_point),
        SubscriptionState.CATCHING_UP
        if wish.delivery is Delivery.AMQP
        else SubscriptionState.ACTIVE,
        1,
        hash_password(password) if password else "",
        datetime.now(UTC),
        client.id,
        delivery=wish.delivery,
        terms=wish.terms,
        is_responder=pattern is Pattern.REQUEST_REPLY,
    )
