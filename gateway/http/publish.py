"""`POST /v1/events`: publish.

An endpoint beside the framework, see `bare`. Its OpenAPI description stands in `publish_openapi`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import msgspec
from prometheus_client import Counter
from starlette.types import Receive, Scope

from gateway.base import errors
from gateway.base.event import Event
from gateway.base.telemetry import METRICS
from gateway.base.times import rfc3339
from gateway.http import contracts_notice as notice
from gateway.http import problems
from gateway.http.bare import CONTENT, REFUSED, Answer, Bare, authorization
from gateway.http.body import read
from gateway.http.deps import authenticate
from gateway.identity import Client, Role
from gateway.journal import Refusal
from gateway.publishing import Batch, Receipt, parse_request

ACCEPTED = Counter("nusabus_events_accepted", "Events answered with a receipt", registry=METRICS)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Publish(Bare):
    """`POST /v1/events`, as an ASGI application."""

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """Publish one event or a batch."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        client = await authenticate(self.parts, authorization(headers))
        body, event = b"", None
        try:
            client.require(Role.PUBLISHER)
            atomic = _atomic(scope["query_string"])
            body = await read(headers, receive, self.limits.batch_bytes)
            parsed = parse_request(headers, body, self.limits)
            if isinstance(parsed, Batch):
                return await self._batch(parsed, client, atomic)
            event = parsed
            receipt = await self.parts.intake.publish(event, client)
        except errors.Refused as error:
            digest = event.digest if event else hashlib.sha256(body).digest()
            await self.parts.refusals.record([_refusal(client, event, error, digest)])
            raise
        ACCEPTED.inc()
        told = [CONTENT, (b"location", _location(receipt)), *self._notices([event])]
        return 202, _encode(_receipt(receipt)), told

    async def _batch(self, batch: Batch, client: Client, atomic: bool) -> Answer:
        publish = self.parts.intake.publish_all if atomic else self.parts.intake.publish_each
        results = await publish(batch.items, client)
        refused = [
            _refusal(client, item if isinstance(item, Event) else None, result, batch.digest(index))
            for index, (item, result) in enumerate(zip(batch.items, results, strict=True))
            if isinstance(result, errors.Refused) and not isinstance(result, errors.Withheld)
        ]
        if refused:
            await self.parts.refusals.record(refused)
        accepted = sum(isinstance(result, Receipt) for result in results)
        ACCEPTED.inc(accepted)
        answer = {
            "accepted": accepted,
            "refused": len(results) - accepted,
            "results": [_result(result) for result in results],
        }
        stored = [
            item
            for item, result in zip(batch.items, results, strict=True)
            if isinstance(item, Event) and isinstance(result, Receipt)
        ]
        told = [CONTENT, *self._notices(stored)]
        return 422 if atomic and refused else 207, _encode(answer), told

    def _notices(self, stored: Sequence[Event]) -> list[tuple[bytes, bytes]]:
        """Headers that tell of the first of these events whose contract version is deprecated."""
        for event in stored:
            deprecation = self.parts.intake.deprecation(event)
            if deprecation is not None:
                return notice.headers(deprecation, self.parts.settings.url)
        return []


def _atomic(query: bytes) -> bool:
    """Whether the batch is to be stored as a whole or not at all."""
    if not query:
        return False
    wishes = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if set(wishes) != {"atomic"} or wishes["atomic"] not in (["true"], ["false"]):
        raise errors.Invalid("the query may say atomic=true or atomic=false", pointer="atomic")
    return wishes["atomic"] == ["true"]


def _refusal(client: Client, event: Event | None, error: errors.Refused, digest: bytes) -> Refusal:
    return Refusal.of((client.id, client.organisation), event, error, digest)


def _result(result: Receipt | errors.Refused) -> dict[str, Any]:
    if isinstance(result, Receipt):
        return {"status": 202, "receipt": _receipt(result)}
    REFUSED.labels(result.code).inc()
    return {"status": problems.status_of(result), "problem": problems.describe(result)}


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "id": receipt.id,
        "source": receipt.source,
        "shard": receipt.shard,
        "sequence": receipt.sequence,
        "recordedtime": rfc3339(receipt.recorded),
        "digest": receipt.digest.hex(),
        "duplicate": receipt.duplicate,
    }


def _location(receipt: Receipt) -> bytes:
    return b"/v1/events/%d/%d" % (receipt.shard, receipt.sequence)
