"""Subscribers for tests: they read a queue with a client that knows nothing of the gateway."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.exceptions import AMQPError


@dataclass(frozen=True, slots=True)
class Received:
    """A message as a subscriber gets it."""

    body: bytes
    headers: Mapping[str, Any]
    message_id: str | None
    content_type: str | None

    @property
    def document(self) -> dict[str, Any]:
        """The event that it carries."""
        document: dict[str, Any] = json.loads(self.body)
        return document


def ids(received: Iterable[Received]) -> list[str]:
    """The ids of the events in messages."""
    return [each.document["id"] for each in received]


async def receive(
    url: str,
    queue: str,
    count: int | None,
    seconds: float,
    enough: Callable[[set[str]], bool] = lambda _: False,
) -> list[Received]:
    """Take exactly `count` messages from a queue, or until there is enough, as they come.

    A connection or queue that goes away is come back to, as a sound subscriber would.
    """
    found: list[Received] = []
    try:
        async with asyncio.timeout(seconds):
            enough_found = False
            while not enough_found:
                await asyncio.sleep(0.05)
                enough_found = await _received(url, queue, count, enough, found)
    except TimeoutError:
        raise AssertionError(f"{len(found)} of {count} messages came to {queue}") from None
    return found


async def _received(
    url: str,
    queue: str,
    count: int | None,
    enough: Callable[[set[str]], bool],
    found: list[Received],
) -> bool:
    """Read until there is enough; False where the connection or the queue went away."""
    ids = {str(each.message_id) for each in found}
    try:
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=min(count or 200, 200))
            reading = await channel.get_queue(queue, ensure=False)
            async with reading.iterator() as messages:
                async for message in messages:
                    await message.ack()
                    found.append(
                        Received(
                            message.body, message.headers, message.message_id, message.content_type
                        )
                    )
                    ids.add(str(message.message_id))
                    if len(found) == count or (count is None and enough(ids)):
                        return True
    except (AMQPError, OSError) as error:
        if "ACCESS_REFUSED" in str(error):
            raise
    return False


def depth(amqp_url: str, queue: str) -> int:
    """How many messages a queue holds ready."""

    async def look() -> int:
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            found = await channel.declare_queue(queue, passive=True)
            return found.declaration_result.message_count or 0

    return asyncio.run(look())
