"""The gRPC door without a server: what is generated, how errors are told, and the waiting."""

import asyncio
import logging
import time
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from adapters.client.wire import bus_pb2 as client_messages
from deploy.local.protobuf import PACKAGES, generated
from gateway.base import errors
from gateway.base.stop import Stop
from gateway.grpc import incoming as incoming_module
from gateway.grpc import publish_stream
from gateway.grpc.incoming import Incoming
from gateway.grpc.problems import code_of, status_of
from gateway.grpc.publish_stream import PublishStream
from gateway.grpc.window import StreamWindow
from gateway.grpc.wire.bus_pb2 import (
    Chunk,
    OpenStream,
    PublishStreamRequest,
    PublishStreamResponse,
    RenewToken,
)
from gateway.identity import not_authenticated
from gateway.journal.checkpoints import Checkpoint, furthest
from gateway.processes.grpc_server import LOGGER, is_no_lost_client
from gateway.publishing import Limits
from gateway.publishing.accounting import REFUSED
from tests.unit.test_problems import every, made

DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE = 4, 13, 14


@pytest.mark.parametrize("package", PACKAGES)
def test_the_code_is_what_the_interface_generates(package: str) -> None:
    for file, text in generated(package):
        assert file.read_text() == text, f"run `make proto`: {file}"


@pytest.mark.parametrize("kind", list(every(errors.NusabusError)))
def test_every_error_has_a_status(kind: type[errors.NusabusError]) -> None:
    error = made(kind)
    status = status_of(error)
    problem = client_messages.Problem()
    assert status.details[0].Unpack(problem)
    assert (status.code, status.message) == (code_of(error), problem.detail)
    assert (problem.status >= 500) <= (status.code in (INTERNAL, UNAVAILABLE, DEADLINE_EXCEEDED))


def test_an_answer_whose_client_has_gone_is_not_logged() -> None:
    def record(error: Exception) -> logging.LogRecord:
        raised = (type(error), error, None)
        return logging.LogRecord(LOGGER, logging.ERROR, "server.pyx", 1, "raised", (), raised)

    assert not is_no_lost_client(record(grpc.aio.InternalError("Failed grpc_call_start_batch")))
    assert is_no_lost_client(record(ValueError("a defect")))
    assert is_no_lost_client(logging.makeLogRecord({"msg": "something else"}))


def test_a_stream_has_come_as_far_as_the_furthest() -> None:
    given = [Checkpoint("b", "s", 3), Checkpoint("a", "s", 2), Checkpoint("b", "s", 1)]
    assert furthest(given) == [Checkpoint("a", "s", 2), Checkpoint("b", "s", 3)]


