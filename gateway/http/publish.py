"""`POST /v1/events`: publish.

The hottest operation is an `AsgiEndpoint`. The models and `publish_event` describe it; a test
validates its answers against them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec
from fastapi import Body, Query
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope

from gateway import publishing
from gateway.base import errors
from gateway.base.event import Event
from gateway.base.times import rfc3339
from gateway.contracts import Deprecation
from gateway.http import problems
from gateway.http.asgi_endpoint import CONTENT, Answer, AsgiEndpoint
from gateway.http.body import read
from gateway.http.cloud_event import BATCHED, EXAMPLE, STRUCTURED, CloudEvent, locate
from gateway.http.models import Absent
from gateway.http.openapi import described_router
from gateway.identity import Client, Quota, Role
from gateway.publishing import Batch, parse_request
from gateway.publishing.accounting import ACCEPTED, publish_counted, refusal
from gateway.quotas import Gate

_encode = msgspec.json.Encoder().encode
PATH = "/v1/events"

described = described_router("events")


class Receipt(BaseModel):
    """The event is stored durably, at this position of the journal."""

    id: str
    source: str
    shard: int
    sequence: int
    recordedtime: datetime = Field(description="When the journal stored the event.")
    digest: str = Field(description="SHA-256 of the event, in hexadecimal.")
    duplicate: bool = Field(description="Whether an earlier request had stored the event.")


class EventResult(BaseModel):
    """The result for one event of a batch."""

    status: int = Field(description="The status that the event alone would have got.")
    receipt: Receipt | Absent = Field(default=None, description="Set for a stored event.")
    problem: problems.Problem | Absent = Field(default=None, description="Set for a refused event.")


class BatchResult(BaseModel):
    """The results for a batch, in the order of its events."""

    accepted: int
    refused: int
    results: list[EventResult]


@described.post(
    PATH,
    status_code=202,
    response_description="The event is stored.",
    responses={
        **problems.responses(
            403,
            415,
            body=True,
            _409="The event id is already used for another event.",
            _413="The event or batch exceeds a limit.",
        ),
        207: {"model": BatchResult, "description": "A result for each event of the batch."},
        422: {
            "description": "The data violate the contract, or a rule is broken. Of an atomic "
            "batch: a result for each event; nothing is stored.",
            "content": {
                **problems.documented(422)["content"],
                "application/json": {"schema": {"$ref": "#/components/schemas/BatchResult"}},
            },
        },
    },
    openapi_extra={
        "requestBody": {
            "content": {
                BATCHED: {
                    "schema": {"$ref": "#/components/schemas/EventBatch"},
                    "example": [EXAMPLE],
                },
                "*/*": {"schema": {"description": "The data of an event in binary mode."}},
            }
        }
    },
)
async def publish_event(
    event: Annotated[CloudEvent, Body(media_type=STRUCTURED)],
    atomic: Annotated[bool, Query(description="Store the batch as a whole or not at all.")] = False,
) -> Receipt:
    """Publish an event, or a batch of events.

    The body is one event in structured or binary mode, or a batch (CloudEvents 1.0). In binary mode
    the body is the data and `ce-` headers are the attributes. A receipt means that the event is
    stored durably. The same event again gets the same receipt, marked `duplicate`:
    for ever, or as long as the operator says (30 days at least), and as long as the event is kept.
    """
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class PublishEndpoint(AsgiEndpoint):
    """`POST /v1/events`, as an ASGI application."""

    async def answer(self, client: Client, scope: Scope, receive: Receive) -> Answer:
        """Publish one event or a batch."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        body, event, gate = b"", None, self.context.limiter.gate(client)
        gate.require_publishing()
        try:
            client.require(Role.PUBLISHER)
            atomic = _atomic(scope["query_string"])
            body = await read(headers, receive, self.limits.batch_bytes, self.context.settings)
            self.keep(scope)
            gate.publish(len(body))
            parsed = parse_request(headers, body, self.limits)
            if isinstance(parsed, Batch):
                gate.spend(Quota.EVENTS, len(parsed.items))
                return await self._batch(parsed, client, gate, atomic)
            event = parsed
            gate.spend(Quota.EVENTS)
            receipt = await self.context.publisher.publish(event, client)
        except errors.Refused as error:
            digest = event.digest if event else hashlib.sha256(body).digest()
            gate.spend(Quota.REFUSALS)
            await self.context.refusals.record([refusal(client, event, error, digest)])
            locate(error, headers)
            raise
        ACCEPTED.inc()
        location = b"%b/%d/%d" % (PATH.encode(), receipt.shard, receipt.sequence)
        more = [*gate.fields, *self._deprecation([event])]
        return 202, _encode(_receipt(receipt)), [CONTENT, (b"location", location), *more]

    async def _batch(self, batch: Batch, client: Client, gate: Gate, atomic: bool) -> Answer:
        results = await publish_counted(
            batch.items,
            client,
            publisher=self.context.publisher,
            refusals=self.context.refusals,
            gate=gate,
            digest=batch.digest,
            atomic=atomic,
        )
        accepted = sum(isinstance(result, publishing.Receipt) for result in results)
        answer = {
            "accepted": accepted,
            "refused": len(results) - accepted,
            "results": [
                _result(index, item, result)
                for index, (item, result) in enumerate(zip(batch.items, results, strict=True))
            ],
        }
        stored = [
            item
            for item, result in zip(batch.items, results, strict=True)
            if isinstance(item, Event) and isinstance(result, publishing.Receipt)
        ]
        status = 422 if atomic and accepted < len(results) else 207
        return status, _encode(answer), [CONTENT, *gate.fields, *self._deprecation(stored)]

    def _deprecation(self, stored: Sequence[Event]) -> list[tuple[bytes, bytes]]:
        """Headers about the first of these events whose contract version is deprecated."""
        for event in stored:
            deprecation = self.context.publisher.deprecation(event)
            if deprecation is not None:
                return _deprecation_headers(deprecation, self.context.settings.url)
        return []


