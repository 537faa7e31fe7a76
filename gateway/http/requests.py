"""`/v1/requests`: send a request, look at it, reply to it.

`POST /v1/requests` is an `AsgiEndpoint`, because its client waits for each millisecond.
"""

import re
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal

import fastapi
import msgspec
from fastapi import APIRouter, Body, Depends, Header, Path, Query
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope
from typing_extensions import TypeAliasType

from gateway.base import errors
from gateway.base.event import Event
from gateway.broker import message
from gateway.http import problems
from gateway.http.asgi_endpoint import (
    CONTENT,
    Answer,
    AsgiEndpoint,
    Headers,
    problem,
)
from gateway.http.body import read
from gateway.http.cloud_event import STRUCTURED, CloudEvent, DeliveredEvent, locate
from gateway.http.context import (
    CALL,
    ApiContext,
    AuthenticatedClient,
    Context,
    become,
    require_role,
)
from gateway.http.models import JsonOf, ModelResponse, encode
from gateway.http.openapi import described_router
from gateway.http.reports import RefusedReply
from gateway.http.withheld import withheld
from gateway.identity import Client, Quota, Role
from gateway.journal import Entry
from gateway.publishing import parse_event
from gateway.request_reply import (
    LONGEST_WAIT,
    ReplySender,
    RequestState,
    RequestView,
    no_reply,
)

