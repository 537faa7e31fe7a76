"""Consumes the replies that arrive over AMQP, and announces answered requests to all processes.

Replies are in a durable queue that every process consumes, so that a reply outlives the process
that asked. The requester may wait in another process: a fanout exchange carries the identities of
answered requests to all of them. An announcement may get lost; waiting requesters also poll.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from gateway.base.backoff import Backoff
from gateway.base.errors import Unavailable
from gateway.base.periodic import reconnecting
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.base.waiting import wait_for_any
from gateway.broker import names
from gateway.broker.address import with_heartbeat
from gateway.broker.bounded_content import Discarded, discard_larger
from gateway.broker.connecting import open_connection
from gateway.broker.errors import OUTAGES, broker_errors, describe

IDENTITY = 16  # bytes
PREFETCH = 200  # replies that one process works on at a time, at most
HELD = 64 << 20  # bytes of replies that one process holds, at most
RETRY = 0.5  # seconds until a reply that could not be stored comes again
RECONNECT_FIRST, RECONNECT_LAST = 0.1, 2.0  # seconds


@dataclass(frozen=True, slots=True)
class ReplyMessage:
    """A reply as it arrived.

    `responder` is the queue that its sender reads; the broker lets no one else use that key.
    `body` is None if it was larger than the limit, and was not kept.
    """

    responder: str
    correlation_id: str
    content_type: str
    headers: Mapping[str, Any]
    body: bytes | None


Declare = Callable[[], Awaitable[None]]
Handle = Callable[[ReplyMessage], Awaitable[None]]
OnAnswered = Callable[[bytes], None]


def prefetch(limit: int) -> int:
    """How many replies of at most `limit` bytes one process takes at a time."""
    return max(1, min(PREFETCH, HELD // limit))


class ReplyQueue:
    """One process's consumer of replies. `announce` never waits and never fails.

    It holds at most HELD bytes of replies, as none has more than `limit` bytes. Larger ones are
    handed on without their body.
    """

    def __init__(self, url: str, *, name: str, limit: int) -> None:
        self._url = with_heartbeat(url)
        self._limit = limit
        self._name = name
        self._due = asyncio.Event()
        self._answered: list[bytes] = []
        self._handling: set[asyncio.Task[None]] = set()

    def announce(self, request: bytes) -> None:
        """Tell every process that this request is answered; lost while the broker is away."""
        self._answered.append(request)
        self._due.set()

    async def run(
        self, declare: Declare, handle: Handle, on_answered: OnAnswered, stop: Stop
    ) -> None:
        """Hand every reply to `handle`, and the identity of each answered request to `on_answered`.

        A reply leaves its queue once `handle` has returned; if it raises Unavailable the reply
        comes again. `declare` declares the exchanges and the queue.
        """

        async def session(connected: Callable[[], None]) -> None:
            await declare()
            with broker_errors("Consuming the replies"):
                async with await open_connection(self._url, self._name) as connection:
                    channel = await connection.channel(publisher_confirms=False)
                    gone = await self._consume(channel, handle, on_answered)
                    connected()
                    await self._announce_all(channel, gone, stop)

        backoff = Backoff(RECONNECT_FIRST, RECONNECT_LAST)
        await reconnecting("replies.queue", session, stop, backoff=backoff)

    async def _consume(
        self, channel: AbstractChannel, handle: Handle, on_answered: OnAnswered
    ) -> asyncio.Event:
        """Begin to consume; the event is set when the channel or its consumer ends."""
        gone = asyncio.Event()
        underlay = await channel.get_underlay_channel()
        discard_larger(underlay, self._limit)
        underlay.closing.add_done_callback(lambda _: gone.set())
        underlay.on_consumer_cancel_callbacks.add(lambda _: gone.set())
        await channel.set_qos(prefetch_count=prefetch(self._limit))

        async def on_announcement(message: AbstractIncomingMessage) -> None:
            for start in range(0, len(message.body), IDENTITY):
                on_answered(message.body[start : start + IDENTITY])

        async def on_reply(message: AbstractIncomingMessage) -> None:
            task = asyncio.create_task(_settle(message, handle))
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)

        own = await channel.declare_queue(exclusive=True, auto_delete=True)
        await own.bind(names.ANSWERED)
        await own.consume(on_announcement, no_ack=True)
        queue = await channel.get_queue(names.REPLY_QUEUE, ensure=False)
        await queue.consume(on_reply)
        return gone

    async def _announce_all(
        self, channel: AbstractChannel, gone: asyncio.Event, stop: Stop
    ) -> None:
        exchange = await channel.get_exchange(names.ANSWERED, ensure=False)
        while not stop:
            await wait_for_any(self._due.wait, gone.wait, stop.wait)
            if gone.is_set():
                raise ConnectionError("the consumer was cancelled or its connection was lost")
            answered, self._answered = self._answered, []
            self._due.clear()
            if answered:
                await exchange.publish(aio_pika.Message(b"".join(answered)), "")


async def _settle(message: AbstractIncomingMessage, handle: Handle) -> None:
    """Handle a reply, now or again. The delivery limit ends a reply that always fails."""
    reply = ReplyMessage(
        message.routing_key or "",
        message.correlation_id or "",
        message.content_type or "",
        message.headers,
        None if isinstance(message.body, Discarded) else message.body,
    )
    try:
        await handle(reply)
    except Unavailable:
        await _requeue(message)
    except Exception as error:
        log().error("reply.handling_failed", responder=reply.responder, exc_info=error)
        await _requeue(message)
    else:
        await _tolerating_outage(message.ack())


async def _requeue(message: AbstractIncomingMessage) -> None:
    await asyncio.sleep(RETRY)
    await _tolerating_outage(message.reject(requeue=True))


async def _tolerating_outage(settling: Awaitable[None]) -> None:
    """Settle; if the connection is gone, the message comes again by itself."""
    try:
        await settling
    except OUTAGES as error:
        log().info("reply.settlement_failed", reason=describe(error))
