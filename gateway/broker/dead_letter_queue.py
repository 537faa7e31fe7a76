"""Takes the dead letters of AMQP subscriptions off their queue, a batch at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from gateway.base.defects import isolated
from gateway.base.errors import Malformed
from gateway.base.event import Event
from gateway.base.periodic import reconnecting
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.broker import names
from gateway.broker.address import with_heartbeat
from gateway.broker.connecting import open_connection
from gateway.broker.errors import broker_errors
from gateway.broker.message import event_from_message
from gateway.broker.topology import DELIVERY_LIMIT

BATCH = 200
GATHER = 0.2  # seconds in which a batch fills
# How often a consumer surely got a message that died of this; once for any other reason. A count
# comes with no version: `x-delivery-count` is that of the queue of dead letters itself in 3.10, and
# of some of the returns in 4.0.
ATTEMPTS = {"expired": 0, "delivery_limit": DELIVERY_LIMIT + 1}


@dataclass(frozen=True, slots=True)
class DeadLetterMessage:
    """A message that a queue dead-lettered. `reason` is RabbitMQ's word.

    `attempts` is how often a consumer surely got it.
    """

    queue: str
    event: Event
    reason: str
    attempts: int


Store = Callable[[Sequence[DeadLetterMessage]], Awaitable[None]]


class DeadLetterQueue:
    """The queue of dead letters; several processes may consume it."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url = with_heartbeat(url)
        self._name = name

    async def run(self, store: Store, stop: Stop) -> None:
        """Hand batches to `store` until stopped; a message leaves the queue once it is stored.

        A message without an event is logged, without its content, and dropped; so is one with
        which only a defect is met.
        """

        async def session(connected: Callable[[], None]) -> None:
            with broker_errors("Consuming the dead letters"):
                async with await open_connection(self._url, self._name) as connection:
                    channel = await connection.channel(publisher_confirms=False)
                    await _consume(channel, store, connected, stop)

        await reconnecting("dead_letters.queue", session, stop)


async def _consume(
    channel: AbstractChannel, store: Store, connected: Callable[[], None], stop: Stop
) -> None:
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
            raise ConnectionError("the consumer was cancelled or its connection was lost")
        if batch:
            await store([dead for each in batch if (dead := _read(each)) is not None])
            await batch[-1].ack(multiple=True)
        connected()  # not before a batch is stored: `store` may be what fails


async def _gather(
    arrived: "asyncio.Queue[AbstractIncomingMessage | None]", stop: Stop
) -> list[AbstractIncomingMessage] | None:
    """The messages that have arrived; None once no more can arrive."""
    batch: list[AbstractIncomingMessage] = []
    if arrived.empty() and not await stop.sleep(GATHER):
        return batch
    while len(batch) < BATCH and not arrived.empty():
        message = arrived.get_nowait()
        if message is None:
            return None
        batch.append(message)
    return batch


def _read(message: AbstractIncomingMessage) -> DeadLetterMessage | None:
    with isolated("dead_letters.queue", queue=message.routing_key):
        return _dead_letter(message)
    return None


def _dead_letter(message: AbstractIncomingMessage) -> DeadLetterMessage | None:
    headers: Mapping[str, Any] = message.headers
    try:
        event = event_from_message(message.body, headers, message.content_type)
    except Malformed as error:
        log().error("dead_letter.unreadable_dropped", queue=message.routing_key, reason=str(error))
        return None
    reason = _reason(headers)
    return DeadLetterMessage(message.routing_key or "", event, reason, ATTEMPTS.get(reason, 1))


def _reason(headers: Mapping[str, Any]) -> str:
    """Why the message died: as the broker says, whatever else a publisher wrote there."""
    deaths = headers.get("x-death")
    death = deaths[0] if isinstance(deaths, list) and deaths else None
    reason = death.get("reason") if isinstance(death, dict) else None
    if not isinstance(reason, str):
        reason = headers.get("x-first-death-reason")
    return reason if isinstance(reason, str) else "rejected"
