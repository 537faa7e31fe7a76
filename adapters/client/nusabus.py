"""The connection of a client: publish, subscribe, and call any operation of the API."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Self

import httpx

from adapters.client.call_retry import CallRetryPolicy, is_unknown
from adapters.client.problem import Problem
from adapters.client.tls import Tls
from adapters.client.tokens import ClientCredentials
from adapters.client.values import Receipt, Subscription

TIMEOUT = 15.0  # seconds; the gateway itself gives up after 10
EVENTS = "/v1/events"
EVENT = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


class OutcomeUnknown(Exception):
    """No attempt was answered, so the event may be stored or not. Publish it again, same id.

    `event` is the event that was sent, with its id, or a list of them. The cause is the last
    failure.
    """

    def __init__(self, event: Any, cause: Exception) -> None:
        super().__init__(
            f"It is unknown whether it was stored. Publish it again with the same id. ({cause})"
        )
        self.event = event

    @property
    def ids(self) -> list[str]:
        """The ids of the events that were sent."""
        sent = self.event if isinstance(self.event, list) else [self.event]
        return [str(each["id"]) for each in sent if isinstance(each, Mapping)]


class Nusabus:
    """A connection to the gateway as one client. Use it as `async with Nusabus(...) as bus:`.

    Methods raise Problem if the gateway refuses the call, and httpx.TransportError if it cannot
    be reached. Methods that send events raise OutcomeUnknown if no attempt was answered.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str = "",
        *,
        tls: Tls | None = None,
        retry: CallRetryPolicy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Without a secret, the certificate in `tls` authenticates the client (RFC 8705).

        Raises UnusableFile.
        """
        base = url.rstrip("/")
        self._retry = retry or CallRetryPolicy()
        self._credentials = ClientCredentials(base, client_id, client_secret)
        self._http = httpx.AsyncClient(
            base_url=base,
            auth=self._credentials,
            timeout=TIMEOUT,
            transport=transport,
            verify=True if tls is None else tls.context(),
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def log_in(self) -> None:
        """Fetch an access token, to check the credentials. Other calls do it by themselves."""
        self._credentials.keep(await self._http.send(self._credentials.request(), auth=None))

    async def access_token(self) -> str:
        """A new access token, for calls over gRPC. Raises Problem, httpx.TransportError."""
        await self.log_in()
        return self._credentials.token

    async def publish(self, event: Mapping[str, Any]) -> Receipt:
        """Publish one CloudEvent in its JSON format. Once this returns it is durably stored.

        An event without `id` gets a random one. A call that was not answered is repeated with the
        same id, so the event is stored once.
        """
        return Receipt.of(await self.send(EVENTS, complete(event), EVENT))

    async def publish_batch(
        self, events: Sequence[Mapping[str, Any]], *, atomic: bool = False
    ) -> list[Receipt | Problem]:
        """Publish up to 1,000 events in one call. Returns the result of each, in their order.

        `atomic` stores all of them or none.
        """
        completed = [complete(event) for event in events]
        query = {"atomic": "true" if atomic else "false"}
        answer = await self.send(EVENTS, completed, BATCH, params=query)
        return [
            Receipt.of(each["receipt"]) if "receipt" in each else Problem.of(each["problem"])
            for each in answer["results"]
        ]

    async def subscribe(
        self,
        name: str,
        types: Sequence[str],
        *,
        delivery: str | None = None,
        ordered: bool = False,
        start: str | datetime | None = None,
    ) -> Subscription:
        """Create a subscription, or return the identical one (then without its AMQP URL).

        `delivery` is amqp (default), pull, stream or webhook. `start` is now, beginning, waiting
        (point-to-point) or a time with a zone.
        """
        body: dict[str, Any] = {"types": list(types), "ordered": ordered}
        if delivery is not None:
            body["delivery"] = delivery
        if start is not None:
            body["start"] = start.isoformat() if isinstance(start, datetime) else start
        return Subscription.of(await self.call("PUT", f"/v1/subscriptions/{name}", json=body))

    async def subscription(self, name: str) -> Subscription:
        """A subscription by its name."""
        return Subscription.of(await self.call("GET", f"/v1/subscriptions/{name}"))

    async def subscriptions(self) -> list[Subscription]:
        """Every subscription of the organisation."""
        return [Subscription.of(each) for each in await self.all("/v1/subscriptions")]

    async def renew(self, name: str) -> Subscription:
        """Give a subscription a new AMQP URL. The password in the old one is void."""
        return Subscription.of(await self.call("POST", f"/v1/subscriptions/{name}/credentials"))

    async def unsubscribe(self, name: str) -> int:
        """End a subscription. Returns how many messages its queue still held."""
        held: int = (await self.call("DELETE", f"/v1/subscriptions/{name}"))["discarded_messages"]
        return held

    async def acknowledged(self, name: str, sequences: Sequence[str]) -> list[str]:
        """Report which events a consumer of an AMQP subscription has settled, up to 1,000.

        `sequences` are the values of the attribute `sequence`. The result of each is `noted`, or
        `unknown` if the subscription does not receive such an event. It may be repeated.
        """
        path = f"/v1/subscriptions/{name}/acknowledged"
        answer = await self.call("POST", path, json={"sequences": list(sequences)})
        return list(answer["results"])

    async def call(self, method: str, path: str, **request: Any) -> Any:
        """Call any operation; `request` takes the arguments of httpx. Returns the JSON."""
        response = await self.request(method, path, **request)
        return response.json() if response.content else None

    async def request(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Call any operation, and return the answer with its headers and bytes."""
        response = await self._http.request(method, path, **request)
        if response.is_success or _is_batch(response):
            return response
        raise Problem.answered(response)

    @asynccontextmanager
    async def stream(self, method: str, path: str, **request: Any) -> AsyncIterator[httpx.Response]:
        """Call an operation whose answer is read as it comes."""
        async with self._http.stream(method, path, **request) as response:
            if not response.is_success:
                await response.aread()
                raise Problem.answered(response)
            yield response

    async def all(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Every item of a list, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            page = await self.call("GET", path, params=query)
            found += page["items"]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]

    async def retried(self, method: str, path: str, **request: Any) -> Any:
        """Make a call that may be repeated, again and again until its outcome is known."""
        failed = 0
        while True:
            try:
                return await self.call(method, path, **request)
            except (Problem, httpx.TransportError) as error:
                failed += 1
                delay = self._retry.delay(failed, error)
                if delay is None:
                    raise
            await asyncio.sleep(delay)

    async def settled(self, path: str, *, event: object, **request: Any) -> Any:
        """POST a call that may be repeated until its outcome is known. Returns the JSON.

        Raises OutcomeUnknown with the event if no attempt was answered.
        """
        try:
            return await self.retried("POST", path, **request)
        except (Problem, httpx.TransportError) as error:
            if is_unknown(error):
                raise OutcomeUnknown(event, error) from error
            raise

    async def send(self, path: str, events: object, content_type: str, **request: Any) -> Any:
        """POST events, which are stored once however often they are sent."""
        body = json.dumps(events, ensure_ascii=False, allow_nan=False).encode()
        headers = {**request.pop("headers", {}), "Content-Type": content_type}
        return await self.settled(path, content=body, headers=headers, event=events, **request)


def complete(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with `specversion`, and with a random id if it has none."""
    return {"specversion": "1.0", "id": str(uuid.uuid4()), **event}


def _is_batch(response: httpx.Response) -> bool:
    """Whether it answers event by event. A refused atomic batch does so with 422."""
    return response.status_code == 422 and response.headers["content-type"] == "application/json"
