"""Consumers at work in the process of the test."""

import asyncio
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.events import Event
from consumers.inbox import Inbox
from consumers.outcomes import DONE, Outcome, RetryPolicy
from consumers.runtime import Consumer, Handler
from tests.builders import FREE
from tests.bus import Actor, Subscribed

QUICK = RetryPolicy(attempts=3, first_delay=0.05, longest_delay=0.2)


async def effects(url: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT id, subject FROM effects ORDER BY at")
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


async def record(event: Event, session: AsyncSession) -> Outcome:
    await session.execute(
        text("INSERT INTO effects (id, subject) VALUES (:id, :subject)"),
        {"id": event.id, "subject": event.subject},
    )
    return DONE


class Running:
    """A consumer at work in this process."""

    def __init__(self, subscribed: Subscribed, inbox: Inbox, handler: Handler, **more: Any) -> None:
        url = more.pop("amqp_url", subscribed.url)
        options = {"retry": QUICK, "reconnect_delay": 0.2, **more}
        self.consumer = Consumer(url, subscribed.queue, inbox, {FREE: handler}, **options)

    async def __aenter__(self) -> Consumer:
        self._task = asyncio.create_task(self.consumer.run())
        return self.consumer

    async def __aexit__(self, *_: object) -> None:
        self.consumer.stop()
        await asyncio.wait_for(self._task, 40)


async def until(condition: Any, seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.02)


async def subscribe(uji: Actor) -> Subscribed:
    return await asyncio.to_thread(uji.subscribe, FREE)


async def publish(uji: Actor, count: int, **changes: Any) -> list[str]:
    return await asyncio.to_thread(lambda: [uji.published(**changes) for _ in range(count)])
