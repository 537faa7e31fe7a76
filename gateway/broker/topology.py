"""Exchanges, queues and bindings: they must exist before a message can arrive.

Every operation may be repeated: declaring what exists changes nothing. Arguments whose defaults
differ between RabbitMQ 3.10 and 4.x are set explicitly.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from gateway.base.errors import Conflict, NotFound
from gateway.broker import names
from gateway.broker.address import with_heartbeat
from gateway.broker.connecting import open_connection
from gateway.broker.errors import OUTAGES, describe, within

DELIVERY_LIMIT = 20
"""Returns to the queue (its consumer crashed) after which a message becomes a dead letter."""

UNLIMITED = 2**31 - 1
"""Without it 4.x drops after 20 deliveries; 3.10 refuses -1, its value for "no limit"."""

CLOSE_SECONDS = 3.0
"""Closing a connection takes no longer than this."""

Arguments = dict[str, str | int | bool]

QUORUM: Mapping[str, str | int | bool] = {
    "x-queue-type": "quorum",
    # Survives the loss of one node. A larger group costs more for each message.
    "x-quorum-initial-group-size": 3,
    # Else all leaders are on the node that the gateway is connected to, and die with it.
    "x-queue-leader-locator": "balanced",
}


class DiffersOnBroker(Conflict):
    """An exchange or queue of this name exists with other properties. They cannot be changed."""

    code = "differs-on-broker"


class NotOnBroker(NotFound):
    """The exchange or queue does not exist on the broker."""

    code = "not-on-broker"


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """A queue now: its ready messages, without those that consumers hold, and its consumers."""

    ready: int
    consumers: int


LONGEST_AGE = (2**32 - 1) // 1000
"""Seconds: the longest time to live that RabbitMQ accepts."""


def queue_arguments(queue: str, *, ordered: bool, max_age: float | None = None) -> Arguments:
    """The arguments of a subscription's queue; the reconciler compares queues with them.

    A message that is older than `max_age` seconds becomes a dead letter once it is at the head of
    the queue. Its age counts from its arrival, unless it has an earlier expiration of its own.
    At-least-once dead-lettering needs `reject-publish`. There is no length limit: one full queue
    would nack the publish for all queues.
    """
    arguments: Arguments = {
        **QUORUM,
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": names.DEAD,
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    if ordered:
        arguments["x-single-active-consumer"] = True
    if max_age is not None:
        arguments["x-message-ttl"] = int(max_age * 1000)
    return arguments


DEAD_QUEUE_ARGUMENTS: Mapping[str, str | int | bool] = {
    **QUORUM,
    "x-delivery-limit": UNLIMITED,  # it has no dead-letter exchange of its own
    "x-overflow": "reject-publish",
}


REPLY_QUEUE_ARGUMENTS: Mapping[str, str | int | bool] = {
    **QUORUM,
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": names.DEAD,
    "x-dead-letter-routing-key": names.REPLY_QUEUE,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


class Broker:
    """The topology on one broker. It connects when first needed and again after a failure.

    When the broker is away, every method raises BrokerUnavailable, at most `timeout` plus
    CLOSE_SECONDS after the call. Calls run one after another.
    """

    def __init__(self, url: str, *, name: str, timeout: float = 10.0) -> None:
        self._url = with_heartbeat(url)
        self._name = name
        self._timeout = timeout
        self._connection: AbstractConnection | None = None
        self._turn = asyncio.Lock()

    async def declare_base(self) -> None:
        """Declare the exchanges, the queue of dead letters and the queue of replies."""
        async with self._channel("Declaring the exchanges") as channel:
            topic, direct = aio_pika.ExchangeType.TOPIC, aio_pika.ExchangeType.DIRECT
            await channel.declare_exchange(names.EVENTS, topic, durable=True)
            await channel.declare_exchange(names.COMMANDS, direct, durable=True)
            await channel.declare_exchange(names.REQUESTS, direct, durable=True)
            await channel.declare_exchange(names.CALLBACKS, direct, durable=True)
            await channel.declare_exchange(names.REPLIES, topic, durable=True)
            await channel.declare_exchange(
                names.ANSWERED, aio_pika.ExchangeType.FANOUT, durable=True
            )
            await channel.declare_exchange(names.DEAD, topic, durable=True)
            dead = await channel.declare_queue(
                names.DEAD_QUEUE, durable=True, arguments=dict(DEAD_QUEUE_ARGUMENTS)
            )
            await dead.bind(names.DEAD, "#")
            replies = await channel.declare_queue(
                names.REPLY_QUEUE, durable=True, arguments=dict(REPLY_QUEUE_ARGUMENTS)
            )
            await replies.bind(names.REPLIES, "#")

    async def declare_queue(
        self, queue: str, *, ordered: bool, max_age: float | None = None
    ) -> None:
        """Declare a subscription's queue: durable, quorum, one active consumer if `ordered`.

        See `queue_arguments` for `max_age`. Raises DiffersOnBroker if it exists with other
        arguments.
        """
        arguments = queue_arguments(queue, ordered=ordered, max_age=max_age)
        async with self._channel(f"Declaring queue {queue}") as channel:
            await channel.declare_queue(queue, durable=True, arguments=dict(arguments))

    async def bind(self, queue: str, exchange: str, key: str) -> None:
        """Bind `queue` to `key` on `exchange`. Raises NotOnBroker if one of them is missing."""
        async with self._channel(f"Binding queue {queue} to {exchange}") as channel:
            await (await channel.get_queue(queue, ensure=False)).bind(exchange, key)

    async def unbind(self, queue: str, exchange: str, key: str) -> None:
        """Remove a binding; does nothing if it, the queue or the exchange does not exist."""
        async with self._channel(f"Unbinding queue {queue} from {exchange}") as channel:
            await (await channel.get_queue(queue, ensure=False)).unbind(exchange, key)

    async def delete_queue(self, queue: str) -> int:
        """Delete a queue and its consumers; return how many messages it still held.

        The count excludes messages that a consumer holds: close its connections first. 0 if there
        was no such queue.
        """
        async with self._channel(f"Deleting queue {queue}") as channel:
            deleted = await channel.queue_delete(queue)
            return deleted.message_count or 0

    async def depth(self, queue: str) -> QueueDepth:
        """Ask the queue itself, which is exact, unlike the statistics. Raises NotOnBroker."""
        async with self._channel(f"Asking for the depth of queue {queue}") as channel:
            found = (await channel.declare_queue(queue, passive=True)).declaration_result
            return QueueDepth(ready=found.message_count or 0, consumers=found.consumer_count or 0)

    async def close(self) -> None:
        """Close the connection, if there is one. Raises nothing."""
        async with self._turn:
            await self._drop()

    @asynccontextmanager
    async def _channel(self, doing: str) -> AsyncIterator[AbstractChannel]:
        """A channel for one operation, because an error of the broker closes the channel."""
        async with within(self._timeout, doing), self._turn:
            try:
                channel = await self._open_channel()
                yield channel
                await channel.close()
            except ChannelPreconditionFailed as error:
                raise DiffersOnBroker(f"{doing} failed: {describe(error)}") from error
            except ChannelNotFoundEntity as error:
                raise NotOnBroker(f"{doing} failed: {describe(error)}") from error
            except BaseException:
                await self._drop()
                raise

    async def _open_channel(self) -> AbstractChannel:
        # aio-pika's `is_closed` stays false when the broker closed the connection.
        if self._connection is None or not self._connection.connected.is_set():
            await self._drop()
            self._connection = await open_connection(self._url, self._name)
        return await self._connection.channel(publisher_confirms=False)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*OUTAGES):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.close()
