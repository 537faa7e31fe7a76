"""The receiving side: each queue read over AMQP by its own broker user."""

import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

from deploy.local.demo_queues import Queue
from deploy.local.demo_scenarios import SubscriptionPlan

PREFETCH = 100
CONNECT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as a receiver got it, and when (`time.perf_counter`)."""

    plan: SubscriptionPlan
    event: dict[str, Any]
    at: float


Receive = Callable[[Delivery], None]
Renew = Callable[[SubscriptionPlan], Awaitable[Queue]]


@asynccontextmanager
async def open_inboxes(
    queues: Iterable[Queue], receive: Receive, renew: Renew
) -> AsyncIterator[None]:
    """Have every queue read. What came is acknowledged after `receive`."""
    # A refused connection is tried with another password, and what stays refused is raised.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    async with AsyncExitStack() as stack:
        for queue in queues:
            connection = await _connect(queue, renew)
            await stack.enter_async_context(connection)
            await _consume(connection, queue, receive)
        yield


async def _connect(queue: Queue, renew: Renew) -> AbstractConnection:
    """A connection as the queue's own user. A URL that is out of date is renewed."""
    try:
        return await aio_pika.connect(queue.amqp_url, timeout=CONNECT)
    except (AMQPError, OSError):
        fresh = await renew(queue.plan)
        return await aio_pika.connect(fresh.amqp_url, timeout=CONNECT)


async def _consume(connection: AbstractConnection, queue: Queue, receive: Receive) -> None:
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=PREFETCH)

    async def take(message: AbstractIncomingMessage) -> None:
        at = time.perf_counter()
        receive(Delivery(queue.plan, json.loads(message.body), at))
        await message.ack()

    # The user may read this queue and nothing else: not even ask whether it exists.
    inbox = await channel.get_queue(queue.name, ensure=False)
    await inbox.consume(take)
