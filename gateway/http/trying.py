"""`/v1/subscriptions/{name}/test`: a trial of a subscription."""

from dataclasses import asdict

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.base.telemetry import log
from gateway.http.context import Context
from gateway.http.subscriptions import Name, Subscriber

router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])


class Tried(BaseModel):
    """How a trial went."""

    delivered: bool = Field(
        description="whether the endpoint took it; over AMQP, whether it is in the queue; for "
        "pull, that the next receive hands it out"
    )
    detail: str = Field(description="the status of the answer, or why there was none")
    seconds: float
    id: str = Field(description="the id of the test event")
    webhook_id: str | None = Field(None, description="the header webhook-id, of a webhook")


@router.post("/{name}/test")
async def send_test_event(name: Name, by: Subscriber, context: Context) -> Tried:
    """Let a subscription, and nobody else, have an event of type id.go.nusabus.langganan.diuji.v1.

    It means nothing and stands in no journal; rejected, it makes no dead letter. A stream is tried
    by its reader: GET .../stream?test=true.
    """
    subscription = await context.subscription_lifecycle.existing(by.organisation, name)
    trial = await context.delivery_tester.send_test_event(subscription)
    log().info(
        "test_event.sent",
        organisation=by.organisation,
        subscription=name,
        by=by.id,
        delivered=trial.delivered,
    )
    return Tried(**asdict(trial))
