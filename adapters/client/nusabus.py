"""The client of a ministry: publish, subscribe."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Self

import httpx

from adapters.client.problem import Problem
from adapters.client.repeat import Repeat, is_unknown
from adapters.client.tokens import ClientCredentials
from adapters.client.values import Receipt, Subscription

TIMEOUT = 15.0  # seconds; the gateway itself gives up after 10
EVENTS = "/v1/events"
EVENT = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


class OutcomeUnknown(Exception):
    """All attempts failed without an answer that settles it. Send it again later, the same event.

    `event` is what was sent, with its id, one or a list; the cause is the last failure.
    """

    def __init__(self, event: Any, cause: Exception) -> None:
        super().__init__(f"nobody knows whether it was stored; send it again, same id: {cause}")
        self.event = event

    @property
    def ids(self) -> list[str]:
        """The ids of the events that were sent."""
        sent = self.event if isinstance(self.event, list) else [self.event]
        return [str(each["id"]) for each in sent if isinstance(each, Mapping)]


class Nusabus:
    """A connection to the gateway as one client. Use it as `async with Nusabus(...) as bus:`.

    Methods raise Problem for what the gateway refused, httpx.TransportError when it cannot be
    reached, and those that send events OutcomeUnknown when repeating did not settle it.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        *,
        repeat: Repeat | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        base = url.rstrip("/")
        self._repeat = repeat or Repeat()
        self._http = httpx.AsyncClient(
            base_url=base,
            auth=ClientCredentials(base, client_id, client_secret),
            timeout=TIMEOUT,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def publish(self, event: Mapping[str, Any]) -> Receipt:
        """Publish one CloudEvent, given as in its JSON format; durable once this returns.

        Without `id` it gets a random one. Unknown outcomes are repeated with the same id, which
        stores it once.
        """
        return Receipt.of(await self.send(EVENTS, complete(event), EVENT))

    async def publish_batch(
        self, events: Sequence[Mapping[str, Any]], *, atomic: bool = False
    ) -> list[Receipt | Problem]:
        """Publish up to 1,000 events in one call: the outcome of each, in its place.

        `atomic` stores all of them or none.
        """
        whole = [complete(event) for event in events]
        query = {"atomic": "true" if atomic else "false"}
        answer = await self.send(EVENTS, whole, BATCH, params=query)
        return [
            Receipt.of(each["receipt"]) if "receipt" in each else Problem.of(each["problem"])
            for each in answer["results"]
        ]

    async def subscribe(
        self,
        name: str,
        types: Sequence[str],
        *,
        ordered: bool = False,
        start: str | datetime | None = None,
    ) -> Subscription:
        """Make a subscription, or find the same one again (then without its AMQP URL).

        `start` is now, beginning, waiting (point-to-point) or a time with a zone.
        """
        wish: dict[str, Any] = {"types": list(types), "ordered": ordered}
        if start is not None:
            wish["start"] = start.isoformat() if isinstance(start, datetime) else start
        return Subscription.of(await self.call("PUT", f"/v1/subscriptions/{name}", json=wish))

    async def subscription(self, name: str) -> Subscription:
        """A subscription as it stands."""
        return Subscription.of(await self.call("GET", f"/v1/subscriptions/{name}"))

    async def subscriptions(self) -> list[Subscription]:
        """Every subscription of the organisation."""
        return [Subscription.of(each) for each in await self.all("/v1/subscriptions")]

    async def renew(self, name: str) -> Subscription:
        """A new AMQP URL for a subscription; the password in the old one is void."""
        return Subscription.of(await self.call("POST", f"/v1/subscriptions/{name}/credentials"))

    async def unsubscribe(self, name: str) -> int:
        """End a subscription; how many messages its queue still held."""
        held: int = (await self.call("DELETE", f"/v1/subscriptions/{name}"))["held"]
        return held

    async def acknowledged(self, name: str, sequences: Sequence[str]) -> list[str]:
        """Report what the consumer of an AMQP subscription has settled, up to 1,000 at once.

        `sequences` are the attributes of that name. For each comes `noted`, or `unknown` where
        the subscription is to get no such event. Reporting again does no harm.
        """
        path = f"/v1/subscriptions/{name}/acknowledged"
        answer = await self.call("POST", path, json={"sequences": list(sequences)})
        return list(answer["results"])

    async def call(self, method: str, path: str, **request: Any) -> Any:
        """One call of the API, as any client of httpx would make it; the JSON of its answer."""
        response = await self.request(method, path, **request)
        return response.json() if response.content else None

    async def request(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One call of the API; its answer with headers and the bytes as they came."""
        response = await self._http.request(method, path, **request)
        if response.is_success or _is_batch(response):
            return response
        raise Problem.answered(response)

    @asynccontextmanager
    async def stream(self, method: str, path: str, **request: Any) -> AsyncIterator[httpx.Response]:
        """One call whose answer is read as it comes."""
        async with self._http.stream(method, path, **request) as response:
            if not response.is_success:
                await response.aread()
                raise Problem.answered(response)
            yield response

    async def all(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Every item of a list, which comes in pieces."""
        found: list[dict[str, Any]] = []
        while True:
            piece = await self.call("GET", path, params=query)
            found += piece["items"]
            if piece["next"] is None:
                return found
            query["cursor"] = piece["next"]

    async def repeated(self, method: str, path: str, **request: Any) -> Any:
        """One call that does no harm when repeated, until its outcome is known."""
        failed = 0
        while True:
            try:
                return await self.call(method, path, **request)
            except (Problem, httpx.TransportError) as error:
                failed += 1
                pause = self._repeat.pause(failed, error)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def settled(self, path: str, *, event: object, **request: Any) -> Any:
        """POST what may be repeated, until its outcome is known; the JSON of the answer.

        Raises OutcomeUnknown with the event where repeating did not settle it.
        """
        try:
            return await self.repeated("POST", path, **request)
        except (Problem, httpx.TransportError) as error:
            if is_unknown(error):
                raise OutcomeUnknown(event, error) from error
            raise

    async def send(self, path: str, events: object, content_type: str, **request: Any) -> Any:
        """POST events, which are stored once however often they come. Raises OutcomeUnknown."""
        body = json.dumps(events, ensure_ascii=False, allow_nan=False).encode()
        headers = {**request.pop("headers", {}), "Content-Type": content_type}
        return await self.settled(path, content=body, headers=headers, event=events, **request)


def complete(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with what every one has, the id random where it has none."""
    return {"specversion": "1.0", "id": str(uuid.uuid4()), **event}


def _is_batch(response: httpx.Response) -> bool:
    """Whether it answers event by event: a refused atomic batch does so with 422."""
    return response.status_code == 422 and response.headers["content-type"] == "application/json"
