"""The relay of `bench.careful`: publishes the outbox with aio-pika, and deletes what is confirmed.

Several may run: each takes rows that no other one holds. An event may be published twice, as a
crash between confirm and commit repeats it.
"""

import asyncio
import os
from typing import Any

import aio_pika
import asyncpg
import uvloop
from aio_pika.abc import AbstractExchange

MOST = 500  # events at once, as many as aio-pika does best with
PAUSE = 0.02  # seconds, when there is nothing
TAKE = f"""
SELECT number, id, type, body FROM careful_outbox
ORDER BY number LIMIT {MOST} FOR UPDATE SKIP LOCKED
"""


async def relay(database: str, broker: str, exchange: str) -> None:
    """Publish until it is ended."""
    connection = await aio_pika.connect_robust(broker)
    async with connection, asyncpg.create_pool(database, min_size=1, max_size=1) as pool:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        target = await channel.get_exchange(exchange)
        while True:
            async with pool.acquire() as held:
                if not await _publish_some(held, target):
                    await asyncio.sleep(PAUSE)


async def _publish_some(held: Any, exchange: AbstractExchange) -> int:
    async with held.transaction():
        rows = await held.fetch(TAKE)
        async with asyncio.TaskGroup() as tasks:
            for row in rows:
                tasks.create_task(exchange.publish(_message(row), row["type"]))
        numbers = [row["number"] for row in rows]
        if numbers:
            await held.execute("DELETE FROM careful_outbox WHERE number = ANY($1)", numbers)
        return len(numbers)


def _message(row: Any) -> aio_pika.Message:
    return aio_pika.Message(
        row["body"],
        content_type="application/cloudevents+json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=row["id"],
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            relay(
                os.environ["BENCH_DATABASE_URL"],
                os.environ["BENCH_AMQP_URL"],
                os.environ["BENCH_EXCHANGE"],
            )
        )
