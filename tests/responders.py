"""A responder over AMQP, with a client that knows nothing of the gateway."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from tests.builders import a_reply

Answer = Callable[[dict[str, Any]], Mapping[str, Any] | bytes | None]


class AmqpResponder:
    """Reads its queue in a thread and answers each request; `answer` gives None to stay silent.

    With `hangs` it takes requests, and neither answers nor settles any.
    """

    def __init__(
        self, url: str, queue: str, answer: Answer = a_reply, *, hangs: bool = False
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        self.done: list[dict[str, Any]] = []
        self._url, self._queue, self._answer, self._hangs = url, queue, answer, hangs
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> "AmqpResponder":
        self._thread.start()
        assert self._ready.wait(20), "the responder could not connect"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def _work(self) -> None:
        self._loop.run_until_complete(self._run())

    async def _run(self) -> None:
        async with await aio_pika.connect(self._url) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=50)
            exchange = await channel.get_exchange("bus.replies", ensure=False)

            async def answer(message: AbstractIncomingMessage) -> None:
                question = json.loads(message.body)
                self.asked.append(question)
                if self._hangs:
                    return
                reply = self._answer(question)
                if reply is not None:
                    await exchange.publish(reply_message(message, reply), self._queue)
                await message.ack()
                self.done.append(question)

            queue = await channel.get_queue(self._queue, ensure=False)
            await queue.consume(answer)
            self._ready.set()
            await self._stop.wait()


def reply_message(
    request: AbstractIncomingMessage, reply: Mapping[str, Any] | bytes
) -> aio_pika.Message:
    """A reply as a responder sends it."""
    return aio_pika.Message(
        reply if isinstance(reply, bytes) else json.dumps(reply).encode(),
        content_type="application/cloudevents+json",
        correlation_id=request.correlation_id,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
