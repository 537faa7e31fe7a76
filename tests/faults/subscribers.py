"""Subscribers as an organisation would write them: they note a message, then acknowledge it.

They reconnect by themselves after whatever happened to the connection, the broker or the queue.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from aiormq.exceptions import AMQPError, AuthenticationError, ProbableAuthenticationError

from gateway.broker.message import event_from_message
from tests.faults.run_log import Delivery, KnownSubscription, RunLog

CONNECT = 3.0
AGAIN = 0.2
OUTAGES = (OSError, EOFError, TimeoutError, AMQPError, RuntimeError)


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How a subscriber reads: with how many connections, how much at once, what it refuses.

    One message in `rejects` is given up for good, the same one each time; 0 for none.
    """

    consumers: int = 1
    prefetch: int = 20
    rejects: int = 0


class Subscriber:
    """Reads one subscription's queue into the run log until it is stopped."""

    def __init__(
        self, subscription: KnownSubscription, url: str, options: ConsumerOptions, run_log: RunLog
    ) -> None:
        self.subscription = subscription
        self.unacknowledged = 0
        self.url = url
        self.refused = 0
        """How often its password was not valid any more."""
        self._options = options
        self._run_log = run_log
        self._stopped = False
        self._mended = False
        self._reading = asyncio.Event()
        self._reading.set()
        self._pausing = asyncio.Event()
        self._acknowledging = asyncio.Event()
        self._acknowledging.set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to read."""
        self._tasks = [asyncio.create_task(self._run()) for _ in range(self._options.consumers)]

    async def stop(self) -> None:
        """Close the connections: what was not acknowledged is in the queue again."""
        self._stopped = True
        self.pause()
        self._reading.set()
        self._acknowledging.set()
        await asyncio.gather(*self._tasks)

    def pause(self) -> None:
        """Disconnect, and leave the queue to grow."""
        self._reading.clear()
        self._pausing.set()

    def resume(self) -> None:
        """Read on."""
        self._pausing.clear()
        self._reading.set()

    def hold(self, on: bool) -> None:
        """Take messages and acknowledge none of them, as a stuck subscriber does."""
        if on:
            self._acknowledging.clear()
        else:
            self._acknowledging.set()

    def accept_all(self) -> None:
        """Reject nothing from now on."""
        self._mended = True

    async def _run(self) -> None:
        while True:
            await self._reading.wait()
            if self._stopped:
                return
            with suppress(*OUTAGES), self._counting_refusals():
                async with asyncio.timeout(CONNECT):
                    connection = await aio_pika.connect(
                        self.url, client_properties={"connection_name": self.subscription.name}
                    )
                try:
                    await self._consume(connection)
                finally:
                    with suppress(*OUTAGES):
                        await connection.close()
            if not self._pausing.is_set():
                await asyncio.sleep(AGAIN)

    @contextmanager
    def _counting_refusals(self) -> Iterator[None]:
        try:
            yield
        except (AuthenticationError, ProbableAuthenticationError):
            self.refused += 1
            raise

    async def _consume(self, connection: Any) -> None:
        """Read until the connection, the channel or the queue is gone, or until paused."""
        async with asyncio.timeout(CONNECT):
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=self._options.prefetch)
            gone = asyncio.Event()
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(lambda _: gone.set())
            underlay.closing.add_done_callback(lambda _: gone.set())
            queue = await channel.get_queue(self.subscription.queue, ensure=False)
            await queue.consume(self._take)
        waits = [asyncio.create_task(gone.wait()), asyncio.create_task(self._pausing.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _take(self, message: AbstractIncomingMessage) -> None:
        headers = {str(name): value for name, value in message.headers.items()}
        event = event_from_message(message.body, headers, message.content_type)
        rejected = self._rejects(event.id)
        self._run_log.delivery(
            Delivery.of(
                self.subscription.name,
                event,
                again=bool(message.redelivered),
                rejected=rejected,
                taken=not rejected,
            )
        )
        self.unacknowledged += 1
        try:
            await self._acknowledging.wait()
            with suppress(*OUTAGES):
                await (message.reject(requeue=False) if rejected else message.ack())
        finally:
            self.unacknowledged -= 1

    def _rejects(self, id: str) -> bool:
        share = 0 if self._mended else self._options.rejects
        return share > 0 and crc32(id.encode()) % share == 0
