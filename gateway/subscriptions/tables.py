"""The rows of subscriptions. They never leave this room; the migrations make the tables."""

from datetime import datetime

import msgspec
from sqlalchemy import BigInteger, Column, DateTime, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from gateway.identity import Credential
from gateway.subscriptions.values import Delivery, Subscription, SubscriptionState, Terms

_terms = msgspec.json.Decoder(Terms).decode


class SubscriptionRow(SQLModel, table=True):
    """A subscription."""

    __tablename__ = "subscriptions"

    organisation: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    types: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    point_to_point: bool
    ordered: bool
    start: str
    state: str
    generation: int
    password_hash: str
    password_client: str = ""
    password_credential: str = ""
    created: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    created_by: str
    repairs: int = 0
    delivery: str
    terms: str
    paused: bool = False
    is_responder: bool = False
    pause_reason: str | None = None
    diverted: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )
    unavailable: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )


class CursorRow(SQLModel, table=True):
    """How far a subscription is in one shard, as sequences.

    `start`: it gets what is above. `backfilled`, `joined`: see BackfillProgress. `routed`: up to
    here all is known to have reached the queue; `drained`: and to have left it. While the
    subscription catches up, `routed` is valid only for a shard that it has joined.
    """

    __tablename__ = "subscription_cursors"

    organisation: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    shard: int = Field(primary_key=True, sa_type=SmallInteger)
    start: int = Field(sa_type=BigInteger)
    backfilled: int = Field(sa_type=BigInteger)
    joined: bool = False
    routed: int = Field(sa_type=BigInteger)
    drained: int = Field(sa_type=BigInteger)


class WebhookRow(SQLModel, table=True):
    """What is known of a webhook's endpoint: the URL that agreed, and why calls fail now."""

    __tablename__ = "webhook_endpoints"

    organisation: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    agreed_url: str | None = None
    agreed_rate: float | None = None
    last_error: str | None = None
    changed: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class WebhookKeyRow(SQLModel, table=True):
    """A key that signs deliveries, sealed."""

    __tablename__ = "webhook_keys"

    organisation: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    signature: str
    public: str | None = None
    sealed: bytes
    created: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    ends: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


class PointToPointPositionRow(SQLModel, table=True):
    """Up to where the events of a point-to-point type were delivered when a subscription ended."""

    __tablename__ = "point_to_point_positions"

    type: str = Field(primary_key=True)
    shard: int = Field(primary_key=True, sa_type=SmallInteger)
    sequence: int = Field(sa_type=BigInteger)


def subscription_of(row: SubscriptionRow) -> Subscription:
    """The value of a row."""
    return Subscription(
        row.organisation,
        row.name,
        tuple(row.types),
        row.point_to_point,
        row.ordered,
        row.start,
        SubscriptionState(row.state),
        row.generation,
        row.password_hash,
        row.created,
        row.created_by,
        row.repairs,
        Delivery(row.delivery),
        _terms(row.terms),
        row.paused,
        row.is_responder,
        row.pause_reason,
        row.diverted,
        row.unavailable,
        Credential(row.password_client, row.password_credential),
    )
