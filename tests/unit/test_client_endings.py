"""A call over gRPC that has ended when the client library writes: what was said is heard at last.

gRPC makes the status of such a call INTERNAL if its end is known to its core alone. So the library
takes that for an outage and calls again, until it hears of the refusal.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from adapters.client import CallRetryPolicy, Problem
from adapters.client import grpc_publishing as publishing
from adapters.client import grpc_subscribing as subscribing
from adapters.client.grpc_channel import open_channel
from tests.unit.test_client_receiving import access_token

SOON = CallRetryPolicy(attempts=6, first_delay=0.01, longest_delay=0.05)
CODE = grpc.StatusCode
UNHEARD = 3  # calls whose end is not heard
METHODS = ("PublishStream", "Subscribe")


class Server:
    """Refuses every call a moment after it began, in threads that no event loop holds up."""

    def __init__(self) -> None:
        self.calls, self.code = 0, CODE.PERMISSION_DENIED
        self._server = grpc.server(ThreadPoolExecutor(4))
        handler: Any = grpc.stream_stream_rpc_method_handler(self._refuse)
        generic = grpc.method_handlers_generic_handler(
            "nusabus.bus.v1.BusService", dict.fromkeys(METHODS, handler)
        )
        self._server.add_generic_rpc_handlers((generic,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _refuse(self, _: object, call: grpc.ServicerContext) -> Iterator[bytes]:
        self.calls += 1
        time.sleep(0.05)
        call.abort(self.code, "You have lost the right.")
        yield b""


class LateCall:
    """A call whose first write comes when it has ended: in the core alone, or for everybody."""

    def __init__(self, call: Any, *, heard: bool) -> None:
        self._call, self._heard = call, heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    async def write(self, message: object) -> None:
        await self._call.wait_for_connection()
        if self._heard:
            await self._call.code()
        else:
            time.sleep(0.3)  # noqa: ASYNC251 - the event loop learns nothing meanwhile
        await self._call.write(message)


class LateChannel:
    """The first calls write late."""

    def __init__(self, channel: grpc.aio.Channel, late: int, *, heard: bool) -> None:
        self._channel, self._late, self._heard = channel, late, heard

    async def __aenter__(self) -> "LateChannel":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    def stream_stream(self, *given: Any, **more: Any) -> Any:
        make: Any = self._channel.stream_stream(*given, **more)

        def call(**settings: Any) -> Any:
            self._late -= 1
            made = make(**settings)
            return made if self._late < 0 else LateCall(made, heard=self._heard)

        return call


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


async def publish(server: Server) -> None:
    publisher = publishing.StreamPublisher(server.address, access_token, tls=False, retry=SOON)
    async for _ in publisher.publish(lambda _: []):
        pytest.fail("nothing can be stored")


async def receive(server: Server) -> None:
    subscriber = subscribing.Subscriber(server.address, access_token, tls=False, retry=SOON)
    async with subscriber.receive("s") as events:
        await anext(events)


@pytest.mark.parametrize("work", [publish, receive])
@pytest.mark.parametrize("code", [CODE.UNAUTHENTICATED, CODE.PERMISSION_DENIED])
@pytest.mark.parametrize("heard", [False, True])
async def test_a_refusal_is_reported_though_a_call_ended_before_the_first_write(
    server: Server, monkeypatch: pytest.MonkeyPatch, work: Any, code: grpc.StatusCode, heard: bool
) -> None:
    def open_late(*given: Any) -> Any:
        return LateChannel(open_channel(*given), UNHEARD, heard=heard)

    for module in (publishing, subscribing):
        monkeypatch.setattr(module, "open_channel", open_late)
    server.code = code
    with pytest.raises(Problem, match="You have lost the right") as caught:
        await work(server)
    assert caught.value.status == {CODE.UNAUTHENTICATED: 401}.get(code, 403)
    another_token = work is publish and code is CODE.UNAUTHENTICATED
    assert server.calls == (1 if heard else UNHEARD + 1) + another_token
