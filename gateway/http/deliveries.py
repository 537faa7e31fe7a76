"""`/v1/events/{shard}/{sequence}/deliveries` and the lag of subscriptions: who got what."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from gateway.base.errors import NotFound
from gateway.delivery import Stage
from gateway.http.context import AuthenticatedClient, Context
from gateway.http.subscriptions import Name, Viewer
from gateway.identity import policy
from gateway.subscriptions import Delivery
from gateway.subscriptions.permissions import may_see_entry

router = APIRouter(prefix="/v1", tags=["deliveries"])


class DeliveryBody(BaseModel):
    """Where an event stands on its way to one subscription."""

    organisation: str
    subscription: str
    delivery: Delivery
    stage: Stage = Field(
        description="for AMQP what the broker can tell: queued (confirmed into the queue), "
        "drained (that queue has stood empty since); acknowledged where its consumer said so"
    )
    attempts: int
    at: datetime | None = Field(
        description="when it came into that stage, as far as that is known; for open and in-hands "
        "when it is due next"
    )


class Deliveries(BaseModel):
    """Every subscription that is to get the event."""

    items: list[DeliveryBody]


class LagBody(BaseModel):
    """How far a subscription is behind in one shard, in entries of any type."""

    shard: int
    events: int
    seconds: float


class Lags(BaseModel):
    """How far a subscription is behind."""

    events: int
    seconds: float
    shards: list[LagBody]


@router.get("/events/{shard}/{sequence}/deliveries")
async def list_deliveries(
    shard: Annotated[int, Path(ge=0, le=63)],
    sequence: Annotated[int, Path(ge=1, lt=1 << 63)],
    by: AuthenticatedClient,
    context: Context,
) -> Deliveries:
    """Did everyone get it? Who sent the event, and auditors, see every subscription; others theirs.

    Subscriptions that have ended are not told.
    """
    entry = await context.reader.entry_at(shard, sequence)
    if entry is None or not may_see_entry(by, entry, context.directory, context.catalogue):
        raise NotFound("there is no such event that you may see")
    sender = context.directory.organisation_of(entry.client)
    found = await context.ledger.statuses(entry, policy.visible_deliveries(by, sender))
    return Deliveries(items=[DeliveryBody(**asdict(each)) for each in found])


@router.get("/subscriptions/{name}/lag")
async def get_lag(name: Name, by: Viewer, context: Context) -> Lags:
    """How far a subscription is behind: for AMQP, what has not been seen to leave its queue."""
    subscription = await context.subscription_lifecycle.existing(by.organisation, name)
    shards = [LagBody(**asdict(each)) for each in await context.ledger.lag(subscription)]
    return Lags(
        events=sum(each.events for each in shards),
        seconds=max(each.seconds for each in shards),
        shards=shards,
    )