PATH = "/v1/requests"
router = APIRouter(prefix=PATH, tags=["requests"])
described = described_router("requests")
Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The id in the Location.")]
Wait = Annotated[
    str | None,
    Header(
        description="`wait=10` waits up to ten seconds for the reply (RFC 7240); 20 at most.",
        examples=["wait=10"],
    ),
]
NoResponder = TypeAliasType("NoResponder", Literal["refuse", "wait"])
Replier = Annotated[Client, Depends(require_role(Role.SUBSCRIBER))]
_WAIT = re.compile(rb"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)
_NEEDS_RESPONDER = {b"": True, b"no_responder=refuse": True, b"no_responder=wait": False}


class StoredEvent(BaseModel):
    """An event, and its position in the journal."""

    source: str
    id: str
    shard: int
    sequence: int
    recordedtime: datetime

    @classmethod
    def of(cls, entry: Entry, *, readable: bool = True) -> "StoredEvent":
        """The model of an entry."""
        event = entry.event if readable else withheld(entry.event)
        return cls(
            source=event.source,
            id=event.id,
            shard=entry.shard,
            sequence=entry.sequence,
            recordedtime=entry.recorded,
        )


class Request(BaseModel):
    """A request, and its reply once there is one."""

    id: str
    type: str
    state: RequestState
    deadline: datetime = Field(description="After it a reply is too late.")
    request: StoredEvent
    refused_replies: list[RefusedReply] = Field(description="Filled once the request expired.")
    reply: Annotated[msgspec.Raw, JsonOf(DeliveredEvent)] | None = Field(
        description="The event that replies. The operator's auditors see it without its "
        "data, and without what its sender wrote into its attributes."
    )


class ReplyReceipt(BaseModel):
    """A reply that is stored."""

    request: str
    late: bool = Field(description="Whether it came after the deadline. It is kept all the same.")
    duplicate: bool = Field(description="Whether an earlier call had stored it.")
    reply: StoredEvent


@described.post(
    PATH,
    status_code=202,
    response_description="The request is stored. The reply will be found at the Location.",
    responses={
        **problems.responses(
            403,
            415,
            504,
            body=True,
            _409="The event id is already used for another event.",
            _503="Nobody replies to this type, or the outcome is unknown: repeat the request.",
        ),
        200: {"model": Request, "description": "The reply came in time."},
    },
)
async def send_request(
    event: Annotated[CloudEvent, Body(media_type=STRUCTURED)],
    no_responder: Annotated[
        NoResponder,
        Query(description="Without a responder for this type: refuse the request, or wait."),
    ] = "refuse",
    prefer: Wait = None,
) -> Request:
    """Send a request, and wait for its reply as long as `Prefer: wait` says.

    The deadline is the event's `expirytime`, at most 24 hours from now; the default is 30 seconds.
    The same event again is the same request.
    """
    raise NotImplementedError


class RequestEndpoint(AsgiEndpoint):
    """`POST /v1/requests`, as an ASGI application."""

    __slots__ = ()

    async def answer(self, client: Client, scope: Scope, receive: Receive) -> Answer:
        """Store the request, and wait for its reply as long as the client wants."""
        headers: Headers = scope["headers"]
        body, event, gate = b"", None, self.context.limiter.gate(client)
        gate.require_publishing()
        try:
            client.require(Role.PUBLISHER)
            needs_responder = _NEEDS_RESPONDER.get(scope["query_string"])
            if needs_responder is None:
                raise errors.Invalid(
                    "Invalid query. Use `no_responder=refuse` or `no_responder=wait`.",
                    parameter="no_responder",
                )
            body = await read(headers, receive, self.limits.event_bytes, self.context.settings)
            gate.publish(len(body))
            event = parse_event(headers, body, limit=self.limits.event_bytes)
            gate.spend(Quota.EVENTS)
            wait = wait_of(headers)
            if wait:
                scope[CALL].become(Quota.LONG_POLLS)
            found = await self.context.requester.ask(
                event, client, wait=wait, needs_responder=needs_responder
            )
        except errors.Refused as error:
            digest = event.digest if event else sha256(body).digest()
            sender = (client.id, client.organisation)
            gate.spend(Quota.REFUSALS)
            await self.context.publisher.refuse(sender, event, error, digest)
            locate(error, headers)
            raise
        location = [(b"location", f"{PATH}/{found.id}".encode()), *gate.fields]
        if wait:
            location.append((b"preference-applied", b"wait=%d" % wait))
        if found.state is RequestState.EXPIRED:
            status, text, more = problem(no_reply(found))
            return status, text, [*more, *location]
        status = 202 if found.reply is None else 200
        return status, encode(_request(found, self.context)), [CONTENT, *location]


@router.get("/{id}", responses=problems.responses(404, 422))
async def get_request(
    id: Id,
    http: fastapi.Request,
    client: AuthenticatedClient,
    context: Context,
    prefer: Wait = None,
) -> ModelResponse[Request]:
    """A request and its reply. With `Prefer: wait=N` it waits up to N seconds for the reply.

    For the requester, the responder and the operator's auditors, who see no data.
    """
    wait = wait_of(http.headers.raw)
    if wait:
        become(http, Quota.LONG_POLLS)
    found = await context.requester.show(bytes.fromhex(id), client, wait=wait)
    shown = _request(found, context, readable=context.requester.may_read(found, client))
    return ModelResponse(shown, headers={"preference-applied": f"wait={wait:g}"} if wait else None)


@router.post(
    "/{id}/reply",
    status_code=201,
    responses={
        **problems.responses(
            403, 404, 415, body=True, _409="The request has another reply, which came first."
        ),
        200: {"model": ReplyReceipt, "description": "An earlier call had stored the reply."},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                STRUCTURED: {"schema": {"$ref": "#/components/schemas/CloudEvent"}},
                "*/*": {"schema": {"description": "The data of a reply in binary mode."}},
            },
        }
    },
)
async def reply_to_request(
    id: Id, http: fastapi.Request, client: Replier, context: Context
) -> ModelResponse[ReplyReceipt]:
    """Reply to a request that is routed to this organisation. The first reply counts."""
    reply: Event | errors.Refused
    gate = context.limiter.gate(client)
    gate.publish(len(await http.body()))
    gate.spend(Quota.EVENTS)
    try:
        limit = context.settings.event_limit
        reply = parse_event(http.headers.raw, await http.body(), limit=limit, is_reply=True)
    except errors.Refused as error:
        reply = error
    sender = ReplySender(client.id, client.organisation)
    try:
        stored = await context.responder.reply(bytes.fromhex(id), reply, sender)
    except errors.Refused as error:
        locate(error, http.headers.raw)
        raise
    receipt = ReplyReceipt(
        request=id,
        late=stored.late,
        duplicate=stored.duplicate,
        reply=StoredEvent.of(stored.reply),
    )
    return ModelResponse(receipt, 200 if stored.duplicate else 201)


def wait_of(headers: Headers) -> float:
    """The seconds that `Prefer: wait` asks for (RFC 7240, section 4.3), within our bounds."""
    found = _WAIT.search(b",".join([value for name, value in headers if name == b"prefer"]))
    return min(float(found[1]), LONGEST_WAIT) if found else 0.0


def _request(found: RequestView, context: ApiContext, *, readable: bool = True) -> Request:
    return Request(
        id=found.id,
        type=found.request.event.type,
        state=found.state,
        deadline=found.expires,
        request=StoredEvent.of(found.request, readable=readable),
        refused_replies=_refused(found),
        reply=None if found.reply is None else _event(found.reply, context, readable=readable),
    )


def _refused(found: RequestView) -> list[RefusedReply]:
    return [
        RefusedReply(recordedtime=each.recorded, organisation=each.organisation, reason=each.reason)
        for each in found.refused
    ]


def _event(entry: Entry, context: ApiContext, *, readable: bool) -> msgspec.Raw:
    event = entry.event if readable else withheld(entry.event)
    classification = context.catalogue.classification(event.type)
    return msgspec.Raw(message.body(event, *entry.journal_attributes, classification))
