"""`/v1/subscriptions/{name}/receive` and what settles: pull delivery."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from gateway.base.masking import mask
from gateway.base.times import rfc3339
from gateway.delivery import ReceivedEvent, TokenResult
from gateway.http.cloud_event import delivered
from gateway.http.context import ApiContext, Context
from gateway.http.models import RequestBody
from gateway.http.subscriptions import Name, Subscriber

router = APIRouter(prefix="/v1/subscriptions", tags=["pull"])
Token = Annotated[str, Field(min_length=1, max_length=64)]
Tokens = Annotated[list[Token], Field(min_length=1, max_length=1000)]
Reason = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
_encode = msgspec.json.Encoder().encode


class Receive(RequestBody):
    """What is asked for."""

    max: int = Field(10, ge=1, le=1000, description="events at most")
    wait: float = Field(0, ge=0, le=20, description="seconds to wait for the first event")


class Delivered(BaseModel):
    """One event in the receiver's hands. `attempt` counts from 1; `token` settles it."""

    token: str
    attempt: int
    until: str = Field(description="when its lock ends and it is handed out again")
    event: dict[str, object] = Field(description="the event as structured CloudEvents JSON")


class Events(BaseModel):
    """Events handed out."""

    events: list[Delivered]
    retry_after: float | None = Field(
        None,
        description="seconds after which to come again: there where the rate of the subscription "
        "allowed nothing now",
    )


class Acknowledge(RequestBody):
    """Events that were worked off."""

    tokens: Tokens


class Release(RequestBody):
    """Events to be handed out again after `delay` seconds."""

    tokens: Tokens
    delay: float = Field(0, ge=0, le=86_400)
    reason: Reason = "given back"


class Reject(RequestBody):
    """Events that can never be worked off: they become dead letters."""

    tokens: Tokens
    reason: Reason = "rejected"


class Renew(RequestBody):
    """Events that take longer: their locks end `seconds` from now."""

    tokens: Tokens
    seconds: float = Field(60, ge=1, le=43_200)


class Settled(BaseModel):
    """What became of each token, in the order of the request."""

    results: list[TokenResult]


@router.post("/{name}/receive", response_model=Events)
async def receive_events(name: Name, body: Receive, by: Subscriber, context: Context) -> Response:
    """Take up to `max` events that are due, each under a lock. An empty list is no error."""
    subscription = await context.subscription_lifecycle.existing(by.organisation, name)
    result = await context.pull.receive(subscription, limit=body.max, wait=body.wait)
    events = b",".join(_event(each, context) for each in result.events)
    again = b',"retry_after":%.3f' % result.retry_after if result.retry_after else b""
    return Response(b'{"events":[%b]%b}' % (events, again), media_type="application/json")


@router.post("/{name}/acknowledge")
async def acknowledge_events(
    name: Name, body: Acknowledge, by: Subscriber, context: Context
) -> Settled:
    """Settle events that were worked off; repeating it does no harm."""
    subscription = await context.subscription_lifecycle.existing(by.organisation, name)
    return Settled(results=await context.pull.acknowledge(subscription, body.tokens))


@router.post("/{name}/release")
async def release_events(name: Name, body: Release, by: Subscriber, context: Context) -> Settled:
    """Give events back, to be handed out again later."""
    subscription = await context.subscription_lifecycle.existing(by.organisation, name)
    results = await context.pull.release(
        subscription, body.tokens, delay=body.delay, reason=mask(body.reason)
    )
    return Settled(results=results)


@router.post("/{name}/reject")
async def reject_events(name: Name, body: Reject, by: Subscriber, context: Context) -> Settled:
    """Make dead letters of events."""
    subscription = await context.subscription_lifecycle.existing(by.organisation, name)
    return Settled(
        results=await context.pull.reject(subscription, body.tokens, reason=mask(body.reason))
    )


@router.post("/{name}/renew")
async def renew_locks(name: Name, body: Renew, by: Subscriber, context: Context) -> Settled:
    """Keep events longer."""
    subscription = await context.subscription_lifecycle.existing(by.organisation, name)
    return Settled(
        results=await context.pull.renew(subscription, body.tokens, seconds=body.seconds)
    )


def _event(received: ReceivedEvent, context: ApiContext) -> bytes:
    head = _encode(
        {
            "token": received.token,
            "attempt": received.attempt,
            "until": rfc3339(received.until),
        }
    )
    return b'%b,"event":%b}' % (head[:-1], delivered(received.entry, context))
