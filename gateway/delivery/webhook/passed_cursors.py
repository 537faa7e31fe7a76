"""Stores the cursors of dispatchers that passed only what their subscriptions do not receive."""

from collections.abc import Iterable
from contextlib import AsyncExitStack

from gateway.delivery.store import DispatchStore
from gateway.delivery.webhook.dispatcher import Dispatcher

EVERY = 10.0  # seconds
AT_ONCE = 1000  # cursors in one statement


async def store_passed_cursors(dispatchers: Iterable[Dispatcher], store: DispatchStore) -> None:
    """Write them together: a thousand subscriptions that wait would need a thousand writes.

    A dispatcher with anything else to write is left out: it writes all of its own together.
    """
    async with AsyncExitStack() as held:
        moves = []
        for buffer in [each.settlements for each in dispatchers]:
            if passed := buffer.passed():  # then nobody else is writing
                await held.enter_async_context(buffer.writing)
                moves += [(buffer, move) for move in passed]
        for begin in range(0, len(moves), AT_ONCE):
            chunk = moves[begin : begin + AT_ONCE]
            stored = await store.pass_over([(buffer.lease, move) for buffer, move in chunk])
            for buffer, move in chunk:
                if (buffer.lease.key, move.shard) in stored:
                    buffer.advanced(move)
