"""A responder as a ministry would write it: aio-pika, one reply for each request, until it ends."""

import asyncio
import json
import os
import uuid
from datetime import UTC, datetime

import aio_pika
import uvloop
from aio_pika.abc import AbstractIncomingMessage

URL, QUEUE = "BENCH_RESPONDER_URL", "BENCH_RESPONDER_QUEUE"
PREFETCH = 100


async def respond() -> None:
    """Answer whatever is asked; `diperiksa_pada` is when the request came in."""
    url, name = os.environ[URL], os.environ[QUEUE]
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        exchange = await channel.get_exchange("bus.replies", ensure=False)

        async def answer(message: AbstractIncomingMessage) -> None:
            received = datetime.now(UTC).isoformat()
            request = json.loads(message.body)
            reply = {
                "specversion": "1.0",
                "id": uuid.uuid4().hex,
                "source": "/dukcapil/responder",
                "type": f"{request['type']}.reply",
                "data": {
                    "nomor_permintaan": request["data"]["nomor_permintaan"],
                    "hasil": "COCOK",
                    "diperiksa_pada": received,
                },
            }
            await exchange.publish(
                aio_pika.Message(
                    json.dumps(reply).encode(),
                    content_type="application/cloudevents+json",
                    correlation_id=message.correlation_id,
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                ),
                name,
            )
            await message.ack()

        queue = await channel.get_queue(name, ensure=False)
        await queue.consume(answer)
        await asyncio.Future()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(respond())
