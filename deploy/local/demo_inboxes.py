"""The receiving side: each queue read over AMQP by its own broker user."""

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

from adapters.client import Subscription
from deploy.local.demo_accounts import Accounts
from deploy.local.demo_scenarios import Interest

PREFETCH = 100


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as a receiver got it, and when (`time.perf_counter`)."""

    interest: Interest
    event: dict[str, Any]
    at: float


Receive = Callable[[Delivery], None]


@asynccontextmanager
async def open_inboxes(accounts: Accounts, receive: Receive) -> AsyncIterator[Sequence[Interest]]:
    """Have every queue of the scenarios read. What came is acknowledged after `receive`."""
    interests = accounts.interests
    async with AsyncExitStack() as stack:
        for interest in interests:
            subscription = await accounts.subscribe(interest)
            connection = await _connect(accounts, interest, subscription)
            await stack.enter_async_context(connection)
            await _consume(connection, interest, subscription.queue, receive)
        for interest in interests:
            await accounts.active(interest)
        yield interests


async def _connect(
    accounts: Accounts, interest: Interest, subscription: Subscription
) -> AbstractConnection:
    """A connection as the queue's own user. A URL that is out of date is renewed."""
    try:
        return await aio_pika.connect(subscription.amqp_url, timeout=5)
    except (AMQPError, OSError):
        renewed = await accounts.renew(interest)
        return await aio_pika.connect(renewed.amqp_url, timeout=5)


async def _consume(
    connection: AbstractConnection, interest: Interest, queue: str, receive: Receive
) -> None:
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=PREFETCH)

    async def take(message: AbstractIncomingMessage) -> None:
        at = time.perf_counter()
        receive(Delivery(interest, json.loads(message.body), at))
        await message.ack()

    # The user may read its queue and nothing else: not even ask whether it exists.
    inbox = await channel.get_queue(queue, ensure=False)
    await inbox.consume(take)
