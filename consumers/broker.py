"""Outages of the broker: their exceptions, and the end of a channel."""

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


async def channel_closed(channel: AbstractChannel) -> asyncio.Event:
    """An event that is set when the broker closes the channel or cancels its consumer."""
    closed = asyncio.Event()
    underlay = await channel.get_underlay_channel()
    underlay.closing.add_done_callback(lambda _: closed.set())
    underlay.on_consumer_cancel_callbacks.add(lambda _: closed.set())
    return closed


async def wait_for_any(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
