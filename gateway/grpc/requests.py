"""`Request` and `Respond`: the use cases of requests and replies."""

from hashlib import sha256

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.base.errors import NotFound, Refused
from gateway.delivery import outgoing_event
from gateway.grpc.context import GrpcContext
from gateway.grpc.events import read_event, write_event
from gateway.grpc.incoming import parse
from gateway.grpc.settlements import seconds
from gateway.grpc.wire import bus_pb2 as messages
from gateway.identity import Client, Quota, Role
from gateway.journal import Entry
from gateway.publishing.accounting import REFUSED
from gateway.quotas import Call
from gateway.request_reply import (
    LONGEST_WAIT,
    ReplySender,
    RequestState,
    RequestView,
    identity_of_request,
    no_reply,
)

_STATES = {
    RequestState.WAITING: messages.REQUEST_STATE_WAITING,
    RequestState.ANSWERED: messages.REQUEST_STATE_ANSWERED,
    RequestState.LATE: messages.REQUEST_STATE_ANSWERED_LATE,
}


async def request(
    content: bytes, client: Client, call: Call, context: GrpcContext
) -> messages.RequestResponse:
    """Store a request, and wait for its reply as long as the client wants."""
    event, gate = None, context.limiter.gate(client)
    try:
        client.require(Role.PUBLISHER)
        gate.publish(len(content))
        asked = parse(messages.RequestRequest, content)
        gate.spend(Quota.EVENTS)
        parsed = read_event(asked.event, context.limits.event_bytes)
        if isinstance(parsed, Refused):
            raise parsed
        event = parsed
        wait = min(max(seconds(asked.wait), 0.0), LONGEST_WAIT)
        if wait:
            call.become(Quota.LONG_POLLS)
        found = await context.requester.ask(
            event, client, wait=wait, needs_responder=not asked.wait_for_responder
        )
    except Refused as error:
        gate.spend(Quota.REFUSALS)
        digest = event.digest if event else sha256(content).digest()
        await context.publisher.refuse((client.id, client.organisation), event, error, digest)
        REFUSED.labels(error.code).inc()
        raise
    if found.state is RequestState.EXPIRED:
        raise no_reply(found)
    return _response(found, context)


async def respond(content: bytes, client: Client, context: GrpcContext) -> messages.RespondResponse:
    """Store the reply to a request. The first one counts."""
    gate = context.limiter.gate(client)
    client.require(Role.SUBSCRIBER)
    gate.publish(len(content))
    given = parse(messages.RespondRequest, content)
    gate.spend(Quota.EVENTS)
    identity = identity_of_request(given.request_id)
    if identity is None:
        raise NotFound("There is no such request for you to answer.")
    reply = read_event(given.reply, context.limits.event_bytes, is_reply=True)
    stored = await context.responder.reply(
        identity, reply, ReplySender(client.id, client.organisation)
    )
    return messages.RespondResponse(
        late=stored.late, duplicate=stored.duplicate, reply=_stored(stored.reply)
    )


def _response(found: RequestView, context: GrpcContext) -> messages.RequestResponse:
    deadline = Timestamp()
    deadline.FromDatetime(found.expires)
    answer = messages.RequestResponse(
        id=found.id,
        state=_STATES[found.state],
        deadline=deadline,
        request=_stored(found.request),
    )
    if found.reply is not None:
        reply = write_event(*outgoing_event(found.reply, context.catalogues.value))
        answer.reply.CopyFrom(reply)
    return answer


def _stored(entry: Entry) -> messages.StoredEvent:
    recorded = Timestamp()
    recorded.FromDatetime(entry.recorded)
    return messages.StoredEvent(
        source=entry.event.source,
        id=entry.event.id,
        shard=entry.shard,
        sequence=entry.sequence,
        recorded_time=recorded,
    )
