"""The receiver of the client library, at a server that does what the test says."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from adapters.client import Blocking, CallRetryPolicy, Problem
from adapters.client.grpc_subscribing import Subscriber
from adapters.client.wire import bus_pb2 as messages
from adapters.client.wire.cloudevents_pb2 import CloudEvent

SOON = CallRetryPolicy(attempts=1 << 30, first_delay=0.01, longest_delay=0.05)


async def access_token() -> str:
    return "a token"


def an_answer(**message: Any) -> messages.SubscribeResponse:
    return messages.SubscribeResponse(**message)


class Server:
    """Gives as many events as there is credit for. The first call breaks after `until` of them."""

    def __init__(self, until: int) -> None:
        self.until, self.calls, self.given = until, 0, 0
        self.most = 0
        """The most events that one call was given credit for, and that were not settled yet."""

    async def __aenter__(self) -> "Server":
        self._server = grpc.aio.server()
        handler = grpc.stream_stream_rpc_method_handler(
            self._subscribe,
            request_deserializer=messages.SubscribeRequest.FromString,
            response_serializer=messages.SubscribeResponse.SerializeToString,
        )
        generic = grpc.method_handlers_generic_handler(
            "nusabus.bus.v1.BusService", {"Subscribe": handler}
        )
        self._server.add_generic_rpc_handlers((generic,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0)

    def subscriber(self) -> Subscriber:
        return Subscriber(self.address, access_token, tls=False, retry=SOON)

    def _events(self, count: int) -> messages.SubscribeResponse:
        new = range(self.given, self.given + count)
        self.given += count
        event = CloudEvent(spec_version="1.0", source="/s", type="t", binary_data=b'{"n": 1}')
        deliveries = [messages.Delivery(event=event, token=f"t{n}", attempt=1) for n in new]
        for each, number in zip(deliveries, new, strict=True):
            each.event.id = f"e{number}"
        return an_answer(deliveries=messages.Deliveries(deliveries=deliveries))

    async def _subscribe(
        self, requests: AsyncIterator[messages.SubscribeRequest], call: Any
    ) -> AsyncIterator[messages.SubscribeResponse]:
        self.calls += 1
        first, open_events = self.calls == 1, 0
        async for request in requests:
            kind = str(request.WhichOneof("message"))
            credit = request.open.credit if kind == "open" else request.credit.events
            if kind == "open":
                if request.open.subscription == "absent":
                    await call.abort(grpc.StatusCode.NOT_FOUND, "There is none.")
                yield an_answer(opened=messages.SubscriptionOpened(delivery="pull"))
            elif kind != "credit":
                if first and self.given >= self.until:
                    await call.abort(grpc.StatusCode.UNAVAILABLE, "It has broken.")
                tokens = getattr(request, kind).tokens
                open_events -= len(tokens)
                yield an_answer(settled=messages.Settled(settled=tokens))
            if credit:
                open_events += credit
                self.most = max(self.most, open_events)
                yield self._events(credit)


async def test_it_goes_on_after_a_broken_call_and_asks_again() -> None:
    lost: list[Exception | None] = []
    async with Server(until=20) as server:
        found = []
        receiving = server.subscriber().receive("s", credit=10, on_reconnect=lost.append)
        async with receiving as events:
            async for event in events:
                found.append(event.document["id"])
                assert await events.acknowledge(event) == []
                if len(found) == 60:
                    break
        assert found == [f"e{number}" for number in range(60)]
        assert (server.calls, [type(each) for each in lost]) == (2, [Problem])
        assert server.most <= 20


async def test_what_trying_again_does_not_mend_is_raised() -> None:
    async with Server(until=0) as server:
        async with server.subscriber().receive("absent") as events:
            with pytest.raises(Problem, match="There is none") as caught:
                await anext(events)
        assert (caught.value.status, server.calls) == (404, 1)


async def test_it_serves_programs_without_asyncio() -> None:
    def program(subscriber: Subscriber) -> list[str]:
        with Blocking() as wait:
            events = wait.enter(subscriber.receive("s", credit=4))
            tokens: list[str] = []
            for event in wait.each(events):
                assert wait(events.release(event, delay=1, reason="later")) == []
                tokens.append(event.token)
                if len(tokens) == 9:
                    return tokens
            return []

    async with Server(until=1000) as server:
        found = await asyncio.to_thread(program, server.subscriber())
    assert found == [f"t{number}" for number in range(9)]
