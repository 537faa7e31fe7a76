"""`/v1/subscriptions/{name}/acknowledged`: what a consumer of a queue has settled."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.delivery import ReportResult
from gateway.http.context import Context
from gateway.http.models import RequestBody, Sequence
from gateway.http.subscriptions import Name, Subscriber
from gateway.journal import Position

router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])


class Report(RequestBody):
    """Events that were worked off, by their attribute `sequence`."""

    sequences: Annotated[list[Sequence], Field(min_length=1, max_length=1000)]


class Noted(BaseModel):
    """What became of each sequence, in the order of the report."""

    results: list[ReportResult] = Field(
        description="noted, now or before; unknown where no event stands there that this "
        "subscription is to get"
    )


@router.post("/{name}/acknowledged")
async def report_acknowledged(name: Name, body: Report, by: Subscriber, context: Context) -> Noted:
    """Say what an AMQP consumer has settled, so that the ledger can tell; may be repeated."""
    subscription = await context.subscription_lifecycle.existing(by.organisation, name)
    spots = [_spot(sequence) for sequence in body.sequences]
    return Noted(results=await context.consumer_reports.acknowledge(subscription, spots))


def _spot(sequence: str) -> Position:
    shard, _, number = sequence.partition("-")
    return Position(int(shard), int(number))
