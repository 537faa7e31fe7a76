"""A publisher over gRPC: one stream of chunks, which goes on after what the gateway has stored."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc

from adapters.client.wire import bus_pb2 as messages
from tests.faults.events import Draft
from tests.faults.gateway_client import GatewayClient
from tests.faults.grpc_door import LOST, GrpcDoor, read, to_message
from tests.faults.publishers import AGAIN, BATCH, Publisher, PublisherPlan
from tests.faults.run_log import Answer, Kind, Reply, Resumption, RunLog

WINDOW = 3  # chunks without an answer
NO_ANSWER = Reply(Answer.UNKNOWN, 0)


@dataclass(slots=True)
class _Chunk:
    """Events that are sent together; `sent` is 0 until they were in the present call."""

    drafts: Sequence[Draft]
    sent: float = 0.0


class ChunkPublisher(Publisher):
    """Keeps a chunk until it is answered, or the gateway says at a resume that it is stored.

    The first event of a chunk is good, so that each chunk stores something.
    """

    def __init__(
        self,
        plan: PublisherPlan,
        number: int,
        client: GatewayClient,
        run_log: RunLog,
        seed: int,
        address: str,
    ) -> None:
        super().__init__(plan, number, client, run_log, seed)
        self._address, self._name = address, f"{plan.organisation}-{number}"
        self._open: dict[int, _Chunk] = {}
        self._answered, self._next = 0, 1
        self.connected = False
        """Whether the gateway has opened the present call."""
        self._room = asyncio.Event()
        self._writing = asyncio.Lock()  # one message at a time

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until stopped, and until every chunk has its answer."""
        async with GrpcDoor(self._address, self._client) as door:
            while not stop.is_set() or self._open:
                with suppress(*LOST):
                    await self._call(door, await door.publish_stream(), stop)
                self.connected = False
                self._note_unanswered()
                await asyncio.sleep(AGAIN)

    async def _call(self, door: GrpcDoor, call: Any, stop: asyncio.Event) -> None:
        sender: asyncio.Task[None] | None = None
        try:
            opening = messages.OpenStream(stream=self._name)
            await call.write(messages.PublishStreamRequest(open=opening))
            while (message := await read(call)) is not grpc.aio.EOF:
                match message.WhichOneof("message"):
                    case "opened":
                        self.connected = True
                        self._resume(message.opened.stored_chunk)
                        sender = asyncio.create_task(self._send(call, stop))
                    case "result":
                        self._answer(message.result)
                    case "token_expiring":
                        renewal = messages.RenewToken(access_token=await door.token())
                        await self._write(call, renew=renewal)
                    case "draining":
                        self._drain(message.draining.last_chunk)
                        break
        finally:
            call.cancel()
            if sender is not None:
                await _end(sender)

    async def _send(self, call: Any, stop: asyncio.Event) -> None:
        for number in sorted(self._open):  # what was cut off
            await self._send_chunk(call, number)
        while not stop.is_set():
            await asyncio.sleep(self._random.expovariate(1 / self._plan.pause))
            while len(self._open) >= WINDOW:
                self._room.clear()
                await self._room.wait()
            others = (self._draft() for _ in range(self._random.choice(BATCH) - 1))
            number, self._next = self._next, self._next + 1
            self._open[number] = _Chunk([self._new(), *others])
            await self._send_chunk(call, number)
        await call.done_writing()

    async def _send_chunk(self, call: Any, number: int) -> None:
        chunk = self._open[number]
        chunk.sent = time.monotonic()
        events = [to_message(draft.event) for draft in chunk.drafts]
        await self._write(call, chunk=messages.Chunk(number=number, events=events))

    async def _write(self, call: Any, **message: Any) -> None:
        async with self._writing:
            await call.write(messages.PublishStreamRequest(**message))

    def _resume(self, stored: int) -> None:
        """Forget what is stored, and number what is left from there."""
        sent = max(self._open, default=self._answered)
        passed = [self._open.pop(number) for number in sorted(self._open) if number <= stored]
        unanswered = [
            ((draft.event.source, draft.event.id), draft.event.digest)
            for chunk in passed
            for draft in chunk.drafts
            if draft.kind is Kind.NEW
        ]
        self._run_log.resumptions.append(
            Resumption(self._name, self._answered, stored, sent, unanswered)
        )
        left = [self._open[number] for number in sorted(self._open)]
        self._open = dict(enumerate(left, stored + 1))
        self._answered, self._next = stored, stored + 1 + len(left)

    def _answer(self, result: messages.ChunkResult) -> None:
        chunk = self._open.pop(result.number)
        self._answered = result.number
        self._room.set()
        replies = {
            refused.event: Reply(Answer.REFUSED, refused.problem.status)
            for refused in result.refused
        }
        for stored in result.stored:
            for sequence, place in enumerate(stored.events, stored.first_sequence):
                digest = chunk.drafts[place].event.digest  # it is in no answer of a chunk
                replies[place] = Reply(
                    Answer.OK, 202, stored.shard, sequence, digest, stored.duplicate
                )
        for place, draft in enumerate(chunk.drafts):
            self._note(draft, replies[place], chunk.sent, streamed=True)

    def _note_unanswered(self) -> None:
        """The call has ended: what it was sent without an answer has none."""
        for chunk in self._open.values():
            if chunk.sent:
                for draft in chunk.drafts:
                    self._note(draft, NO_ANSWER, chunk.sent, streamed=True)
                chunk.sent = 0.0

    def _drain(self, last: int) -> None:
        self._run_log.drained["PublishStream"] += 1
        if last not in (0, self._answered):
            self._run_log.incidents.append(
                f"{self._name}: {last} was said to be the last answer, and it was {self._answered}"
            )


async def _end(sender: asyncio.Task[None]) -> None:
    """Cancel it. Raises what it failed with, unless the call had ended."""
    sender.cancel()
    await asyncio.wait({sender})
    error = None if sender.cancelled() else sender.exception()
    if error is not None and not isinstance(error, LOST):
        raise error
