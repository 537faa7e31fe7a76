"""Takes the dead letters of AMQP subscriptions off their queue, a batch at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from gateway.base.errors import Malformed, Unavailable
from gateway.base.event import Event
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.broker import message as messages
from gateway.broker import names
from gateway.broker.address import with_heartbeat
from gateway.broker.outage import OUTAGES, describe

BATCH = 200
_OUTAGES: tuple[type[BaseException], ...] = (*OUTAGES, Unavailable)
GATHER = 0.2  # seconds in which a batch fills
AGAIN = 2.0  # seconds until the next try after an outage


@dataclass(frozen=True, slots=True)
class DeadLetterMessage:
    """A message that a queue gave up. `reason` is RabbitMQ's word.

    `times` is how often it came to a reader.
    """

    queue: str
    event: Event
    reason: str
    times: int


Keep = Callable[[Sequence[DeadLetterMessage]], Awaitable[None]]


class DeadLetterQueue:
    """The queue of dead letters; several processes may take from it."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url = with_heartbeat(url)
        self._name = name

    async def run(self, keep: Keep, stop: Stop) -> None:
        """Hand batches to `keep` until stopped; a message leaves the queue once it was kept.

        What is no event of ours is logged, without its content, and left out.
        """
        failing = ""
        while not stop:
            try:
                async with await aio_pika.connect(
                    self._url, client_properties={"connection_name": self._name}
                ) as connection:
                    channel = await connection.channel(publisher_confirms=False)
                    failing = ""
                    await _take_all(channel, keep, stop)
            except _OUTAGES as error:
                if describe(error) != failing:
                    log().warning("dead_letters.wait", reason=describe(error))
                failing = describe(error)
                await stop.sleep(AGAIN)


async def _take_all(channel: AbstractChannel, keep: Keep, stop: Stop) -> None:
    await channel.set_qos(prefetch_count=BATCH)
    arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
    underlay = await channel.get_underlay_channel()
    underlay.closing.add_done_callback(lambda _: arrived.put_nowait(None))
    underlay.on_consumer_cancel_callbacks.add(lambda _: arrived.put_nowait(None))
    queue = await channel.get_queue(names.DEAD_QUEUE, ensure=False)
    await queue.consume(arrived.put)
    while not stop:
        batch = await _gather(arrived, stop)
        if batch is None:
            raise ConnectionError("the queue of dead letters is gone")
        if batch:
            await keep([dead for each in batch if (dead := _dead(each)) is not None])
            await batch[-1].ack(multiple=True)


async def _gather(
    arrived: "asyncio.Queue[AbstractIncomingMessage | None]", stop: Stop
) -> list[AbstractIncomingMessage] | None:
    """What has come, once something has; None where nothing will come any more."""
    batch: list[AbstractIncomingMessage] = []
    if arrived.empty() and not await stop.sleep(GATHER):
        return batch
    while len(batch) < BATCH:
        with suppress(asyncio.QueueEmpty):
            message = arrived.get_nowait()
            if message is None:
                return None
            batch.append(message)
            continue
        break
    return batch


def _dead(message: AbstractIncomingMessage) -> DeadLetterMessage | None:
    headers: Mapping[str, Any] = message.headers
    try:
        event = messages.event_from_message(message.body, headers, message.content_type)
    except Malformed as error:
        log().error("dead_letters.unreadable", queue=message.routing_key, reason=str(error))
        return None
    deaths = headers.get("x-death")
    death = deaths[0] if isinstance(deaths, list) and deaths else {}
    returned = headers.get("x-delivery-count")
    times = returned if isinstance(returned, int) else 0
    reason = str(death.get("reason", headers.get("x-first-death-reason", "rejected")))
    if reason != "expired":  # else it died in the queue, in nobody's hands
        times += 1
    return DeadLetterMessage(message.routing_key or "", event, reason, times)
