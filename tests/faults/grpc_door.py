"""The gRPC door as the harness calls it: events in the protobuf format, and one connection."""

import asyncio
from typing import Any, Self

import grpc

from adapters.client.wire import bus_pb2 as messages
from adapters.client.wire.cloudevents_pb2 import CloudEvent
from gateway.base.event import Event
from tests.faults.gateway_client import GatewayClient

SERVICE = "/nusabus.bus.v1.BusService"
LOST = (grpc.aio.AioRpcError, asyncio.InvalidStateError, TimeoutError)
"""What reading and writing raise once a call has ended, and what a long silence raises."""
SILENCE = 40.0  # seconds without a message; subscribers hear something every 15
Metadata = list[tuple[str, str]]
OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),  # who does not read stops nobody else
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]


class GrpcDoor:
    """A connection in the name of a client. Each stream has a token of its own if none is given."""

    def __init__(self, address: str, client: GatewayClient) -> None:
        self._address, self._client = address, client

    async def __aenter__(self) -> Self:
        self.channel = grpc.aio.insecure_channel(self._address, OPTIONS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()

    async def publish_stream(self, metadata: Metadata | None = None) -> Any:
        """A call of `PublishStream` that has sent nothing."""
        return self.channel.stream_stream(
            f"{SERVICE}/PublishStream",
            request_serializer=messages.PublishStreamRequest.SerializeToString,
            response_deserializer=messages.PublishStreamResponse.FromString,
        )(metadata=metadata or await self.metadata())

    async def subscribe(self) -> Any:
        """A call of `Subscribe` that has sent nothing."""
        return self.channel.stream_stream(
            f"{SERVICE}/Subscribe",
            request_serializer=messages.SubscribeRequest.SerializeToString,
            response_deserializer=messages.SubscribeResponse.FromString,
        )(metadata=await self.metadata())

    async def metadata(self) -> Metadata:
        """Who calls, by a new token."""
        return [("authorization", f"Bearer {await self.token()}")]

    async def token(self) -> str:
        """A new access token."""
        return await self._client.new_token()


async def read(call: Any) -> Any:
    """The next message, or grpc.aio.EOF. Raises one of LOST."""
    async with asyncio.timeout(SILENCE):
        return await call.read()


def to_message(event: Event) -> CloudEvent:
    """An event of the harness in the protobuf format."""
    message = CloudEvent(
        spec_version="1.0",
        id=event.id,
        source=event.source,
        type=event.type,
        binary_data=event.data or b"",
    )
    message.attributes["subject"].ce_string = event.subject or ""
    for name, value in event.attributes.items():
        message.attributes[name].ce_string = str(value)
    return message


def from_message(message: CloudEvent) -> Event:
    """An event with JSON data as it was delivered."""
    attributes = {
        name: getattr(value, str(value.WhichOneof("attr")))
        for name, value in message.attributes.items()
    }
    subject = attributes.pop("subject", None)
    data = message.binary_data
    return Event(message.id, message.source, message.type, subject, attributes, data)
