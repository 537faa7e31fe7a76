"""`/v1/subscriptions`: create, look at, change and end subscriptions."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Request, Response
from pydantic import BaseModel, Field

from gateway.base.database import Topic
from gateway.base.telemetry import log
from gateway.delivery import ReportResult
from gateway.http.context import Context, credential_of, require_role, took_effect
from gateway.http.models import RequestBody, Resource, Sequence, example
from gateway.http.paging import Page, Paging
from gateway.http.problems import responses
from gateway.http.subscription_models import (
    DeletedSubscription,
    NewSubscription,
    Seek,
    Subscription,
    WebhookSecret,
    WebhookSecretRotation,
)
from gateway.identity import Client, Role, policy
from gateway.journal import Position
from gateway.subscriptions import DEFAULT_TERMS, NAME, Delivery, register
from gateway.subscriptions.lifecycle import SubscriptionView
from gateway.subscriptions.subscription_request import SubscriptionRequest

router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])
Name = Annotated[str, Path(pattern=NAME, examples=["nisn-dan-kk"])]
Subscriber = Annotated[Client, Depends(require_role(Role.SUBSCRIBER))]
SubscriptionReader = Annotated[Client, Depends(require_role(*policy.SUBSCRIPTION_READERS))]


class DeliveryTest(Resource):
    """The result of a test event."""

    delivered: bool = Field(
        description="Whether the endpoint accepted it. Over AMQP: whether it is in the queue. For "
        "pull: the next receive returns it."
    )
    detail: str = Field(description="The status of the answer, or why there was none.")
    seconds: float
    id: str = Field(description="The id of the test event.")
    webhook_id: str | None = Field(description="The header webhook-id, of a webhook.")


class ConsumerReport(RequestBody):
    """Events that the consumer of a queue has settled, by their attribute `sequence`."""

    model_config = example(sequences=["00-0000000000000042"])

    sequences: Annotated[list[Sequence], Field(min_length=1, max_length=1000)]


class ConsumerReportResults(BaseModel):
    """The result for each sequence, in the order of the report."""

    results: list[ReportResult] = Field(
        description="noted, now or before; unknown if this subscription does not get an event at "
        "that position."
    )


class ShardLag(Resource):
    """How far a subscription is behind in one shard, in entries of any type."""

    shard: int
    events: int
    seconds: float


class Lag(BaseModel):
    """How far a subscription is behind."""

    events: int
    seconds: float
    shards: list[ShardLag]


@router.put(
    "/{name}",
    responses={
        **responses(403, 410, body=True, _409="A subscription of this name exists, and differs."),
        200: {"description": "The same subscription exists."},
        201: {"model": Subscription, "description": "The subscription is created."},
    },
)
async def create_subscription(
    name: Name,
    body: NewSubscription,
    client: Subscriber,
    context: Context,
    http: Request,
    response: Response,
) -> Subscription:
    """Create a subscription, or find the same one again. Its AMQP URL is shown once."""
    if body.terms and body.delivery is Delivery.AMQP:
        body.terms.require_amqp()
    request = SubscriptionRequest(
        name,
        tuple(dict.fromkeys(body.types)),
        body.ordered,
        body.start,
        body.delivery,
        body.terms.value() if body.terms else DEFAULT_TERMS,
    )
    view = await context.subscription_lifecycle.subscribe(client, request, credential_of(http))
    if view.created:
        await took_effect(context, Topic.SUBSCRIPTIONS)
        response.status_code = 201
        _log("subscription.created", client, name)
    return Subscription.of(view, context.settings)


@router.get("", responses=responses(403, 422))
async def list_subscriptions(
    client: SubscriptionReader, context: Context, page: Paging
) -> Page[Subscription]:
    """The subscriptions of your organisation. The operator's auditors see all."""
    async with context.database.session() as session:
        found = await register.page(
            session, policy.visible_organisation(client), after=page.pair(), limit=page.limit + 1
        )
    items, following = page.cut(found, lambda each: "/".join(each.key))
    views = [SubscriptionView(each, {}, None, False) for each in items]
    return Page(items=[Subscription.of(each, context.settings) for each in views], next=following)


@router.get("/{name}", responses=responses(403, 404, 422))
async def get_subscription(
    name: Name, client: SubscriptionReader, context: Context
) -> Subscription:
    """One subscription of your organisation."""
    view = await context.subscription_lifecycle.show(client.organisation, name)
    return Subscription.of(view, context.settings)


