"""The calls of `nusabus.bus.v1.BusService`, as gRPC hands them over."""

import asyncio
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2  # type: ignore[import-untyped]  # it has no types
from grpc_status import rpc_status

from gateway.base.errors import NusabusError, Refused
from gateway.base.telemetry import log
from gateway.grpc import requests
from gateway.grpc.context import Caller, GrpcContext, peer_certificate
from gateway.grpc.events import digest_of, read_event
from gateway.grpc.incoming import Disconnected, parse
from gateway.grpc.problems import status_of
from gateway.grpc.publish_stream import PublishStream
from gateway.grpc.results import receipt_of
from gateway.grpc.subscribe import Subscribe
from gateway.grpc.wire.bus_pb2 import (
    DESCRIPTOR,
    PublishRequest,
    PublishResponse,
    PublishStreamResponse,
    RequestResponse,
    RespondResponse,
    SubscribeResponse,
)
from gateway.http.problems import DEFECT
from gateway.identity import Client, Quota, Role
from gateway.publishing import Receipt
from gateway.publishing.accounting import publish_counted, refuse_whole

NAME = DESCRIPTOR.services_by_name["BusService"].full_name
Rpc = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")


class BusService:
    """Each call is worked on in a task of its own, which the end of the call does not cancel.

    So a deadline or a lost connection interrupts nothing halfway: what is being stored is stored,
    and a refusal is kept. It counts as in progress until then.
    """

    def __init__(self, context: GrpcContext) -> None:
        self._context = context
        self._tasks: set[asyncio.Task[Any]] = set()

    def handlers(self) -> grpc.GenericRpcHandler:
        """What a server calls. Messages come as bytes: one that cannot be parsed has a problem."""
        return grpc.method_handlers_generic_handler(
            NAME,
            {
                "Publish": grpc.unary_unary_rpc_method_handler(
                    self.publish, response_serializer=PublishResponse.SerializeToString
                ),
                "PublishStream": grpc.stream_stream_rpc_method_handler(
                    self.publish_stream, response_serializer=PublishStreamResponse.SerializeToString
                ),
                "Request": grpc.unary_unary_rpc_method_handler(
                    self.request, response_serializer=RequestResponse.SerializeToString
                ),
                "Respond": grpc.unary_unary_rpc_method_handler(
                    self.respond, response_serializer=RespondResponse.SerializeToString
                ),
                "Subscribe": grpc.stream_stream_rpc_method_handler(
                    self.subscribe, response_serializer=SubscribeResponse.SerializeToString
                ),
            },
        )

    async def finish(self) -> None:
        """Wait until no call is worked on any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def publish(self, content: bytes, rpc: Rpc) -> PublishResponse:
        """Publish one event."""
        return await self._answered("Publish", self._publish(content, rpc), rpc)

    async def publish_stream(self, _: object, rpc: Rpc) -> None:
        """Publish a stream of chunks."""
        await self._streamed("PublishStream", self._publish_stream, rpc)

    async def subscribe(self, _: object, rpc: Rpc) -> None:
        """Receive the events of a subscription."""
        await self._streamed("Subscribe", self._subscribe, rpc)

    async def request(self, content: bytes, rpc: Rpc) -> RequestResponse:
        """Send a request, and wait for its reply."""
        return await self._answered("Request", self._request(content, rpc), rpc)

    async def respond(self, content: bytes, rpc: Rpc) -> RespondResponse:
        """Reply to a request."""
        return await self._answered("Respond", self._respond(content, rpc), rpc)

    async def _publish(self, content: bytes, rpc: Rpc) -> PublishResponse:
        _, client = await self._caller(rpc)
        with self._context.admitted(client, Quota.IN_FLIGHT):
            gate = self._context.limiter.gate(client)
            try:
                client.require(Role.PUBLISHER)
                gate.publish(len(content))
                event = parse(PublishRequest, content).event
            except Refused as error:
                digest, refusals = sha256(content).digest(), self._context.refusals
                await refuse_whole(error, client, digest, refusals=refusals, gate=gate)
                raise
            gate.spend(Quota.EVENTS)
            (result,) = await publish_counted(
                [read_event(event, self._context.limits.event_bytes)],
                client,
                publisher=self._context.publisher,
                refusals=self._context.refusals,
                gate=gate,
                digest=lambda _: digest_of(event),
            )
            if isinstance(result, Receipt):
                return PublishResponse(receipt=receipt_of(result))
            raise result

    async def _publish_stream(self, channel: "RpcChannel", rpc: Rpc) -> None:
        caller, client = await self._caller(rpc)
        with self._context.admitted(client, Quota.STREAMS):
            client.require(Role.PUBLISHER)
            await PublishStream(self._context, caller, client).run(channel)

    async def _subscribe(self, channel: "RpcChannel", rpc: Rpc) -> None:
        caller, client = await self._caller(rpc)
        with self._context.admitted(client, Quota.STREAMS):
            await Subscribe(self._context, caller, client).run(channel)

    async def _request(self, content: bytes, rpc: Rpc) -> RequestResponse:
        _, client = await self._caller(rpc)
        with self._context.admitted(client, Quota.IN_FLIGHT) as call:
            return await requests.request(content, client, call, self._context)

    async def _respond(self, content: bytes, rpc: Rpc) -> RespondResponse:
        _, client = await self._caller(rpc)
        with self._context.admitted(client, Quota.IN_FLIGHT):
            return await requests.respond(content, client, self._context)

    async def _caller(self, rpc: Rpc) -> tuple[Caller, Client]:
        peer = peer_certificate(list(rpc.auth_context().get("x509_pem_cert") or ()))
        caller = Caller(self._context, list(rpc.invocation_metadata() or ()), peer)
        return caller, await caller.client()

    async def _streamed(
        self, name: str, work: Callable[["RpcChannel", Rpc], Coroutine[Any, Any, None]], rpc: Rpc
    ) -> None:
        channel = RpcChannel(rpc)
        try:
            await self._answered(name, work(channel, rpc), rpc)
        except asyncio.CancelledError:
            channel.disconnected = True
            raise

    async def _answered(self, name: str, work: Coroutine[Any, Any, T], rpc: Rpc) -> T:
        """The answer, or the status of the error. The work goes on if the call is cancelled."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        try:
            return await asyncio.shield(task)
        except Disconnected:
            status = status_pb2.Status(code=grpc.StatusCode.CANCELLED.value[0])
        except NusabusError as error:
            status = status_of(error)
        except Exception as error:
            log().error("grpc.call_crashed", call=name, exc_info=error)
            status = status_of(DEFECT)
        await rpc.abort_with_status(rpc_status.to_status(status))
        raise AssertionError  # it raises

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # somebody has looked at it, if the call is still there


class RpcChannel:
    """The two directions of a stream of gRPC."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self.disconnected = False

    async def receive(self) -> bytes | None:
        """See Channel."""
        message = await self._rpc.read()
        return None if message is grpc.aio.EOF else message

    async def send(self, message: Message) -> None:
        """See Channel."""
        if self.disconnected:
            raise Disconnected
        try:
            await self._rpc.write(message)
        except (grpc.aio.UsageError, grpc.aio.InternalError):
            raise Disconnected from None
