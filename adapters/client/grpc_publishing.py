"""Publish many events over gRPC, in a stream that goes on by itself where it was cut off."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import grpc
import httpx

from adapters.client.call_retry import CallRetryPolicy
from adapters.client.grpc_channel import (
    SERVICE,
    AccessToken,
    metadata,
    open_channel,
    problem_of,
)
from adapters.client.grpc_events import ChunkAnswer, to_answer, to_message
from adapters.client.problem import Problem
from adapters.client.tls import Tls
from adapters.client.wire import bus_pb2 as messages

METHOD = f"{SERVICE}/PublishStream"
_ENDED = (grpc.aio.AioRpcError, asyncio.InvalidStateError)  # what writing raises then

Chunks = Callable[[int], Iterable[Sequence[Mapping[str, Any]]]]
"""The chunks of a stream after the one of this number: the same each time, ids included."""


class StreamPublisher:
    """Publishes over gRPC at one address, as one client."""

    def __init__(
        self,
        address: str,
        access_token: AccessToken,
        *,
        tls: Tls | bool = True,
        retry: CallRetryPolicy | None = None,
    ) -> None:
        """`address` is host:port, `access_token` that of a Nusabus; `tls` as in `open_channel`."""
        self._address, self._access_token, self._tls = address, access_token, tls
        self._retry = retry or CallRetryPolicy()

    async def publish(self, chunks: Chunks, *, stream: str = "") -> AsyncIterator[ChunkAnswer]:
        """Publish chunks; what became of each, in their order.

        A `stream` has one name for ever, of the caller's own choice: if it was cut off, in another
        process too, it goes on after the last chunk that is stored, and nothing is answered for
        those before. Without a name it goes on within this call only. Raises Problem if the gateway
        refuses the stream, or cannot be reached for long; httpx.TransportError without a token;
        ValueError for what is no event.
        """
        stream, failed, renewed = stream or uuid.uuid4().hex, 0, False
        async with open_channel(self._address, self._tls) as channel:
            while True:
                attempt = _Attempt(channel, self._access_token, chunks)
                try:
                    async for answer in attempt.run(stream):
                        failed, renewed = 0, False
                        yield answer
                    if not attempt.draining:
                        return
                    error: Exception = Problem(503, "about:blank", "The gateway's process ends")
                except (Problem, httpx.TransportError) as caught:  # there is no token
                    error = caught
                except grpc.aio.AioRpcError as caught:
                    error = problem = problem_of(caught)
                    if problem.status == 401 and not renewed:  # the token has expired meanwhile
                        renewed = True
                        continue
                failed += 1
                delay = self._retry.delay(failed, error)
                if delay is None:
                    raise error
                await asyncio.sleep(delay)


class _Attempt:
    """One call: a task sends within the window, and the caller reads the answers."""

    def __init__(
        self, channel: grpc.aio.Channel, access_token: AccessToken, chunks: Chunks
    ) -> None:
        self._channel, self._access_token, self._chunks = channel, access_token, chunks
        self._unanswered: dict[int, tuple[int, int]] = {}
        self._answered = asyncio.Event()
        self._sending = asyncio.Lock()  # one message at a time
        self.draining = False

    async def run(self, stream: str) -> AsyncIterator[ChunkAnswer]:
        """The answers, until the last chunk is answered or the process ends."""
        caller = await metadata(self._access_token)
        call: Any = self._channel.stream_stream(
            METHOD,
            request_serializer=messages.PublishStreamRequest.SerializeToString,
            response_deserializer=messages.PublishStreamResponse.FromString,
        )(metadata=caller)
        sender: asyncio.Task[None] | None = None
        try:
            opening = messages.OpenStream(stream=stream)
            with suppress(asyncio.InvalidStateError):  # it has ended: reading says why
                await call.write(messages.PublishStreamRequest(open=opening))
            while (message := await call.read()) is not grpc.aio.EOF:
                match message.WhichOneof("message"):
                    case "opened":
                        sender = asyncio.create_task(self._send(call, message.opened))
                    case "result":
                        del self._unanswered[message.result.number]
                        self._answered.set()
                        yield to_answer(message.result)
                    case "token_expiring":
                        await self._renew(call)
                    case "draining":  # the last message
                        self.draining = True
                        break
            if sender is not None and not self.draining:
                await sender
        finally:
            if sender is not None:
                await _end(sender)
            call.cancel()

    async def _send(self, call: Any, opened: messages.Opened) -> None:
        after = opened.stored_chunk
        try:
            for number, events in enumerate(self._chunks(after), after + 1):
                chunk = messages.Chunk(number=number, events=[to_message(each) for each in events])
                size = (len(events), chunk.ByteSize())
                while self._is_full(size, opened):
                    self._answered.clear()
                    await self._answered.wait()
                self._unanswered[number] = size
                async with self._sending:
                    await call.write(messages.PublishStreamRequest(chunk=chunk))
        finally:  # also where the source of the chunks fails: what was sent is answered
            with suppress(*_ENDED):
                await call.done_writing()

    def _is_full(self, size: tuple[int, int], opened: messages.Opened) -> bool:
        events = sum(each[0] for each in self._unanswered.values())
        length = sum(each[1] for each in self._unanswered.values())
        return bool(self._unanswered) and (
            events + size[0] > opened.window_events or length + size[1] > opened.window_bytes
        )

    async def _renew(self, call: Any) -> None:
        renewal = messages.RenewToken(access_token=await self._access_token())
        async with self._sending:
            with suppress(asyncio.InvalidStateError):
                await call.write(messages.PublishStreamRequest(renew=renewal))


async def _end(sender: asyncio.Task[None]) -> None:
    """Cancel it; what it failed with is that of the call, or its caller's."""
    sender.cancel()
    await asyncio.wait({sender})
    error = None if sender.cancelled() else sender.exception()
    if error is not None and not isinstance(error, _ENDED):
        raise error
