"""What a subscriber over gRPC is sent, without a server: credit, sizes and slowness."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.base.errors import NotAuthenticated, NusabusError, RequestTimeout
from gateway.base.stop import Stop
from gateway.contracts import Catalogue
from gateway.delivery import StreamEvent
from gateway.grpc import outgoing, subscribe
from gateway.grpc.events import write_event
from gateway.grpc.incoming import Disconnected
from gateway.grpc.outgoing import Credit, Outgoing
from gateway.grpc.wire.bus_pb2 import (
    Delivery,
    OpenSubscription,
    SubscribeRequest,
    SubscribeResponse,
)
from gateway.grpc.wire.cloudevents_pb2 import CloudEvent
from gateway.identity import not_authenticated
from gateway.journal import Cursor
from gateway.subscriptions import Delivery as DeliveryWay
from gateway.subscriptions import Subscription, register
from tests.builders import a_subscription, an_entry, an_event


class Client:
    """A channel whose other side reads as long as the test says so."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[SubscribeRequest | None] = asyncio.Queue()
        self.received: list[SubscribeResponse] = []
        self.reads = asyncio.Event()

    async def receive(self) -> bytes | None:
        message = await self.sent.get()
        return None if message is None else message.SerializeToString()

    async def until(self, kind: str) -> SubscribeResponse:
        """The first message of a kind."""
        async with asyncio.timeout(10):
            while True:
                for each in self.received:
                    if each.WhichOneof("message") == kind:
                        return each
                await asyncio.sleep(0)

    async def send(self, message: object) -> None:
        await self.reads.wait()
        assert isinstance(message, SubscribeResponse)
        self.received.append(message)


async def test_credit_adds_up() -> None:
    credit = Credit()
    waiting = asyncio.create_task(credit.available(100))
    await asyncio.sleep(0)
    assert not waiting.done()
    credit.add(0)
    credit.add(150)
    assert await waiting == 100
    credit.spend(100)
    assert await credit.available(100) == 50
    credit.end()
    assert await credit.available(100) == 0


async def test_the_end_is_an_end_for_who_waits() -> None:
    credit = Credit()
    waiting = asyncio.create_task(credit.available(1))
    await asyncio.sleep(0)
    credit.end()
    assert await waiting == 0


async def test_messages_have_a_size_that_clients_take() -> None:
    client = Client()
    client.reads.set()
    sending = Outgoing(client)
    sizes = [10, 400_000, 400_000, 400_000, 2_000_000, 10, 10]
    await sending.deliver(Delivery(event=CloudEvent(binary_data=b"x" * each)) for each in sizes)
    counts = [len(each.deliveries.deliveries) for each in client.received]
    assert counts == [3, 1, 1, 2]
    assert sum(counts) == len(sizes)


async def test_who_reads_nothing_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "SLOW", 0.01)
    with pytest.raises(RequestTimeout):
        await Outgoing(Client()).deliver([Delivery()])


def test_an_event_without_data_has_none() -> None:
    attributes = ("00-0000000000000001", "2026-05-04T00:00:00Z", "uji", None)
    message = write_event(an_event(data=None, subject=None), attributes)
    assert message.WhichOneof("data") is None
    assert sorted(message.attributes) == [
        "datacontenttype", "publisher", "recordedtime", "sequence",
    ]  # fmt: skip


class Followed:
    """Stream delivery whose events the test gives."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[StreamEvent] = asyncio.Queue()
        self.left = False

    async def begin(self, *_: object) -> tuple[dict[int, Cursor], None]:
        return {}, None

    async def follow(self, *_: object) -> AsyncGenerator[StreamEvent, None]:
        try:
            while True:
                yield await self.events.get()
        finally:
            self.left = True

    def require(self, _: object) -> None:
        """It may be followed."""


class Caller:
    """A client that has its rights until the test takes them."""

    def __init__(self) -> None:
        self.expires = time.time() + 3600
        self.error: NusabusError | None = None

    async def client(self) -> Any:
        if self.error is not None:
            raise self.error
        return SimpleNamespace(organisation="lain", require=lambda _: None)


class Call:
    """A call of `Subscribe` that has been opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def existing(*_: object) -> Subscription:
            return a_subscription(delivery=DeliveryWay.STREAM)

        monkeypatch.setattr(register, "existing", existing)
        monkeypatch.setattr(subscribe, "TICK", 0.001)
        self.client, self.caller, self.followed, self.stop = Client(), Caller(), Followed(), Stop()
        self.directories = SimpleNamespace(revision=1)
        context: Any = SimpleNamespace(
            directories=self.directories,
            catalogues=SimpleNamespace(value=Catalogue({}, {})),
            database=SimpleNamespace(session=a_session),
            settings=SimpleNamespace(header_seconds=5, token_seconds=600),
            stream=self.followed,
            wakeups=SimpleNamespace(wake=lambda _: None),
            stop=self.stop,
        )
        caller: Any = self.caller
        who: Any = SimpleNamespace(organisation="lain")
        self.client.reads.set()
        opening = OpenSubscription(subscription="semua", credit=10)
        self.client.sent.put_nowait(SubscribeRequest(open=opening))
        self.running = asyncio.create_task(
            subscribe.Subscribe(context, caller, who).run(self.client)
        )


@asynccontextmanager
async def a_session() -> AsyncIterator[None]:
    yield


async def test_a_heartbeat_has_the_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribe, "HEARTBEAT", 0.0)
    call = Call(monkeypatch)
    call.followed.events.put_nowait(StreamEvent(None, "i:7"))
    await call.client.until("opened")
    while (await call.client.until("heartbeat")).heartbeat.position != "i:7":
        call.client.received.clear()
    call.client.sent.put_nowait(None)
    await call.running
    assert call.followed.left


async def test_a_process_that_ends_says_so_last(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call(monkeypatch)
    call.followed.events.put_nowait(StreamEvent(an_entry(), "i:1"))
    await call.client.until("deliveries")
    call.stop.set()
    await call.running
    kinds = [each.WhichOneof("message") for each in call.client.received]
    assert kinds == ["opened", "deliveries", "draining"]
    assert call.client.received[-1].draining.position == "i:1"


async def test_who_loses_the_right_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call(monkeypatch)
    await call.client.until("opened")
    call.caller.error = not_authenticated()
    call.directories.revision = 2
    with pytest.raises(NotAuthenticated):
        await call.running


async def test_what_ends_the_events_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call(monkeypatch)
    await call.client.until("opened")
    call.followed.events.put_nowait(StreamEvent(an_entry(), "i:1"))

    async def fail(*_: object) -> None:
        raise Disconnected

    monkeypatch.setattr(call.client, "send", fail)
    with pytest.raises(Disconnected):
        await call.running
