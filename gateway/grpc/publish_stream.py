"""`PublishStream`: chunks of events in, the result of each chunk out."""

import time
from collections.abc import Sequence
from hashlib import sha256

from gateway import publishing
from gateway.base.backoff import Backoff
from gateway.base.errors import Invalid, Malformed, Refused, TooLarge, Unavailable
from gateway.grpc.client_stream import ClientStream
from gateway.grpc.context import Caller, GrpcContext
from gateway.grpc.events import digest_of, read_event
from gateway.grpc.incoming import Channel, Incoming
from gateway.grpc.results import result_of
from gateway.grpc.window import StreamWindow
from gateway.grpc.wire.bus_pb2 import (
    Chunk,
    ChunkResult,
    Draining,
    Opened,
    OpenStream,
    PublishStreamRequest,
    PublishStreamResponse,
    TokenExpiring,
)
from gateway.identity import Client, Quota, Role
from gateway.journal import Checkpoint
from gateway.publishing.accounting import publish_counted, refuse_whole
from gateway.quotas import Gate

NAME = 128  # characters of the name of a stream
WINDOW = 4  # chunks of the largest number of events; bytes: one chunk of the largest size
PATIENCE = 60.0  # seconds for which a chunk is tried again while the bus takes nothing
RETRY_FIRST, RETRY_LAST = 0.1, 2.0  # seconds between two tries
LONGEST_PAUSE = 1.0  # seconds between two looks at a quota


class PublishStream:
    """One call. A chunk that has begun is finished, whatever becomes of the call."""

    def __init__(self, context: GrpcContext, caller: Caller, client: Client) -> None:
        self._context, self._caller, self._client = context, caller, client
        self._name = ""
        self._last = 0  # the last chunk that was answered
        self._next_at_most = 1  # the highest number that the next chunk may have
        self._begun = False

    async def run(self, channel: Channel) -> None:
        """Serve the call to its end.

        Raises NusabusError for what ends it, and Disconnected. All that was answered is stored.
        """

        async def warn(warning: TokenExpiring) -> None:
            await channel.send(PublishStreamResponse(token_expiring=warning))

        limits = self._context.limits
        window = StreamWindow(WINDOW * limits.batch_events, limits.batch_bytes)
        incoming = Incoming(
            PublishStreamRequest, channel, window, self._context.stop, lambda m: len(m.chunk.events)
        )
        messages = ClientStream(self._context, self._caller, incoming, warn)
        try:
            opened = await self._open((await messages.open()).open, window)
            await channel.send(PublishStreamResponse(opened=opened))
            while (message := await messages.next()) is not None:
                request, size = message
                match request.WhichOneof("message"):
                    case "chunk":
                        result = await self._chunk(request.chunk, size)
                        await channel.send(PublishStreamResponse(result=result))
                    case "renew":
                        await messages.renew(request.renew, self._client)
                    case _:
                        raise Malformed("Send `chunk` or `renew` after `open`.")
                incoming.give_back(*message)
            if self._context.stop:
                draining = Draining(last_chunk=self._last)
                await channel.send(PublishStreamResponse(draining=draining))
                await incoming.farewell()
        finally:
            incoming.close()

    async def _open(self, opening: OpenStream, window: StreamWindow) -> Opened:
        self._name = opening.stream
        if len(self._name) > NAME:
            raise Invalid(f"The name of the stream is longer than {NAME} characters.")
        stored = 0
        if self._name:
            stored = await self._context.checkpoints.stored(self._client.id, self._name)
        self._next_at_most = stored + 1
        limits = self._context.limits
        return Opened(
            stored_chunk=stored,
            window_events=window.limits[0],
            window_bytes=window.limits[1],
            chunk_events=limits.batch_events,
            chunk_bytes=limits.batch_bytes,
        )

    async def _chunk(self, chunk: Chunk, size: int) -> ChunkResult:
        """Store a chunk. Waits while the quota is used up, or while the bus takes nothing."""
        self._require_number(chunk.number)
        limits = self._context.limits
        if not 1 <= len(chunk.events) <= limits.batch_events:
            raise TooLarge(
                f"Chunk {chunk.number} has {len(chunk.events)} events. Send 1 to "
                f"{limits.batch_events}."
            )
        self._client = await self._caller.client()
        self._client.require(Role.PUBLISHER)
        gate = self._context.limiter.gate(self._client)
        while (wait := gate.publishing_wait) > 0:
            await self._pause(min(wait, LONGEST_PAUSE))
        gate.publish(size)
        gate.spend(Quota.EVENTS, len(chunk.events))
        results = await self._stored(chunk, gate)
        self._begun, self._last = True, chunk.number
        self._next_at_most = chunk.number + 1
        return result_of(chunk.number, results)

    async def _stored(self, chunk: Chunk, gate: Gate) -> Sequence[publishing.Receipt | Refused]:
        context, client = self._context, self._client
        events = [read_event(each, context.limits.event_bytes) for each in chunk.events]
        checkpoint = Checkpoint(client.id, self._name, chunk.number) if self._name else None
        backoff, patience = Backoff(RETRY_FIRST, RETRY_LAST), time.monotonic() + PATIENCE
        while True:
            try:
                return await publish_counted(
                    events,
                    client,
                    publisher=context.publisher,
                    refusals=context.refusals,
                    gate=gate,
                    digest=lambda index: digest_of(chunk.events[index]),
                    checkpoint=checkpoint,
                )
            except Refused as error:  # of the chunk as a whole, such as what no database stores
                digest = sha256(chunk.SerializeToString(deterministic=True)).digest()
                await refuse_whole(
                    error,
                    client,
                    digest,
                    refusals=context.refusals,
                    gate=gate,
                    events=len(events),
                )
                return [error] * len(events)
            except Unavailable:
                if time.monotonic() > patience:
                    raise
                await self._pause(backoff.next())

    async def _pause(self, seconds: float) -> None:
        """Wait, and read nothing meanwhile. Raises Unavailable when the process ends."""
        if not await self._context.stop.sleep(seconds):
            raise Unavailable("The process ends. Open the stream again, and send the chunk again.")

    def _require_number(self, number: int) -> None:
        """Raises Invalid for a gap."""
        lowest = self._next_at_most if self._begun else 1
        if not lowest <= number <= self._next_at_most:
            expected = str(lowest) if lowest == self._next_at_most else f"1 to {self._next_at_most}"
            raise Invalid(
                f"Chunk {number} does not follow. The next chunk must have the number {expected}."
            )
