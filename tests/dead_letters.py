"""Dead letters, for tests."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aio_pika
import asyncpg

from tests.bus import Actor, Subscribed
from tests.pull_receiver import Puller, tokens
from tests.servers import as_owner


def dead(actor: Actor, name: str, **query: Any) -> list[dict[str, Any]]:
    answer = actor.get("/v1/dead-letters", params={"subscription": name, **query})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def a_dead_letter(
    actor: Actor, puller: Puller, reason: str = "tidak dikenal", **event: Any
) -> dict[str, Any]:
    """Reject one event of a pull subscription."""
    actor.published(**event)
    puller.call("reject", tokens=tokens(puller.receive(1)), reason=reason)
    return dead(actor, puller.name, state="dead")[-1]


def reject(subscribed: Subscribed, *, returns: int = 0) -> None:
    """Take one message and refuse it, or return it to the queue so often."""
    asyncio.run(_reject(subscribed, returns))


async def _reject(subscribed: Subscribed, returns: int) -> None:
    async with await aio_pika.connect(subscribed.url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        queue = await channel.get_queue(subscribed.queue, ensure=False)
        async with queue.iterator(timeout=20) as messages:
            for _ in range(returns or 1):
                await (await anext(messages)).reject(requeue=returns > 0)


@contextmanager
def locked(url: str, statement: str) -> Iterator[None]:
    """Hold the locks that a statement takes."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(as_owner(url)))
        transaction = connection.transaction()
        runner.run(transaction.start())
        runner.run(connection.execute(statement))
        yield
        runner.run(transaction.rollback())
        runner.run(connection.close())
