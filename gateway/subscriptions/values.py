"""Subscriptions as values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

import msgspec

from gateway.base import type_pattern
from gateway.base.event import REQUESTED_BY
from gateway.identity import NOBODY, Credential
from gateway.journal import Entry
from gateway.subscriptions.filters import Filter, compile_filters

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"


class SubscriptionState(StrEnum):
    """The state of a subscription.

    While it catches up, a backfill sends it the journal by its private key. Once every shard has
    reached the present, its queue is bound to its types and the exchange takes over. If the queue
    becomes too deep it goes the other way: while it is diverting it is still bound, and every shard
    adds its private key too, so that the bindings can go.
    """

    CATCHING_UP = "catching-up"
    ACTIVE = "active"
    DIVERTING = "diverting"
    SUSPENDED = "suspended"


class Delivery(StrEnum):
    """How events reach the subscriber. All but AMQP are delivered from the journal."""

    AMQP = "amqp"
    PULL = "pull"
    STREAM = "stream"
    WEBHOOK = "webhook"


class Signature(StrEnum):
    """How an endpoint verifies that a call is ours (Standard Webhooks 1.0)."""

    HMAC = "hmac"  # a common secret, `v1`
    ED25519 = "ed25519"  # our private and their public key, `v1a`


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """The endpoint of a webhook: at most `concurrency` calls at once, each of `timeout` seconds."""

    url: str
    signature: Signature = Signature.HMAC
    concurrency: int = 8
    timeout: float = 15.0


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a subscriber may choose about deliveries.

    `filters` are CloudEvents subscription filters, and all must match. An event older than
    `max_age` seconds is not delivered any more but becomes a dead letter; None is no limit. The
    others are for journal-delivered subscriptions: after `attempts` a delivery becomes a dead
    letter; `lock_seconds` is the time that a receiver has for one; at most `in_flight` are open at
    once; at most `rate` are handed out in a second, None is no limit; `endpoint` is for webhooks.
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
    """A durable interest of an organisation in events.

    `types` are event types or patterns, or types of replies. `generation` counts its backfills.
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
    """Whether it receives requests, to answer them. It is point-to-point then."""
    pause_reason: str | None = None
    diverted: datetime | None = None
    """Since when it catches up because its queue was too deep."""
    unavailable: datetime | None = None
    """Since when it waits because its queue cannot work: its nodes are lost."""
    password_by: Credential = NOBODY
    """By whose token the password of its broker user was made: both are void together."""

    @property
    def journal_delivered(self) -> bool:
        """Whether the gateway delivers to it from the journal, without a queue."""
        return self.delivery is not Delivery.AMQP

    @property
    def bound(self) -> bool:
        """Whether its queue is to be bound to its types, unless it is filtered."""
        return not self.journal_delivered and self.state in (
            SubscriptionState.ACTIVE,
            SubscriptionState.DIVERTING,
        )

    @property
    def is_callback(self) -> bool:
        """Whether it receives replies to the requests of its organisation."""
        return any(type_pattern.is_reply(each) for each in self.types)

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The filters of its terms; for a callback also that its organisation sent the request."""
        own: Filter = {"exact": {REQUESTED_BY: self.organisation}}
        return (*self.terms.filters, own) if self.is_callback else self.terms.filters

    @property
    def key(self) -> Key:
        """Its name on the whole bus."""
        return self.organisation, self.name

    @property
    def filtered(self) -> bool:
        """Whether it has a queue and filters.

        No binding can express a filter. So its queue is bound to its private key alone, and the
        relay adds that key to each event that it `accepts`.
        """
        return not self.journal_delivered and bool(self.filters)

    def wants(self, type: str) -> bool:
        """Whether this type is one of its types."""
        return any(type_pattern.matches(pattern, type) for pattern in self.types)

    @cached_property
    def accepts(self) -> Callable[[Entry], bool]:
        """Whether an event passes its filters. Raises Invalid for an invalid filter."""
        return compile_filters(self.filters)

    @property
    def type_expression(self) -> str:
        """A POSIX regular expression that all its types match, and no others."""
        return type_pattern.expression(self.types)


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far a subscription has caught up in one shard.

    Everything up to `sequence` is in its queue; `joined` says that the relay of the shard adds its
    private key to every message after that.
    """

    sequence: int
    joined: bool


@dataclass(frozen=True, slots=True)
class SubscriptionCursors:
    """How far a subscription is in one shard, as sequences.

    It gets what is above `start`; `backfilled` and `joined` as in BackfillProgress; everything up
    to `routed` is known to have reached its queue, and up to `drained` to have left it.
    """

    start: int
    backfilled: int
    joined: bool
    routed: int
    drained: int


ShardSequences = Mapping[int, int]  # a sequence for each shard
