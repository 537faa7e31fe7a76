"""A client of the gRPC door, without the client library."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import pytest
from grpc_status import rpc_status

from adapters.client.wire.bus_pb2 import (
    Chunk,
    ChunkResult,
    Delivery,
    OpenStream,
    OpenSubscription,
    Problem,
    PublishRequest,
    PublishResponse,
    PublishStreamRequest,
    PublishStreamResponse,
    RequestRequest,
    RequestResponse,
    RespondRequest,
    RespondResponse,
    Settled,
    SubscribeRequest,
    SubscribeResponse,
)
from adapters.client.wire.cloudevents_pb2 import CloudEvent
from deploy.local.ports import LOOPBACK, free_port
from tests.builders import a_document
from tests.bus import Actor, Bus
from tests.waiting import eventually

SERVICE = "/nusabus.bus.v1.BusService"
_FIELDS = ("id", "source", "type")


def a_message(**changes: Any) -> CloudEvent:
    """The event of `a_document` in the protobuf format."""
    return as_message(a_document(**changes))


def as_message(document: Mapping[str, Any]) -> CloudEvent:
    """An event in the protobuf format; its data are JSON."""
    message = CloudEvent(spec_version=document["specversion"])
    for name, value in document.items():
        if name in _FIELDS:
            setattr(message, name, value)
        elif name == "data":
            message.binary_data = json.dumps(value).encode()
            message.attributes["datacontenttype"].ce_string = "application/json"
        elif name != "specversion" and value is not None:
            message.attributes[name].ce_string = value
    return message


def details_of(error: grpc.aio.AioRpcError) -> Any:
    """The google.rpc.Status of a call that failed."""
    call: Any = error
    status = rpc_status.from_call(call)
    assert status is not None, error
    return status


def problem_of(error: grpc.aio.AioRpcError) -> Problem:
    """The problem in the details of a call that failed."""
    status = details_of(error)
    found = Problem()
    assert status.details[0].Unpack(found)
    return found


class GrpcProcess:
    """A grpc process of a bus; it may be started again on the same port."""

    def __init__(self, bus: Bus, **settings: str) -> None:
        self.bus, self.port, self._settings = bus, free_port(), settings
        self.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = self.bus.start("grpc", NUSABUS_GRPC_PORT=str(self.port), **self._settings)
        eventually(lambda: self._process.listens_on(self.port))

    def stop(self) -> None:
        """SIGTERM it."""
        self._process.stop()

    def kill(self) -> None:
        """SIGKILL it."""
        self._process.kill()


class Door:
    """Calls the grpc process of a bus in the name of a client."""

    def __init__(self, port: int, actor: Actor, channel: grpc.aio.Channel | None = None) -> None:
        self.actor = actor
        own_connection = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = channel or grpc.aio.insecure_channel(f"{LOOPBACK}:{port}", own_connection)

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """Who calls."""
        return list(self.actor.headers.items())

    async def publish(self, event: CloudEvent, **more: Any) -> PublishResponse:
        """Publish one event."""
        call = self.channel.unary_unary(
            f"{SERVICE}/Publish",
            request_serializer=PublishRequest.SerializeToString,
            response_deserializer=PublishResponse.FromString,
        )
        if "metadata" not in more:
            more["metadata"] = self.metadata
        found: PublishResponse = await call(PublishRequest(event=event), **{"timeout": 20, **more})
        return found

    async def request(self, event: CloudEvent, wait: float = 0, **more: Any) -> RequestResponse:
        """Send a request."""
        call = self.channel.unary_unary(
            f"{SERVICE}/Request",
            request_serializer=RequestRequest.SerializeToString,
            response_deserializer=RequestResponse.FromString,
        )
        asked = RequestRequest(event=event, wait_for_responder=more.pop("patient", False))
        asked.wait.FromMilliseconds(round(wait * 1000))
        found: RequestResponse = await call(
            asked, **{"timeout": 40, "metadata": self.metadata, **more}
        )
        return found

    async def respond(self, request_id: str, reply: CloudEvent, **more: Any) -> RespondResponse:
        """Reply to a request."""
        call = self.channel.unary_unary(
            f"{SERVICE}/Respond",
            request_serializer=RespondRequest.SerializeToString,
            response_deserializer=RespondResponse.FromString,
        )
        given = RespondRequest(request_id=request_id, reply=reply)
        found: RespondResponse = await call(
            given, **{"timeout": 20, "metadata": self.metadata, **more}
        )
        return found

    @asynccontextmanager
    async def subscribe(
        self, subscription: str, credit: int = 100, after: str = "", **more: Any
    ) -> AsyncIterator["OpenedSubscription"]:
        """A subscription that is received from; cancelled at the end.

        Who is refused for the metadata says nothing first: a write that meets the end of a call
        makes its status INTERNAL in gRPC's client.
        """
        if "metadata" not in more:
            more["metadata"] = self.metadata
        call: Any = self.channel.stream_stream(
            f"{SERVICE}/Subscribe",
            request_serializer=SubscribeRequest.SerializeToString,
            response_deserializer=SubscribeResponse.FromString,
        )(**{"timeout": 90, **more})
        opened = OpenedSubscription(call)
        opening = OpenSubscription(subscription=subscription, credit=credit, after=after)
        try:
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # seen by who reads
                if more["metadata"]:
                    await opened.write(open=opening)
            yield opened
        finally:
            call.cancel()

    @asynccontextmanager
    async def stream(self, name: str = "", **more: Any) -> AsyncIterator["OpenedStream"]:
        """A stream that has been opened; cancelled at the end. Silent as in `subscribe`."""
        if "metadata" not in more:
            more["metadata"] = self.metadata
        call: Any = self.channel.stream_stream(
            f"{SERVICE}/PublishStream",
            request_serializer=PublishStreamRequest.SerializeToString,
            response_deserializer=PublishStreamResponse.FromString,
        )(**{"timeout": 60, **more})
        opened = OpenedStream(call)
        try:
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # seen by who reads
                if more["metadata"]:
                    await call.write(PublishStreamRequest(open=OpenStream(stream=name)))
                    opened.opened = await opened.answer()
            yield opened
        finally:
            call.cancel()


class OpenedSubscription:
    """A subscription that is received from; it keeps what came while it waited for more."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self._events: list[Delivery] = []
        """What has come while something else was waited for."""

    async def write(self, **message: Any) -> None:
        """Send a message of this kind."""
        await self.call.write(SubscribeRequest(**message))

    async def answer(self) -> SubscribeResponse:
        """The next message of the gateway."""
        async with asyncio.timeout(30):
            found = await self.call.read()
        assert isinstance(found, SubscribeResponse), found
        return found

    async def until(self, kind: str) -> Any:
        """The next message of a kind; events are kept, other messages are not."""
        while (found := await self.answer()).WhichOneof("message") != kind:
            self._events.extend(found.deliveries.deliveries)
        return getattr(found, kind)

    async def take(self, count: int) -> list[Delivery]:
        """The next so many events, however many messages they come in."""
        while len(self._events) < count:
            self._events.extend((await self.until("deliveries")).deliveries)
        found, self._events = self._events[:count], self._events[count:]
        return found

    async def settled(self, **message: Any) -> Settled:
        """Settle events, and wait for the result."""
        await self.write(**message)
        found: Settled = await self.until("settled")
        return found

    async def end(self) -> grpc.aio.AioRpcError:
        """Read to the end, which is an error."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self._rest()
        return caught.value

    async def leave(self) -> list[SubscribeResponse]:
        """Say that there is nothing more to say; what comes until the end."""
        await self.call.done_writing()
        return await self._rest()

    async def _rest(self) -> list[SubscribeResponse]:
        rest = []
        async with asyncio.timeout(30):
            while (found := await self.call.read()) is not grpc.aio.EOF:
                rest.append(found)
        return rest


class OpenedStream:
    """A stream of chunks."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.opened = PublishStreamResponse()

    @property
    def stored_chunk(self) -> int:
        """Up to where the gateway has stored the stream."""
        return self.opened.opened.stored_chunk

    async def send(self, number: int, events: Iterable[CloudEvent]) -> None:
        """Send a chunk."""
        await self.call.write(PublishStreamRequest(chunk=Chunk(number=number, events=events)))

    async def answer(self) -> PublishStreamResponse:
        """The next message of the gateway."""
        found = await self.call.read()
        assert isinstance(found, PublishStreamResponse)
        return found

    async def result(self, number: int, events: Iterable[CloudEvent]) -> ChunkResult:
        """Send a chunk, and wait for what became of it."""
        await self.send(number, events)
        found = (await self.answer()).result
        assert found.number == number
        return found


def positions(result: ChunkResult) -> dict[int, tuple[int, int]]:
    """Shard and sequence by the place in the chunk."""
    return {
        place: (each.shard, each.first_sequence + number)
        for each in result.stored
        for number, place in enumerate(each.events)
    }
