"""`POST /v1/requests`: ask. And how a request is shown, here and in `requests`.

An endpoint beside the framework, see `bare`: the asker waits for each millisecond.
"""

import re
from hashlib import sha256
from typing import Any

import msgspec
from starlette.types import Receive, Scope

from gateway.base import errors
from gateway.base.event import Event
from gateway.base.times import rfc3339
from gateway.broker import message
from gateway.http.bare import CONTENT, Answer, Bare, Headers, authorization, problem
from gateway.http.body import read
from gateway.http.deps import authenticate
from gateway.http.parts import ApiParts
from gateway.http.publish_openapi import answer as an_answer
from gateway.http.publish_openapi import problem as a_problem
from gateway.identity import Role
from gateway.journal import Entry, Refusal
from gateway.publishing import Batch, Limits, parse_request
from gateway.request_reply import LONGEST_WAIT, Asked, State

PATH = "/v1/requests"
_encode = msgspec.json.Encoder().encode
_WAIT = re.compile(rb"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)
_NEEDS_RESPONDER = {b"": True, b"no_responder=refuse": True, b"no_responder=wait": False}

EVENT: dict[str, Any] = {
    "required": True,
    "content": {
        "application/cloudevents+json": {"schema": {"$ref": "#/components/schemas/CloudEvent"}}
    },
}
OPERATION: dict[str, Any] = {
    "tags": ["requests"],
    "summary": "Ask",
    "description": "200 with the reply where it came within `Prefer: wait`, else 202 and where to "
    "look. The deadline is the event's `expirytime`, 24 hours from now at most; without one it is "
    "30 seconds. The same event again is the same request.",
    "operationId": "ask",
    "security": [{"HTTPBearer": []}],
    "parameters": [
        {
            "name": "no_responder",
            "in": "query",
            "description": "where nobody answers this type now: refuse, or wait for somebody",
            "schema": {"type": "string", "enum": ["refuse", "wait"], "default": "refuse"},
        },
        {
            "name": "Prefer",
            "in": "header",
            "description": "`wait=10` waits up to ten seconds for the reply (RFC 7240); 20 at most",
            "schema": {"type": "string"},
        },
    ],
    "requestBody": EVENT,
    "responses": {
        "200": an_answer("answered", "RequestBody"),
        "202": an_answer("stored; the reply will be found at the Location", "RequestBody"),
        "400": a_problem("the request is malformed"),
        "401": a_problem("no valid access token"),
        "403": a_problem("no such contract that the caller may ask by"),
        "409": a_problem("the id belongs to another event"),
        "413": a_problem("a limit is exceeded"),
        "415": a_problem("no media type or content coding that is read here"),
        "422": a_problem("the data break the contract, or the deadline is none"),
        "503": a_problem("nobody answers this type, or the outcome is unknown: repeat it"),
        "504": a_problem("the deadline passed without a reply"),
    },
}


class Ask(Bare):
    """`POST /v1/requests`, as an ASGI application."""

    __slots__ = ()

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """Store the request, and wait for its reply as long as it wishes."""
        headers: Headers = scope["headers"]
        client = await authenticate(self.parts, authorization(headers))
        body, event = b"", None
        try:
            client.require(Role.PUBLISHER)
            needs_responder = _NEEDS_RESPONDER.get(scope["query_string"])
            if needs_responder is None:
                raise errors.Invalid(
                    "the query may say no_responder=refuse or no_responder=wait",
                    pointer="no_responder",
                )
            body = await read(headers, receive, self.limits.event_bytes)
            event = single(headers, body, self.parts)
            wait = wait_of(headers)
            found = await self.parts.asking.ask(
                event, client, wait=wait, needs_responder=needs_responder
            )
        except errors.Refused as error:
            digest = event.digest if event else sha256(body).digest()
            sender = (client.id, client.organisation)
            await self.parts.refusals.record([Refusal.of(sender, event, error, digest)])
            raise
        place = [(b"location", f"{PATH}/{found.id}".encode())]
        if wait:
            place.append((b"preference-applied", b"wait=%d" % wait))
        if found.state is State.EXPIRED:
            status, text, more = problem(_no_reply(found))
            return status, text, [*more, *place]
        return 202 if found.reply is None else 200, shown(found, self.parts), [CONTENT, *place]


def wait_of(headers: Headers) -> float:
    """The seconds that `Prefer: wait` asks for (RFC 7240, section 4.3), within our bounds."""
    found = _WAIT.search(b",".join([value for name, value in headers if name == b"prefer"]))
    return min(float(found[1]), LONGEST_WAIT) if found else 0.0


def single(headers: Headers, body: bytes, parts: ApiParts) -> Event:
    """The one event of a body. Raises what parsing raises."""
    limits = Limits(parts.settings.event_limit, parts.settings.event_limit, 1)
    parsed = parse_request(headers, body, limits)
    if isinstance(parsed, Batch):
        raise errors.UnsupportedMediaType("a request or reply is one event: send no batch")
    return parsed


def shown(found: Asked, parts: ApiParts, *, data: bool = True) -> bytes:
    """A request as it stands, as JSON; without `data` only that there is a reply."""
    head = {
        "id": found.id,
        "type": found.request.event.type,
        "state": found.state.value,
        "expires": rfc3339(found.expires),
        "request": place(found.request),
        "refused_replies": _refused(found),
    }
    event = b"null" if found.reply is None else _event(found.reply, parts, data=data)
    return b'%b,"reply":%b}' % (_encode(head)[:-1], event)


def place(entry: Entry) -> dict[str, Any]:
    """Where a half of the pair stands."""
    return {
        "source": entry.event.source,
        "id": entry.event.id,
        "shard": entry.shard,
        "sequence": entry.sequence,
        "recordedtime": rfc3339(entry.recorded),
    }


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """Add the operation to the OpenAPI document of the other routes."""
    document["paths"].setdefault(PATH, {})["post"] = OPERATION
    return document


def _refused(found: Asked) -> list[dict[str, str]]:
    return [
        {
            "recordedtime": rfc3339(each.recorded),
            "organisation": each.organisation,
            "reason": each.reason,
        }
        for each in found.refused
    ]


def _event(entry: Entry, parts: ApiParts, *, data: bool) -> bytes:
    event = entry.event if data else msgspec.structs.replace(entry.event, data=None)
    return message.body(
        event, *entry.journal_attributes, parts.catalogue.classification(event.type)
    )


def _no_reply(found: Asked) -> errors.NoReply:
    why = (
        "what came as the reply was refused: tell the responder"
        if found.refused
        else "nobody has answered"
    )
    return errors.NoReply(
        f"no reply came until {rfc3339(found.expires)}; {why}",
        {"request": found.id, "refused_replies": _refused(found)},
    )