class Client:
    """A channel whose other side is the test."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[PublishStreamRequest | None] = asyncio.Queue()
        self.received: asyncio.Queue[PublishStreamResponse] = asyncio.Queue()
        self.read = 0

    async def receive(self) -> bytes | None:
        message = await self.sent.get()
        self.read += 1
        return None if message is None else message.SerializeToString()

    async def send(self, message: Any) -> None:
        await self.received.put(message)

    def chunk(self, number: int, events: int = 1) -> None:
        chunk = Chunk(number=number)
        for _ in range(events):
            chunk.events.add(id="x")
        self.sent.put_nowait(PublishStreamRequest(chunk=chunk))


UJI: Any = SimpleNamespace(id="c", organisation="uji", require=lambda _: None)


class FakeCaller:
    """A client whose token expires when the test says so."""

    def __init__(self, seconds: float) -> None:
        self._expires = time.time() + seconds

    @property
    def expires(self) -> float:
        if self._expires <= time.time():
            raise not_authenticated()
        return self._expires

    async def client(self) -> Any:
        return UJI

    async def renew(self, token: str, client: object) -> None:
        assert (token, client) == ("new", UJI)
        self._expires = time.time() + 60


def stream(caller: FakeCaller, stop: Stop, publisher: Any = None) -> PublishStream:
    async def record(_: object) -> None:
        """Nothing is kept."""

    gate = SimpleNamespace(publishing_wait=0.0, publish=lambda _: None, spend=lambda *_: None)
    context: Any = SimpleNamespace(
        limits=Limits(1 << 20, 4 << 20, 1000),
        settings=SimpleNamespace(header_seconds=1.0, token_seconds=5),
        stop=stop,
        limiter=SimpleNamespace(gate=lambda _: gate),
        publisher=publisher,
        refusals=SimpleNamespace(record=record),
    )
    by: Any = caller
    return PublishStream(context, by, UJI)


async def opened(work: PublishStream) -> tuple[Client, asyncio.Task[None]]:
    client = Client()
    client.sent.put_nowait(PublishStreamRequest(open=OpenStream()))
    running = asyncio.create_task(work.run(client))
    assert (await client.received.get()).WhichOneof("message") == "opened"
    return client, running


class Publisher:
    """Takes nothing for some times, then everything."""

    def __init__(self, *errors: errors.NusabusError) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def publish_each(self, events: Any, *_: object, **__: object) -> Any:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return events


async def test_who_is_not_answered_is_not_read_from() -> None:
    client, window = Client(), StreamWindow(4, 1 << 20)
    incoming = Incoming(PublishStreamRequest, client, window, Stop(), lambda m: len(m.chunk.events))
    for number in range(1, 9):
        client.chunk(number, events=2)
    later = time.time() + 60
    for _ in range(2):
        await incoming.next(later)
    for _ in range(20):
        await asyncio.sleep(0)
    assert (client.read, window.open[0]) == (2, 4)
    window.give_back(2, 0)
    await incoming.next(later)
    assert client.read == 3
    incoming.close()


async def test_a_bus_that_takes_nothing_slows_the_stream_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publish_stream, "RETRY_FIRST", 0.001)
    full = errors.BacklogFull("full")
    publisher = Publisher(full, errors.JournalUnavailable("unknown"), full)
    client, running = await opened(stream(FakeCaller(60), Stop(), publisher))
    client.chunk(1)
    client.sent.put_nowait(None)
    assert (await client.received.get()).result.number == 1
    await running
    assert publisher.calls == 4


async def test_a_bus_that_takes_nothing_for_long_ends_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publish_stream, "PATIENCE", 0.0)
    client, running = await opened(
        stream(FakeCaller(60), Stop(), Publisher(errors.BacklogFull("full")))
    )
    client.chunk(1)
    with pytest.raises(errors.BacklogFull):
        await running


async def test_a_chunk_that_is_refused_as_a_whole_counts_each_event() -> None:
    counted = REFUSED.labels("invalid")
    before = counted._value.get()
    client, running = await opened(
        stream(FakeCaller(60), Stop(), Publisher(errors.Invalid("No database stores it.")))
    )
    client.chunk(1, events=3)
    client.sent.put_nowait(None)
    result = (await client.received.get()).result
    await running
    assert [each.event for each in result.refused] == [0, 1, 2]
    assert counted._value.get() == before + 3


async def test_a_token_is_asked_for_before_it_expires() -> None:
    client, running = await opened(stream(FakeCaller(1.2), Stop(), Publisher()))
    assert (await client.received.get()).WhichOneof("message") == "token_expiring"
    client.sent.put_nowait(PublishStreamRequest(renew=RenewToken(access_token="new")))
    client.chunk(1)
    assert (await client.received.get()).WhichOneof("message") == "result"
    client.sent.put_nowait(None)
    await running


async def test_an_expired_token_ends_the_stream() -> None:
    client, running = await opened(stream(FakeCaller(0.3), Stop(), Publisher()))
    assert (await client.received.get()).WhichOneof("message") == "token_expiring"
    with pytest.raises(errors.NotAuthenticated):
        await running


async def test_a_process_that_ends_answers_what_it_has_read() -> None:
    stop = Stop()
    client, running = await opened(stream(FakeCaller(60), stop, Publisher()))
    client.chunk(1)
    client.chunk(2)
    assert (await client.received.get()).result.number == 1
    stop.set()
    left = [await client.received.get()]
    while left[-1].WhichOneof("message") == "result":
        left.append(await client.received.get())
    assert left[-1].draining.last_chunk == len(left)
    client.chunk(3)  # who writes on is not cut off
    await asyncio.sleep(0.01)
    assert not running.done()
    client.sent.put_nowait(None)
    await running
    assert client.received.empty()


async def test_a_client_that_does_not_leave_ends_no_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming_module, "FAREWELL", 0.01)
    stop = Stop()
    client, running = await opened(stream(FakeCaller(60), stop, Publisher()))
    stop.set()
    assert (await client.received.get()).WhichOneof("message") == "draining"
    await running


async def test_who_opens_nothing_is_not_waited_for() -> None:
    work = stream(FakeCaller(60), Stop())
    work._context.settings.header_seconds = 0.01
    with pytest.raises(errors.RequestTimeout):
        await work.run(Client())
