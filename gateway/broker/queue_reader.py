"""Reads what a queue holds and leaves it there: for the operator, after a restore."""

from collections.abc import AsyncGenerator

from gateway.base.errors import Malformed
from gateway.base.event import Event
from gateway.broker.address import with_heartbeat
from gateway.broker.connecting import open_connection
from gateway.broker.errors import broker_errors
from gateway.broker.message import event_from_message


async def held_events(url: str, queue: str) -> AsyncGenerator[Event, None]:
    """The events of the messages that are ready in a queue, the oldest first.

    They go back to the queue, in their order, when this ends; that counts as one return of each.
    What consumers hold is not seen. A message without an event is left out. Raises
    BrokerUnavailable.
    """
    with broker_errors(f"Reading the queue {queue}"):
        async with await open_connection(with_heartbeat(url), "nusabus-recover") as connection:
            channel = await connection.channel(publisher_confirms=False)
            found = await channel.declare_queue(queue, passive=True)
            for _ in range(found.declaration_result.message_count or 0):
                message = await found.get(no_ack=False, fail=False)
                if message is None:
                    return
                try:
                    event = event_from_message(message.body, message.headers, message.content_type)
                except Malformed:
                    continue
                yield event
