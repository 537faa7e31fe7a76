"""Show what comes into a queue of the demo: demo_watch ORGANISATION SUBSCRIPTION, until Ctrl-C."""

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

import aio_pika

from deploy.local.demo_env import DemoEnv, variable

FILE = Path(".run/demo.env")


async def watch(url: str, queue: str) -> None:
    """Print who says what happened, in each event of a queue, and take it out. Never its data."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=10)
        inbox = await channel.get_queue(queue, ensure=False)
        print(f"Reading {queue} as its own user ...", flush=True)
        async with inbox.iterator() as messages:
            async for message in messages:
                event = json.loads(message.body)
                names = ("recordedtime", "type", "subject", "source", "id", "sequence")
                print("  ".join(str(event.get(name, "-")) for name in names), flush=True)
                await message.ack()


def main() -> None:
    """Read the queue that the arguments name."""
    env = DemoEnv(FILE)
    url, queue = (env.get(variable(*sys.argv[1:], name)) for name in ("amqp_url", "queue"))
    if not url or not queue:
        sys.exit(f"{FILE} knows no such queue; it names them <ORGANISATION>_<SUBSCRIPTION>_QUEUE.")
    with suppress(KeyboardInterrupt):
        asyncio.run(watch(url, queue))


if __name__ == "__main__":
    main()
