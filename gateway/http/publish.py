"""`POST /v1/events`: publish.

An ASGI endpoint and no FastAPI route: parsing, authentication and the answer cost less than the
framework would. Its OpenAPI description stands in `publish_openapi`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import msgspec
from prometheus_client import Counter
from starlette.types import Receive, Scope, Send

from gateway import errors
from gateway.event import Event
from gateway.http import problems
from gateway.http.body import read
from gateway.http.deps import authenticate
from gateway.http.parts import ApiParts
from gateway.identity import Client, Role
from gateway.intake import Batch, Limits, Receipt, parse_request
from gateway.journal import Refusal
from gateway.masking import mask
from gateway.telemetry import METRICS, log
from gateway.times import rfc3339

ACCEPTED = Counter("nusabus_events_accepted", "Events answered with a receipt", registry=METRICS)
REFUSED = Counter("nusabus_events_refused", "Events refused", ["reason"], registry=METRICS)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Publish:
    """`POST /v1/events`, as an ASGI application."""

    parts: ApiParts
    limits: Limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Every error of ours is a problem document."""
        try:
            status, body, headers = await self._answer(scope, receive)
        except errors.NusabusError as error:
            status, body, headers = _problem(error)
        except Exception as error:
            log().error("http.defect", path=scope["path"], exc_info=error)
            status, body, headers = _problem(problems.DEFECT)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, (b"content-length", b"%d" % len(body))],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> "_Answer":
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        client = await authenticate(self.parts, _authorization(headers))
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
        return 202, _encode(_receipt(receipt)), [_CONTENT, (b"location", _location(receipt))]

    async def _batch(self, batch: Batch, client: Client, atomic: bool) -> "_Answer":
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
        return 422 if atomic and refused else 207, _encode(answer), [_CONTENT]


_Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]
_CONTENT = (b"content-type", b"application/json")


def _authorization(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    found = [value for name, value in headers if name == b"authorization"]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _atomic(query: bytes) -> bool:
    """Whether the batch is to be stored as a whole or not at all."""
    if not query:
        return False
    wishes = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if set(wishes) != {"atomic"} or wishes["atomic"] not in (["true"], ["false"]):
        raise errors.Invalid("the query may say atomic=true or atomic=false", pointer="atomic")
    return wishes["atomic"] == ["true"]


def _refusal(client: Client, event: Event | None, error: errors.Refused, digest: bytes) -> Refusal:
    return Refusal(
        client.id,
        client.organisation,
        event.type if event else None,
        event.source if event else None,
        event.id if event else None,
        error.code,
        mask(str(error)),
        error.violations if isinstance(error, errors.ContractViolation) else (),
        digest,
    )


def _problem(error: errors.NusabusError) -> "_Answer":
    if isinstance(error, errors.Refused):
        REFUSED.labels(error.code).inc()
    headers = [
        (name.encode(), value.encode()) for name, value in problems.headers_of(error).items()
    ]
    body = _encode(problems.describe(error))
    return (
        problems.status_of(error),
        body,
        [(b"content-type", problems.MEDIA_TYPE.encode()), *headers],
    )


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
