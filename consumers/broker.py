"""What tells that the broker, or what is read from it, is gone."""

import asyncio

from aio_pika.abc import AbstractChannel
from aiormq.exceptions import AMQPError
from pamqp.exceptions import PAMQPException

OUTAGES: tuple[type[BaseException], ...] = (
    OSError,
    EOFError,
    TimeoutError,
    RuntimeError,  # aiormq's "closed" and "invalid state"
    AMQPError,
    PAMQPException,
    StopAsyncIteration,
)


async def when_gone(channel: AbstractChannel) -> asyncio.Event:
    """Set when the broker ends the channel, or the consumer on it."""
    gone = asyncio.Event()
    underlay = await channel.get_underlay_channel()
    underlay.closing.add_done_callback(lambda _: gone.set())
    underlay.on_consumer_cancel_callbacks.add(lambda _: gone.set())
    return gone


async def first(*events: asyncio.Event) -> None:
    """Until one of them happens."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
