"""A durable interest of an organisation in events, delivered into its own AMQP queue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

import msgspec

from gateway.base import type_pattern
from gateway.base.event import REQUESTED_BY, Event
from gateway.subscriptions.filters import Filter, compile_filters

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"


class SubscriptionState(StrEnum):
    """Where a subscription stands.

    While it is catching up, the journal is sent into its queue alone; once every shard has
    arrived at the present, its queue is bound to the types and the exchange takes over. Where the
    queue becomes too deep it goes the other way: while it is diverting it is still bound, and every
    shard adds its private key too, so that the bindings can go.
    """

    CATCHING_UP = "catching-up"
    ACTIVE = "active"
    DIVERTING = "diverting"
    SUSPENDED = "suspended"


class Delivery(StrEnum):
    """How events reach the subscriber. All but AMQP are served by the gateway, from the journal."""

    AMQP = "amqp"
    PULL = "pull"
    STREAM = "stream"
    WEBHOOK = "webhook"


class Signature(StrEnum):
    """By what an endpoint tells that a delivery is ours (Standard Webhooks 1.0)."""

    HMAC = "hmac"  # a common secret, `v1`
    ED25519 = "ed25519"  # our private and their public key, `v1a`


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a webhook delivers to, and how hard it may push.

    At most `concurrency` deliveries are under way, and each has `timeout` seconds.
    """

    url: str
    signature: Signature = Signature.HMAC
    concurrency: int = 8
    timeout: float = 15.0


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a subscriber may choose about deliveries.

    `filters` are CloudEvents subscription filters, of which all must hold. What is older than
    `max_age` seconds is not handed out any more but becomes a dead letter; None is never. The
    others are for deliveries that the gateway serves itself: `attempts` are made before a delivery
    becomes a dead letter; `lock_seconds` is how long a receiver has for one; `in_flight` bounds
    what is open at once; at most `rate` are handed out in a second, any number where it is None;
    `endpoint` is for webhooks alone.
    """

    attempts: int = 10
    lock_seconds: float = 60.0
    in_flight: int = 10_000
    filters: tuple[Filter, ...] = ()
    endpoint: Endpoint | None = None
    rate: float | None = None
    max_age: float | None = None

    def too_old(self, recorded: datetime) -> bool:
        """Whether `max_age` has passed since an event was recorded."""
        if self.max_age is None:
            return False
        return recorded < datetime.now(UTC) - timedelta(seconds=self.max_age)


DEFAULT_TERMS = Terms()


Key = tuple[str, str]  # organisation and name


@dataclass(frozen=True)
class Subscription:
    """`types` are event types or patterns of them, or types of replies: a callback.

    `generation` counts how often it caught up.
    """

    organisation: str
    name: str
    types: tuple[str, ...]
    point_to_point: bool
    ordered: bool
    start: str
    state: SubscriptionState
    generation: int
    password_hash: str = field(repr=False)
    created: datetime
    created_by: str
    repairs: int = 0
    delivery: Delivery = Delivery.AMQP
    terms: Terms = DEFAULT_TERMS
    paused: bool = False
    is_responder: bool = False
    """Whether it receives requests, to answer them; it is point-to-point then."""
    pause_reason: str | None = None
    diverted: datetime | None = None
    """Since when it catches up because its queue was too deep to get more."""

    @property
    def journal_delivered(self) -> bool:
        """Whether the gateway delivers to it from the journal, without a queue."""
        return self.delivery is not Delivery.AMQP

    @property
    def bound(self) -> bool:
        """Whether the exchange is to serve it, where no filter forbids that."""
        return not self.journal_delivered and self.state in (
            SubscriptionState.ACTIVE,
            SubscriptionState.DIVERTING,
        )

    @property
    def is_callback(self) -> bool:
        """Whether it receives replies: those to its own organisation's requests, and no others."""
        return any(type_pattern.is_reply(each) for each in self.types)

    @property
    def filters(self) -> tuple[Filter, ...]:
        """What must hold of an event beside its type."""
        own: Filter = {"exact": {REQUESTED_BY: self.organisation}}
        return (*self.terms.filters, own) if self.is_callback else self.terms.filters

    @property
    def key(self) -> Key:
        """What names it on the whole bus."""
        return self.organisation, self.name

    @property
    def filtered(self) -> bool:
        """Whether it has a queue but is to get only what it `accepts` of its types.

        No binding can tell that. So its queue is bound to its private key alone, and the relay
        adds that key to each event that it is to get, for as long as it lives.
        """
        return not self.journal_delivered and bool(self.filters)

    def wants(self, type: str) -> bool:
        """Whether events of this type are to reach it."""
        return any(type_pattern.matches(pattern, type) for pattern in self.types)

    @cached_property
    def accepts(self) -> Callable[[Event], bool]:
        """Whether an event passes its filters; the types are another matter."""
        return compile_filters(self.filters)

    @property
    def type_expression(self) -> str:
        """A POSIX regular expression that all its types match, and no others."""
        return type_pattern.expression(self.types)


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far a subscription has caught up in one shard.

    Everything up to `position` went into its queue; `joined` says that the lead of the shard adds
    the queue to whatever it sends after that.
    """

    position: int
    joined: bool


@dataclass(frozen=True, slots=True)
class SubscriptionCursors:
    """How a subscription stands in a shard: where it began, how far it has caught up, what is sure
    to have reached its queue, and what of that is sure to have left it."""

    start: int
    position: int
    joined: bool
    routed: int
    drained: int


ShardSequences = Mapping[int, int]  # a sequence for each shard