@router.delete("/{name}", responses=responses(403, 404, 422))
async def delete_subscription(
    name: Name, client: Subscriber, context: Context
) -> DeletedSubscription:
    """End a subscription. What its queue holds is discarded."""
    held = await context.subscription_lifecycle.unsubscribe(client.organisation, name)
    await took_effect(context, Topic.SUBSCRIPTIONS)
    _log("subscription.ended", client, name, discarded=held)
    return DeletedSubscription(discarded_messages=held)


@router.post("/{name}/credentials", responses=responses(403, 404, 409, 422))
async def renew_credentials(
    name: Name, client: Subscriber, context: Context, http: Request
) -> Subscription:
    """Make a new password for the broker user. The old one is void; open connections stay.

    It is valid as long as the client, and the secret by which it got its access token.
    """
    view = await context.subscription_lifecycle.renew(
        client.organisation, name, credential_of(http)
    )
    _log("subscription.renewed", client, name)
    return Subscription.of(view, context.settings)


@router.post("/{name}/pause", responses=responses(403, 404, 409, 422))
async def pause_subscription(name: Name, client: Subscriber, context: Context) -> Subscription:
    """Deliver nothing until `resume`. Further events wait in the journal."""
    view = await context.subscription_lifecycle.pause(client, name, paused=True)
    return Subscription.of(view, context.settings)


@router.post("/{name}/resume", responses=responses(403, 404, 409, 422))
async def resume_subscription(name: Name, client: Subscriber, context: Context) -> Subscription:
    """Deliver again after `pause`."""
    view = await context.subscription_lifecycle.pause(client, name, paused=False)
    return Subscription.of(view, context.settings)


@router.post("/{name}/seek", responses=responses(403, 404, 409, 410, body=True))
async def seek_subscription(
    name: Name, body: Seek, client: Subscriber, context: Context
) -> Subscription:
    """Go on from another position. Deliveries in flight are dropped; dead letters stay."""
    view = await context.subscription_lifecycle.seek(client, name, body.to)
    return Subscription.of(view, context.settings)


@router.post(
    "/{name}/secrets",
    status_code=201,
    tags=["webhooks"],
    responses=responses(403, 404, 409, body=True),
)
async def rotate_webhook_secret(
    name: Name,
    client: Subscriber,
    context: Context,
    body: Annotated[WebhookSecretRotation | None, Body()] = None,
) -> WebhookSecret:
    """Make a new secret. The one before it signs beside it for a while; older ones end at once."""
    subscription = await context.subscription_lifecycle.existing(client.organisation, name)
    overlap = (body or WebhookSecretRotation()).overlap_seconds
    secret = await context.endpoints.rotate_signing_key(subscription, overlap=overlap)
    _log("webhook_key.rotated", client, name)
    return WebhookSecret(secret=secret)


@router.post("/{name}/test", responses=responses(403, 404, 409, 422))
async def send_test_event(name: Name, client: Subscriber, context: Context) -> DeliveryTest:
    """Send a test event of type id.go.nusabus.langganan.diuji.v1 to this subscription alone.

    It is not in the journal. If it is rejected, it makes no dead letter. The reader of a stream
    asks for one instead: GET .../stream?test=true.
    """
    subscription = await context.subscription_lifecycle.existing(client.organisation, name)
    test = await context.delivery_tester.send_test_event(subscription)
    _log("test_event.sent", client, name, delivered=test.delivered)
    return DeliveryTest.model_validate(test)


@router.post("/{name}/acknowledged", responses=responses(403, 404, 409, body=True))
async def report_acknowledged(
    name: Name, body: ConsumerReport, client: Subscriber, context: Context
) -> ConsumerReportResults:
    """Report events that an AMQP consumer has settled, for the ledger. It may be repeated."""
    subscription = await context.subscription_lifecycle.existing(client.organisation, name)
    positions = [_position(sequence) for sequence in body.sequences]
    results = await context.consumer_reports.acknowledge(subscription, positions)
    return ConsumerReportResults(results=results)


@router.get("/{name}/lag", tags=["deliveries"], responses=responses(403, 404, 422))
async def get_lag(name: Name, client: SubscriptionReader, context: Context) -> Lag:
    """How far a subscription is behind. Over AMQP: what has not been seen to leave its queue."""
    subscription = await context.subscription_lifecycle.existing(client.organisation, name)
    found = await context.ledger.lag(subscription)
    shards = [ShardLag.model_validate(each) for each in found]
    return Lag(
        events=sum(each.events for each in shards),
        seconds=max(each.seconds for each in shards),
        shards=shards,
    )


def _position(sequence: str) -> Position:
    shard, _, number = sequence.partition("-")
    return Position(int(shard), int(number))


def _log(event: str, client: Client, name: str, **facts: object) -> None:
    organisation = client.organisation
    log().info(event, organisation=organisation, subscription=name, by=client.id, **facts)