def _deprecation_headers(deprecation: Deprecation, base_url: str) -> list[tuple[bytes, bytes]]:
    """Deprecation (RFC 9745), Sunset (RFC 8594) and the successor of a contract version."""
    found = [(b"deprecation", b"@%d" % int(deprecation.since.timestamp()))]
    if deprecation.sunset is not None:
        date = format_datetime(deprecation.sunset.astimezone(UTC), usegmt=True)
        found.append((b"sunset", date.encode()))
    if deprecation.successor is not None:
        link = f'<{base_url}/v1/contracts/{deprecation.successor}>; rel="successor-version"'
        found.append((b"link", link.encode()))
    return found


def _atomic(query: bytes) -> bool:
    """Whether the batch is stored as a whole or not at all. Raises Invalid."""
    if not query:
        return False
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if set(given) != {"atomic"} or given["atomic"] not in (["true"], ["false"]):
        raise errors.Invalid(
            "Invalid query. Use `atomic=true` or `atomic=false`.", parameter="atomic"
        )
    return given["atomic"] == ["true"]


def _result(
    index: int, item: Event | errors.Refused, result: publishing.Receipt | errors.Refused
) -> dict[str, Any]:
    if isinstance(result, publishing.Receipt):
        return {"status": 202, "receipt": _receipt(result)}
    problem = problems.describe(result)
    if "pointer" in problem and isinstance(item, Event):  # of the event, and not yet of the batch
        problem["pointer"] = f"/{index}{problem['pointer']}"
    return {"status": problem["status"], "problem": problem}


def _receipt(receipt: publishing.Receipt) -> dict[str, Any]:
    return {
        "id": receipt.id,
        "source": receipt.source,
        "shard": receipt.shard,
        "sequence": receipt.sequence,
        "recordedtime": rfc3339(receipt.recorded),
        "digest": receipt.digest.hex(),
        "duplicate": receipt.duplicate,
    }
