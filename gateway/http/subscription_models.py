"""The models of `/v1/subscriptions`."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from gateway import subscriptions
from gateway.base.errors import Invalid
from gateway.base.settings import Settings
from gateway.broker import subscriber_url
from gateway.http.models import Moment, RequestBody, Sequence, example
from gateway.subscriptions import Delivery, Signature, SubscriptionState
from gateway.subscriptions.lifecycle import SubscriptionView

DAY = 86_400.0
_ENDPOINT = {"url": "https://layanan.example.go.id/nusabus"}
EventFilter = TypeAliasType("EventFilter", dict[str, Any])
StartPositions = TypeAliasType("StartPositions", dict[int, int])
SubscriptionStart = TypeAliasType("SubscriptionStart", Literal["now", "beginning", "waiting"])
SeekTarget = TypeAliasType("SeekTarget", Literal["now", "beginning"])
Type = Annotated[str, Field(min_length=1, max_length=255)]


class Endpoint(RequestBody):
    """The URL that a webhook calls, and how."""

    url: str = Field(
        max_length=2000,
        description="https://. It must accept the validation handshake of CloudEvents webhooks.",
        examples=[_ENDPOINT["url"]],
    )
    signature: Signature = Field(
        default=Signature.HMAC,
        description="Signature of the next secret: v1 (hmac) or v1a (ed25519), Standard Webhooks.",
    )
    concurrency: int = Field(default=8, ge=1, le=64, description="Maximum calls in progress.")
    timeout: float = Field(default=15, ge=1, le=60, description="Seconds for one call.")


class AmqpTerms(RequestBody):
    """The terms that a subscriber over AMQP chooses."""

    filters: list[EventFilter] = Field(
        default_factory=list,
        max_length=20,
        description="Filters of CloudEvents Subscriptions. An event must match all of them.",
        examples=[[{"prefix": {"subject": "31"}}]],
    )
    max_age: float | None = Field(
        default=None,
        ge=1,
        le=366 * 86_400,
        description="Seconds after which an undelivered event becomes a dead letter. Not for "
        "streams, which have none. Over AMQP at most 49 days, and it cannot be changed.",
    )


class SubscriptionTerms(AmqpTerms):
    """The terms that a subscriber chooses. Over AMQP only those of AmqpTerms apply."""

    attempts: int = Field(
        default=10, ge=1, le=100, description="Attempts until an event becomes a dead letter."
    )
    lock_seconds: float = Field(
        default=60, ge=1, le=43_200, description="Seconds to work on one event."
    )
    in_flight: int = Field(
        default=10_000, ge=1, le=100_000, description="Maximum deliveries in flight."
    )
    endpoint: Endpoint | None = Field(default=None, description="For webhooks only.")
    rate: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        description="Maximum events per second: of a pull subscription in total, of a stream for "
        "each reader. The default is no limit, and 100 calls a second for a webhook.",
    )

    def require_amqp(self) -> None:
        """Raises Invalid for a term that the reader of a queue controls itself."""
        for name in sorted(self.model_fields_set - AmqpTerms.model_fields.keys()):
            raise Invalid(
                f"`{name}` is not for delivery over AMQP. Use {', '.join(AmqpTerms.model_fields)}.",
                pointer=f"/terms/{name}",
            )

    def value(self) -> subscriptions.Terms:
        """The terms as a value."""
        endpoint = self.endpoint
        return subscriptions.Terms(
            self.attempts,
            self.lock_seconds,
            self.in_flight,
            tuple(self.filters),
            subscriptions.Endpoint(**endpoint.model_dump()) if endpoint else None,
            self.rate,
            self.max_age,
        )


class NewSubscription(RequestBody):
    """A subscription to create."""

    model_config = example(
        types=["id.go.kemendagri.kk.diupdate.v1"],
        delivery="pull",
        start="now",
        terms={"attempts": 5, "lock_seconds": 60},
    )

    types: Annotated[
        list[Type],
        Field(
            min_length=1,
            max_length=100,
            description="Event types and patterns of them. Or types of replies, each the type of a "
            "request with `.reply`: the replies to the requests of your organisation.",
            examples=[["id.go.kemendagri.kk.diupdate.v1"]],
        ),
    ]
    ordered: bool = Field(
        default=False, description="One consumer at a time, so that events with a key keep order."
    )
    start: SubscriptionStart | Moment | None = Field(
        default=None,
        description="Where to begin. The default is now. For point-to-point types it is waiting: "
        "the first event that no subscription has settled.",
    )
    delivery: Delivery = Field(
        default=Delivery.AMQP,
        description="amqp: a queue of your own; pull: POST .../receive; stream: GET .../stream; "
        "webhook: POST to the endpoint in the terms.",
    )
    terms: SubscriptionTerms | None = Field(
        default=None, description="Over AMQP: filters (for publish-subscribe types) and max_age."
    )


class WebhookStatus(BaseModel):
    """What is known of the endpoint of a webhook."""

    agreed: bool = Field(description="Whether the present URL has accepted the handshake.")
    allowed_rate: float | None = Field(description="Calls a second that the endpoint allows.")
    last_error: str | None = Field(description="Why nothing is delivered now.")
    public_keys: list[str] = Field(description="whpk_...: the keys that verify v1a signatures.")


class Subscription(BaseModel):
    """A durable interest of an organisation in events."""

    organisation: str
    name: str
    types: list[str]
    ordered: bool
    start: str
    start_positions: StartPositions | None = Field(
        description="For each shard, the sequence after which the subscription begins."
    )
    state: SubscriptionState
    repair_count: int = Field(
        description="How often it had to catch up because its queue or a message was lost."
    )
    diverted_since: datetime | None = Field(
        description="Since when its queue is too deep. Further events wait in the journal until "
        "the reader has made room."
    )
    unavailable_since: datetime | None = Field(
        description="Since when its queue is unavailable, because nodes of the broker are lost. "
        "Further events wait in the journal."
    )
    delivery: Delivery
    paused: bool
    pause_reason: str | None = Field(description="Set if the gateway paused it.")
    terms: SubscriptionTerms | AmqpTerms
    queue: str | None = Field(description="For delivery over AMQP.")
    webhook: WebhookStatus | None = Field(description="For delivery by webhook.")
    secret: str | None = Field(
        description="For a webhook: whsec_..., shown once, when it is created; or the public key "
        "whpk_..."
    )
    amqp_url: str | None = Field(description="With the password. Shown once, when it is made.")
    created: datetime

    @classmethod
    def of(cls, view: SubscriptionView, settings: Settings) -> "Subscription":
        """The model of a subscription."""
        subscription = view.subscription
        return cls(
            organisation=subscription.organisation,
            name=subscription.name,
            types=list(subscription.types),
            ordered=subscription.ordered,
            start=subscription.start,
            start_positions=dict(view.start_positions) or None,
            state=subscription.state,
            repair_count=subscription.repairs,
            diverted_since=subscription.diverted,
            unavailable_since=subscription.unavailable,
            delivery=subscription.delivery,
            paused=subscription.paused,
            pause_reason=subscription.pause_reason,
            terms=_terms(subscription),
            queue=None if subscription.journal_delivered else view.queue,
            webhook=_webhook(view),
            secret=view.secret,
            amqp_url=_amqp_url(view, settings),
            created=subscription.created,
        )


class DeletedSubscription(BaseModel):
    """A subscription that has ended."""

    discarded_messages: int = Field(description="Messages that its queue held.")


class Seek(RequestBody):
    """Where a subscription goes on."""

    model_config = example(to="beginning")

    to: SeekTarget | Moment | Sequence = Field(
        description="The `sequence` of an event seeks in the shard of that event only."
    )


class WebhookSecretRotation(RequestBody):
    """How to rotate the secret of a webhook."""

    model_config = example(overlap_seconds=DAY)

    overlap_seconds: float = Field(
        default=DAY, ge=0, le=30 * DAY, description="How long the present secret signs as well."
    )


class WebhookSecret(BaseModel):
    """What verifies signatures from now on."""

    secret: str = Field(description="whsec_..., shown once; or the public key whpk_...")


def _terms(subscription: subscriptions.Subscription) -> SubscriptionTerms | AmqpTerms:
    chosen = msgspec.to_builtins(subscription.terms)
    if subscription.journal_delivered:
        return SubscriptionTerms(**chosen)
    return AmqpTerms(**{n: chosen[n] for n in AmqpTerms.model_fields.keys() & chosen.keys()})


def _webhook(view: SubscriptionView) -> WebhookStatus | None:
    webhook, endpoint = view.webhook, view.subscription.terms.endpoint
    if webhook is None or endpoint is None:
        return None
    return WebhookStatus(
        agreed=webhook.agreed_url == endpoint.url,
        allowed_rate=webhook.agreed_rate,
        last_error=webhook.last_error,
        public_keys=[key.public for key in webhook.keys if key.public],
    )


def _amqp_url(view: SubscriptionView, settings: Settings) -> str | None:
    """The URL to read the queue with (RabbitMQ URI specification)."""
    if view.password is None:
        return None
    ours = settings.amqp_url.get_secret_value()
    return subscriber_url(ours, settings.subscriber_amqp_url, view.user, view.password)
