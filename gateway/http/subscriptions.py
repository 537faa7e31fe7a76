"""`/v1/subscriptions`: who receives what, and how."""

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from fastapi import APIRouter, Depends, Path, Response
from pydantic import AwareDatetime, BaseModel, Field

from gateway.base.errors import Invalid
from gateway.base.settings import Settings
from gateway.base.telemetry import log
from gateway.http.context import Context, require_role
from gateway.http.endpoints import EndpointBody, WebhookBody
from gateway.http.models import RequestBody, Sequence
from gateway.http.paging import Page, Paging
from gateway.identity import Client, Role, policy
from gateway.subscriptions import (
    DEFAULT_TERMS,
    NAME,
    Delivery,
    Subscription,
    SubscriptionState,
    Terms,
    register,
)
from gateway.subscriptions.lifecycle import SubscriptionView
from gateway.subscriptions.subscription_request import SubscriptionRequest

router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])
Name = Annotated[str, Path(pattern=NAME, examples=["nisn-dan-kk"])]
Subscriber = Annotated[Client, Depends(require_role(Role.SUBSCRIBER))]
Viewer = Annotated[Client, Depends(require_role(*policy.SUBSCRIPTION_READERS))]
Type = Annotated[str, Field(min_length=1, max_length=255)]


class AmqpTerms(RequestBody):
    """What an AMQP subscriber may choose."""

    filters: list[dict[str, Any]] = Field(
        default_factory=list,
        max_length=20,
        description="CloudEvents subscription filters, of which all must hold",
        examples=[[{"prefix": {"subject": "31"}}]],
    )
    max_age: float | None = Field(
        None,
        ge=1,
        le=366 * 86_400,
        description="seconds after which an event is not handed out any more but becomes a dead "
        "letter; not for streams, which have none. Over AMQP at most 49 days, and for good",
    )


class TermsBody(AmqpTerms):
    """What a subscriber may choose. Over AMQP that is little; the gateway serves the rest."""

    attempts: int = Field(10, ge=1, le=100, description="attempts until a dead letter")
    lock_seconds: float = Field(60, ge=1, le=43_200, description="time to work on one event")
    in_flight: int = Field(10_000, ge=1, le=100_000, description="open deliveries at most")
    endpoint: EndpointBody | None = Field(None, description="for webhooks, and for them alone")
    rate: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="events a second at most, over all receivers of a pull subscription and for "
        "each reader of a stream; by default any number, and 100 calls of a webhook",
    )

    def require_amqp(self) -> None:
        """Raises Invalid where something is chosen that a reader of a queue decides itself."""
        for name in sorted(self.model_fields_set - AmqpTerms.model_fields.keys()):
            raise Invalid(
                f"{name} is for deliveries that the gateway serves (pull, stream, webhook): terms "
                f"of delivery over AMQP are {', '.join(AmqpTerms.model_fields)}",
                pointer=f"/terms/{name}",
            )

    def value(self) -> Terms:
        """As the noun knows it."""
        return Terms(
            self.attempts,
            self.lock_seconds,
            self.in_flight,
            tuple(self.filters),
            self.endpoint.value() if self.endpoint else None,
            self.rate,
            self.max_age,
        )


class NewSubscription(RequestBody):
    """What to receive."""

    types: Annotated[
        list[Type],
        Field(
            min_length=1,
            max_length=100,
            description="event types and patterns of them; or types of replies, each that of a "
            "request and `.reply`: the replies to what one's own organisation asks",
            examples=[["id.go.kemendagri.kk.diupdate.v1"]],
        ),
    ]
    ordered: bool = Field(
        False, description="one consumer at a time, so that order per key holds to the end"
    )
    start: Literal["now", "beginning", "waiting"] | AwareDatetime | None = Field(
        None,
        description="from when on; by default now, and for point-to-point types waiting: from the "
        "first event that nobody has worked off",
    )
    delivery: Delivery = Field(
        Delivery.AMQP,
        description="amqp: a queue of one's own; pull: POST .../receive; stream: GET .../stream; "
        "webhook: POST to the endpoint in the terms",
    )
    terms: TermsBody | None = Field(
        None,
        description="over AMQP: filters, for publish-subscribe types, and max_age; every other "
        "way: all of them",
    )


class SubscriptionBody(BaseModel):
    """A subscription. `starts` says for each shard after which sequence it begins."""

    organisation: str
    name: str
    types: list[str]
    ordered: bool
    start: str
    starts: dict[int, int] | None = None
    state: SubscriptionState
    repairs: int = Field(description="how often it had to catch up after something was missing")
    diverted: datetime | None = Field(
        None,
        description="since when its queue has been too deep, so that what follows waits in the "
        "journal until the reader has made room",
    )
    delivery: Delivery
    paused: bool
    paused_because: str | None = Field(None, description="where it was not asked for")
    terms: TermsBody | AmqpTerms | None = None
    webhook: WebhookBody | None = None
    secret: str | None = Field(
        None,
        description="of a webhook: whsec_..., in the answer that made it and never again; or the "
        "public key whpk_...",
    )
    queue: str | None = Field(None, description="for delivery over AMQP")
    amqp_url: str | None = Field(
        None, description="with the password, in the answer that made it and never again"
    )
    created: datetime


class Ended(BaseModel):
    """What a subscription left."""

    held: int = Field(description="messages that its queue still held; they are gone with it")


