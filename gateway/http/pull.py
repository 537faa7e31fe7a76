"""`/v1/subscriptions/{name}/receive` and what settles: pull delivery."""

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from gateway.base.masking import mask
from gateway.delivery import TokenResult
from gateway.http.cloud_event import DeliveredEvent, delivered
from gateway.http.context import Context, become
from gateway.http.models import Absent, JsonOf, ModelResponse, RequestBody, example
from gateway.http.problems import responses
from gateway.http.settlements import Acknowledgement, LockRenewal, Rejection, Release
from gateway.http.subscriptions import Name, Subscriber
from gateway.identity import Quota

router = APIRouter(
    prefix="/v1/subscriptions", tags=["pull"], responses=responses(403, 404, 409, body=True)
)


class ReceiveRequest(RequestBody):
    """How many events to receive, and how long to wait for one."""

    model_config = example(max=100, wait=10)

    max: int = Field(default=10, ge=1, le=1000, description="Events at most.")
    wait: float = Field(default=0, ge=0, le=20, description="Seconds to wait for the first event.")


class ReceivedEvent(BaseModel):
    """An event under a lock."""

    token: str = Field(description="Settles this attempt.")
    attempt: int = Field(description="Counts from 1.")
    locked_until: datetime = Field(description="When the lock ends; then the event is due again.")
    event: Annotated[msgspec.Raw, JsonOf(DeliveredEvent)]


class ReceivedEvents(BaseModel):
    """Events, each under a lock."""

    events: list[ReceivedEvent]
    retry_after: float | Absent = Field(
        default=None,
        description="Seconds to wait before the next call, if the rate of the subscription allows "
        "nothing now.",
    )


class TokenResults(BaseModel):
    """The result for each token, in the order of the request."""

    results: list[TokenResult]


@router.post("/{name}/receive")
async def receive_events(
    name: Name, body: ReceiveRequest, client: Subscriber, context: Context, request: Request
) -> ModelResponse[ReceivedEvents]:
    """Receive up to `max` events that are due, each under a lock. The list may be empty."""
    if body.wait:
        become(request, Quota.LONG_POLLS)
    subscription = await context.subscription_lifecycle.existing(client.organisation, name)
    result = await context.pull.receive(
        subscription, limit=body.max, wait=body.wait, abandoned=request.is_disconnected
    )
    events = [
        ReceivedEvent(
            token=each.token,
            attempt=each.attempt,
            locked_until=each.until,
            event=msgspec.Raw(delivered(each.entry, context)),
        )
        for each in result.events
    ]
    if result.retry_after is None:
        return ModelResponse(ReceivedEvents(events=events))
    return ModelResponse(ReceivedEvents(events=events, retry_after=round(result.retry_after, 3)))


@router.post("/{name}/acknowledge")
async def acknowledge_events(
    name: Name, body: Acknowledgement, client: Subscriber, context: Context
) -> TokenResults:
    """Settle events as done. Repeating it does no harm."""
    subscription = await context.subscription_lifecycle.existing(client.organisation, name)
    return TokenResults(results=await context.pull.acknowledge(subscription, body.tokens))


@router.post("/{name}/release")
async def release_events(
    name: Name, body: Release, client: Subscriber, context: Context
) -> TokenResults:
    """Give events back, to be delivered again later."""
    subscription = await context.subscription_lifecycle.existing(client.organisation, name)
    results = await context.pull.release(
        subscription, body.tokens, delay=body.delay, reason=mask(body.reason)
    )
    return TokenResults(results=results)


@router.post("/{name}/reject")
async def reject_events(
    name: Name, body: Rejection, client: Subscriber, context: Context
) -> TokenResults:
    """Give events up. They become dead letters."""
    subscription = await context.subscription_lifecycle.existing(client.organisation, name)
    results = await context.pull.reject(subscription, body.tokens, reason=mask(body.reason))
    return TokenResults(results=results)


@router.post("/{name}/renew")
async def renew_locks(
    name: Name, body: LockRenewal, client: Subscriber, context: Context
) -> TokenResults:
    """Keep events longer."""
    subscription = await context.subscription_lifecycle.existing(client.organisation, name)
    results = await context.pull.renew(subscription, body.tokens, seconds=body.seconds)
    return TokenResults(results=results)
