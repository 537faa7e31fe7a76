"""Changing contracts over HTTP, as administrators do, and how soon every api process knows it."""

import asyncio
import itertools
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, Self

import httpx
import msgspec

from bench.contract_fill import many
from bench.events import fresh_prefix
from bench.failure import BenchFailure
from bench.servers import Servers
from bench.site import Site
from deploy.local.ports import LOOPBACK
from gateway.contracts import Submission, schema_urn
from gateway.contracts.content import examples_document

PROCESSES = 2
PROBES = 12  # connections; the kernel spreads them over the api processes
CALM = 0.5  # seconds between two changes, so that each is loaded by itself
PATIENCE = 30.0
_ADDED = {"type": "string", "maxLength": 200, "title": "More", "description": "More."}
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True)
class ChangeTimes:
    """Milliseconds until a change was in force (median and longest), CPU milliseconds of one."""

    usual: float
    longest: float
    cpu: float


class Administrator:
    """Registers and changes contracts at a site; an own one each, numbered from `first` on."""

    def __init__(self, servers: Servers, site: Site, first: int) -> None:
        self._servers, self._site = servers, site
        self._numbers = itertools.count(first)
        self._registered: list[Submission] = []
        self._prefix, self._serial = fresh_prefix().decode(), itertools.count(1)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open its connections."""
        self._http = await self._client(self._servers.operator)
        self._probes = [await self._client(self._servers.token) for _ in range(PROBES)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        await self._stack.aclose()

    async def register(self, count: int) -> float:
        """Register contracts one after another; how many a second."""
        new = [next(many(range(n, n + 1))) for n in itertools.islice(self._numbers, count)]
        began = time.perf_counter()
        for each in new:
            facts, version = each.contract, each.versions[0]
            body = {
                "type": facts.type,
                "title": facts.title,
                "pattern": facts.pattern.value,
                "classification": facts.classification.value,
                "ordering": {"key": facts.ordering.key},
                **_version(each, version.text),
            }
            await self._send("POST", "/v1/contracts", body)
        self._registered += new
        return count / (time.perf_counter() - began)

    async def change(self, count: int) -> ChangeTimes:
        """Add a version to so many contracts, and then give as many another title."""
        times = [await self._grow(each) for each in self._registered[:count]]
        return ChangeTimes(1e3 * median(times), 1e3 * max(times), await self._cost(count))

    async def _grow(self, submission: Submission) -> float:
        """Seconds from the answer until every connection may publish by the new version."""
        schema = msgspec.json.decode(submission.versions[0].text)
        schema["properties"]["tambahan"] = _ADDED
        path = f"/v1/contracts/{submission.contract.type}/versions"
        await asyncio.sleep(CALM)
        await self._send("POST", path, _version(submission, _encode(schema)))
        began = time.perf_counter()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(self._in_force(each, submission) for each in self._probes))
        return time.perf_counter() - began

    async def _in_force(self, probe: httpx.AsyncClient, submission: Submission) -> None:
        headers = {"Content-Type": "application/cloudevents+json"}
        while True:
            event = self._event(submission)
            answer = await probe.post("/v1/events", content=event, headers=headers)
            if answer.status_code == httpx.codes.ACCEPTED:
                return
            if "is unknown" not in answer.text:  # not yet in force there
                raise BenchFailure(f"publishing by a new version: {answer.text}")
            await asyncio.sleep(0.01)

    def _event(self, submission: Submission) -> bytes:
        number = next(self._serial)
        return _encode(
            {
                "specversion": "1.0",
                "id": f"{self._prefix}-{number}",
                "source": "/dukcapil/ktp",
                "type": submission.contract.type,
                "subject": str(number),
                "datacontenttype": "application/json",
                "dataschema": schema_urn(submission.contract.type, 2),
                "data": next(iter(submission.valid.values())),
            }
        )

    async def _cost(self, count: int) -> float:
        """CPU milliseconds that all api processes spend on a change, without what idling costs."""
        idle = await self._spent(count, change=False)
        return await self._spent(count, change=True) - idle

    async def _spent(self, count: int, *, change: bool) -> float:
        meter = self._site.meter()
        for each in self._registered[:count]:
            if change:
                path = f"/v1/contracts/{each.contract.type}"
                await self._send("PATCH", path, {"title": f"Changed {next(self._serial)}"})
            await asyncio.sleep(CALM)
        return meter.per_event(count)["service"] / 1e3

    async def _send(self, method: str, path: str, body: Any) -> None:
        answer = await self._http.request(
            method, path, content=_encode(body), headers={"If-Match": "*"}
        )
        if not answer.is_success:
            raise BenchFailure(f"{path}: {answer.status_code} {answer.text}")

    async def _client(self, token: str) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            base_url=f"http://{LOOPBACK}:{self._site.port(PROCESSES)}",
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            limits=httpx.Limits(max_connections=1),
            timeout=30,
        )
        return await self._stack.enter_async_context(client)


def _version(submission: Submission, text: bytes) -> dict[str, Any]:
    examples = examples_document(submission)
    return {
        "schema": msgspec.Raw(text),
        "examples": {kind: examples[kind] for kind in ("valid", "invalid")},
    }
