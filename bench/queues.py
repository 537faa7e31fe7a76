"""The queues from outside: made alike, counted, emptied, and one message taken as a sample."""

import asyncio
import base64
import json
import time
from contextlib import suppress
from typing import Any

import aio_pika
import httpx
from aio_pika.abc import AbstractChannel, AbstractConnection

from bench.failure import BenchFailure
from gateway.broker import names

ARRIVAL = 60.0  # seconds in which the count of a queue must become what was accepted


class Queues:
    """One connection to the private broker."""

    def __init__(self, amqp_url: str, management_url: str) -> None:
        self._url = amqp_url
        self._management_url = management_url
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None

    async def open(self) -> None:
        """Connect."""
        self._connection = await aio_pika.connect(self._url)
        self._channel = await self._connection.channel()

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            with suppress(aio_pika.exceptions.AMQPError, OSError):
                await self._connection.close()

    async def like(
        self, model: str, name: str, exchange: str, key: str, kind: str = "topic"
    ) -> None:
        """Make a queue with the arguments of `model`, bound to an exchange of its own."""
        answer = await self._manage("GET", f"queues/%2F/{model}")
        answer.raise_for_status()
        arguments: dict[str, Any] = answer.json()["arguments"]
        made = await self._open_channel.declare_exchange(exchange, kind, durable=True)
        queue = await self._open_channel.declare_queue(name, durable=True, arguments=arguments)
        await queue.bind(made, key)

    async def count(self, name: str) -> int:
        """How many messages wait in a queue."""
        queue = await self._open_channel.declare_queue(name, passive=True)
        return int(queue.declaration_result.message_count or 0)

    async def empty(self, name: str) -> int:
        """Throw away all messages; how many there were."""
        found = await (await self._open_channel.get_queue(name, ensure=False)).purge()
        return int(found.message_count or 0)

    async def expect(self, name: str, accepted: int) -> None:
        """What was accepted is what the queue got, no more and no less; then empty it.

        Raises BenchFailure when it is not.
        """
        deadline = time.monotonic() + ARRIVAL
        while (held := await self.count(name)) != accepted:
            if held > accepted or time.monotonic() > deadline:
                raise BenchFailure(f"{accepted} events were accepted, and {name} holds {held}")
            await asyncio.sleep(0.05)
        await self.empty(name)

    async def sample(self, name: str) -> dict[str, Any]:
        """One message of a queue, as bench.publishers wants it."""
        queue = await self._open_channel.get_queue(name, ensure=False)
        message = await queue.get(no_ack=True, timeout=ARRIVAL)
        assert message is not None
        return {
            "body": base64.b64encode(message.body).decode(),
            "headers": json.loads(json.dumps(message.headers)),
            "message_id": message.message_id,
            "content_type": message.content_type,
        }

    async def forget_journal(self) -> None:
        """Let the broker know nothing of a journal: the next one begins anew, and is no restore."""
        answer = await self._manage("DELETE", f"global-parameters/{names.WITNESS}-%2F")
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()

    async def _manage(self, method: str, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self._management_url) as client:
            return await client.request(method, f"/api/{path}")

    @property
    def _open_channel(self) -> AbstractChannel:
        assert self._channel is not None
        return self._channel
