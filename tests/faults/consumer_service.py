"""A service on the consumer runtime: `python -m tests.faults.consumer_service`. It is killed.

Environment: AMQP_URL, QUEUE, DATABASE_URL, SUBSCRIPTION. Its effect is a row of `effects`.
"""

import asyncio
import logging
import os
import signal
from zlib import crc32

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.events import Event
from consumers.inbox import Inbox
from consumers.outcomes import DONE, Outcome, Reject, Retry
from consumers.runtime import Consumer

UNWILLING = 30  # one event in so many is not done at the first attempt
_EFFECT = "INSERT INTO effects (subscription, source, id) VALUES (:subscription, :source, :id)"
_tried: set[str] = set()


async def handle(event: Event, session: AsyncSession) -> Outcome:
    """Write the effect; some events it refuses, and some it takes at the second attempt."""
    row = {"subscription": os.environ["SUBSCRIPTION"], "source": event.source, "id": event.id}
    await session.execute(text(_EFFECT), row)
    lot = crc32(event.id.encode())
    rejects = int(await session.scalar(text("SELECT rejects FROM consumer_options")) or 0)
    if rejects and lot % rejects == 0:
        return Reject("refused")
    if lot % UNWILLING == 0 and event.id not in _tried:
        _tried.add(event.id)
        return Retry("not yet", after=0.05)
    return DONE


async def consume() -> None:
    """Consume until SIGTERM."""
    name = os.environ["SUBSCRIPTION"]
    inbox = await Inbox.open(os.environ["DATABASE_URL"], name)
    consumer = Consumer(
        os.environ["AMQP_URL"],
        os.environ["QUEUE"],
        inbox,
        {"*": handle},
        reconnect_delay=0.2,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, consumer.stop)
    await consumer.run()
    await inbox.close()


def main() -> None:
    """Be a consumer."""
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # a traceback for each lost connection
    asyncio.run(consume())


if __name__ == "__main__":
    main()