@router.put("/{name}", status_code=200, responses={201: {"model": SubscriptionBody}})
async def create_subscription(
    name: Name, body: NewSubscription, by: Subscriber, context: Context, response: Response
) -> SubscriptionBody:
    """Make a subscription, or find the same one again. Its AMQP URL is shown once."""
    if body.terms and body.delivery is Delivery.AMQP:
        body.terms.require_amqp()
    wish = SubscriptionRequest(
        name,
        tuple(dict.fromkeys(body.types)),
        body.ordered,
        body.start,
        body.delivery,
        body.terms.value() if body.terms else DEFAULT_TERMS,
    )
    granted = await context.subscription_lifecycle.subscribe(by, wish)
    if granted.created:
        response.status_code = 201
        log().info(
            "subscription.created", organisation=by.organisation, subscription=name, by=by.id
        )
    return _body(granted, context.settings)


@router.get("")
async def list_subscriptions(by: Viewer, context: Context, page: Paging) -> Page[SubscriptionBody]:
    """The subscriptions of the caller's organisation; the operator's auditors see all."""
    async with context.database.session() as session:
        found = await register.page(
            session, policy.visible_organisation(by), after=page.after, limit=page.limit + 1
        )
    items, following = page.cut(found, lambda s: "/".join(s.key))
    return Page(
        items=[_body(SubscriptionView(s, {}, None, False), context.settings) for s in items],
        next=following,
    )


@router.get("/{name}")
async def get_subscription(name: Name, by: Viewer, context: Context) -> SubscriptionBody:
    """One subscription of the caller's organisation."""
    return _body(await context.subscription_lifecycle.show(by.organisation, name), context.settings)


@router.post("/{name}/credentials")
async def renew_credentials(name: Name, by: Subscriber, context: Context) -> SubscriptionBody:
    """A new password for its broker user; the old one is void, open connections stay."""
    granted = await context.subscription_lifecycle.renew(by.organisation, name)
    log().info("subscription.renewed", organisation=by.organisation, subscription=name, by=by.id)
    return _body(granted, context.settings)


@router.post("/{name}/pause")
async def pause_subscription(name: Name, by: Subscriber, context: Context) -> SubscriptionBody:
    """Hand out nothing more until `resume`; what comes meanwhile waits in the journal."""
    return _body(
        await context.subscription_lifecycle.pause(by, name, paused=True), context.settings
    )


class Seek(RequestBody):
    """From where to go on."""

    to: Literal["now", "beginning"] | AwareDatetime | Sequence  # of an event: in its shard alone


@router.post("/{name}/seek")
async def seek_subscription(
    name: Name, body: Seek, by: Subscriber, context: Context
) -> SubscriptionBody:
    """Go on from another place of the journal; what is open is dropped, what was dead stays."""
    return _body(await context.subscription_lifecycle.seek(by, name, body.to), context.settings)


@router.post("/{name}/resume")
async def resume_subscription(name: Name, by: Subscriber, context: Context) -> SubscriptionBody:
    """Go on after `pause`."""
    return _body(
        await context.subscription_lifecycle.pause(by, name, paused=False), context.settings
    )


@router.delete("/{name}")
async def delete_subscription(name: Name, by: Subscriber, context: Context) -> Ended:
    """End a subscription. Says how many messages its queue still held."""
    held = await context.subscription_lifecycle.unsubscribe(by.organisation, name)
    log().info(
        "subscription.ended", organisation=by.organisation, subscription=name, by=by.id, held=held
    )
    return Ended(held=held)


def _body(granted: SubscriptionView, settings: Settings) -> SubscriptionBody:
    subscription: Subscription = granted.subscription
    return SubscriptionBody(
        organisation=subscription.organisation,
        name=subscription.name,
        types=list(subscription.types),
        ordered=subscription.ordered,
        start=subscription.start,
        starts=dict(granted.start_positions) or None,
        state=subscription.state,
        repairs=subscription.repairs,
        diverted=subscription.diverted,
        delivery=subscription.delivery,
        paused=subscription.paused,
        paused_because=subscription.pause_reason,
        terms=_terms(subscription),
        queue=None if subscription.journal_delivered else granted.queue,
        webhook=_webhook(granted),
        secret=granted.secret,
        amqp_url=_amqp_url(granted, settings),
        created=subscription.created,
    )


def _terms(subscription: Subscription) -> TermsBody | AmqpTerms:
    chosen = msgspec.to_builtins(subscription.terms)
    if subscription.journal_delivered:
        return TermsBody(**chosen)
    return AmqpTerms(**{n: chosen[n] for n in AmqpTerms.model_fields.keys() & chosen.keys()})


def _webhook(granted: SubscriptionView) -> WebhookBody | None:
    endpoint = granted.subscription.terms.endpoint
    if granted.webhook is None or endpoint is None:
        return None
    return WebhookBody.of(granted.webhook, endpoint.url)


def _amqp_url(granted: SubscriptionView, settings: Settings) -> str | None:
    """Where and as whom to read the queue (RabbitMQ URI specification)."""
    if granted.password is None:
        return None
    ours = urlsplit(settings.amqp_url.get_secret_value())
    public = urlsplit(settings.subscriber_amqp_url or "")
    host = public.netloc.rpartition("@")[2] or ours.netloc.rpartition("@")[2]
    login = f"{quote(granted.user, safe='')}:{quote(granted.password, safe='')}"
    return urlunsplit((public.scheme or ours.scheme, f"{login}@{host}", ours.path, "", ""))
