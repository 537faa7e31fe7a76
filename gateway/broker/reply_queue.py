"""Replies as they come in over AMQP, and the word between gateway processes that one has come.

ReplyQueue stand in a durable queue that every process reads, so that one outlives the process which
asked. Who waits for it may be another process: a fanout exchange carries the identities of answered
requests to all of them. That word may get lost; whoever waits looks for himself now and then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from gateway.base.errors import Unavailable
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.broker import names
from gateway.broker.address import with_heartbeat
from gateway.broker.outage import OUTAGES, describe

IDENTITY = 16  # bytes
PREFETCH = 200  # replies worked on at a time by one process
RETRY = 0.5  # seconds until a reply that could not be stored is tried again
AGAIN_FIRST, AGAIN_LAST = 0.1, 2.0  # seconds until the next try after an outage


@dataclass(frozen=True, slots=True)
class ReplyMessage:
    """What a responder has sent. The broker vouches for `responder`: the queue that it reads."""

    responder: str
    correlation_id: str
    content_type: str
    headers: Mapping[str, Any]
    body: bytes


_AWAY: tuple[type[BaseException], ...] = (*OUTAGES, Unavailable)

Declare = Callable[[], Awaitable[None]]
Take = Callable[[ReplyMessage], Awaitable[None]]
Hear = Callable[[bytes], None]


class ReplyQueue:
    """One process's ear for replies. `announce` never waits and never fails."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url = with_heartbeat(url)
        self._name = name
        self._due = asyncio.Event()
        self._answered: list[bytes] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def announce(self, request: bytes) -> None:
        """Tell every process that this request is answered; forgotten while the broker is away."""
        self._answered.append(request)
        self._due.set()

    async def run(self, declare: Declare, take: Take, hear: Hear, stop: Stop) -> None:
        """Hand every reply to `take`, and the identity of each answered request to `hear`.

        A reply leaves its queue once `take` has returned; where it raises Unavailable the reply
        comes again. `declare` makes the exchanges and the queue.
        """
        pause, failing = AGAIN_FIRST, ""
        while not stop:
            try:
                await declare()
                async with await aio_pika.connect(
                    self._url, client_properties={"connection_name": self._name}
                ) as connection:
                    channel = await connection.channel(publisher_confirms=False)
                    pause, failing = AGAIN_FIRST, ""
                    await self._serve(channel, take, hear, stop)
            except _AWAY as error:
                if describe(error) != failing:
                    log().warning("replies.wait", reason=describe(error))
                failing = describe(error)
                await stop.sleep(pause)
                pause = min(pause * 2, AGAIN_LAST)

    async def _serve(self, channel: AbstractChannel, take: Take, hear: Hear, stop: Stop) -> None:
        gone = asyncio.Event()
        underlay = await channel.get_underlay_channel()
        underlay.closing.add_done_callback(lambda _: gone.set())
        underlay.on_consumer_cancel_callbacks.add(lambda _: gone.set())
        await channel.set_qos(prefetch_count=PREFETCH)

        async def heard(message: AbstractIncomingMessage) -> None:
            for start in range(0, len(message.body), IDENTITY):
                hear(message.body[start : start + IDENTITY])

        async def came(message: AbstractIncomingMessage) -> None:
            task = asyncio.create_task(_settle(message, take))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

        own = await channel.declare_queue(exclusive=True, auto_delete=True)
        await own.bind(names.ANSWERED)
        await own.consume(heard, no_ack=True)
        queue = await channel.get_queue(names.REPLY_QUEUE, ensure=False)
        await queue.consume(came)
        await self._announce_all(channel, gone, stop)

    async def _announce_all(
        self, channel: AbstractChannel, gone: asyncio.Event, stop: Stop
    ) -> None:
        exchange = await channel.get_exchange(names.ANSWERED, ensure=False)
        ends = [asyncio.ensure_future(each.wait()) for each in (gone, stop)]
        try:
            while not stop:
                due = asyncio.ensure_future(self._due.wait())
                await asyncio.wait({due, *ends}, return_when=asyncio.FIRST_COMPLETED)
                due.cancel()
                if gone.is_set():
                    raise ConnectionError("the connection for replies is gone")
                answered, self._answered = self._answered, []
                self._due.clear()
                if answered:
                    await exchange.publish(aio_pika.Message(b"".join(answered)), "")
        finally:
            for each in ends:
                each.cancel()


async def _settle(message: AbstractIncomingMessage, take: Take) -> None:
    """Let it be taken, once or again. What a defect refuses goes to the dead letters in the end."""
    reply = ReplyMessage(
        message.routing_key or "",
        message.correlation_id or "",
        message.content_type or "",
        message.headers,
        message.body,
    )
    try:
        await take(reply)
    except Unavailable:
        await _again(message)
    except Exception as error:
        log().error("replies.defect", responder=reply.responder, exc_info=error)
        await _again(message)
    else:
        await _quietly(message.ack())


async def _again(message: AbstractIncomingMessage) -> None:
    await asyncio.sleep(RETRY)
    await _quietly(message.reject(requeue=True))


async def _quietly(settling: Awaitable[None]) -> None:
    """Settle; where the connection is gone the message comes again by itself."""
    try:
        await settling
    except OUTAGES as error:
        log().info("replies.not_settled", reason=describe(error))
