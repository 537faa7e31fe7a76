"""The consumer runtime on a real broker and database: exactly one effect, whatever happens."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.events import Event
from consumers.inbox import Inbox
from consumers.outcomes import DONE, Outcome, Reject, Retry
from consumers.runtime import Consumer, Handler, Patience
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from tests.builders import FREE
from tests.bus import Actor, Bus, Subscribed
from tests.servers import fresh_database
from tests.waiting import eventually

QUICK = Patience(attempts=3, first_delay=0.05, reconnect=0.2)
EFFECTS = "CREATE TABLE effects (id text PRIMARY KEY, subject text, at serial)"


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


@pytest.fixture
async def database(postgres: Postgres) -> str:
    """A database with a table for effects: a second effect of one event is an error."""
    url = await asyncio.to_thread(fresh_database, postgres)
    connection = await asyncpg.connect(url)
    await connection.execute(EFFECTS)
    await connection.close()
    return url


@pytest.fixture
async def inbox(database: str) -> AsyncIterator[Inbox]:
    made = await Inbox.open(database, "uji")
    yield made
    await made.close()


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

    def __init__(self, subscribed: Subscribed, inbox: Inbox, handler: Handler) -> None:
        self.consumer = Consumer(
            subscribed.url, subscribed.queue, inbox, {FREE: handler}, patience=QUICK
        )

    async def __aenter__(self) -> Consumer:
        self._task = asyncio.create_task(self.consumer.run())
        return self.consumer

    async def __aexit__(self, *_: object) -> None:
        self.consumer.stop()
        await asyncio.wait_for(self._task, 40)


async def until(condition: Any) -> None:
    async with asyncio.timeout(40):
        while not condition():  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.02)


async def subscribe(uji: Actor) -> Subscribed:
    return await asyncio.to_thread(uji.subscribe, FREE)


async def publish(uji: Actor, count: int, **changes: Any) -> list[str]:
    return await asyncio.to_thread(lambda: [uji.published(**changes) for _ in range(count)])


async def test_each_event_has_one_effect(uji: Actor, inbox: Inbox, database: str) -> None:
    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, record) as consumer:
        sent = await publish(uji, 20)
        await until(lambda: consumer.counts.handled == 20)
    assert sorted(id for id, _ in await effects(database)) == sorted(sent)


async def test_one_key_is_handled_in_order_though_attempts_fail(
    uji: Actor, inbox: Inbox, database: str
) -> None:
    failed: set[str] = set()

    async def sometimes(event: Event, session: AsyncSession) -> Outcome:
        await record(event, session)
        if event.id not in failed:
            failed.add(event.id)
            return Retry("not yet", after=0.01)
        return DONE

    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, sometimes) as consumer:
        sent = await publish(uji, 10, subject="a")
        await until(lambda: consumer.counts.handled == 10)
        assert consumer.counts.retried == 10
    assert [id for id, _ in await effects(database)] == sent


async def test_what_cannot_be_handled_becomes_a_dead_letter(
    uji: Actor, inbox: Inbox, database: str
) -> None:
    async def handle(event: Event, session: AsyncSession) -> Outcome:
        await record(event, session)
        if event.subject == "never":
            return Reject("unknown subject")
        raise LookupError("a defect")

    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, handle) as consumer:
        await publish(uji, 1, subject="never")
        await publish(uji, 1, subject="defect")
        await until(lambda: consumer.counts.rejected == 2)
        assert consumer.counts.retried == 2
    assert await effects(database) == []

    def dead() -> Any:
        query = {"subscription": subscribed.name}
        found = uji.get("/v1/dead-letters", params=query).json()["items"]
        return len(found) == 2

    await asyncio.to_thread(eventually, dead)


async def test_a_stop_leaves_nothing_half_done(uji: Actor, inbox: Inbox, database: str) -> None:
    begun = asyncio.Event()

    async def slow(event: Event, session: AsyncSession) -> Outcome:
        await record(event, session)
        begun.set()
        await asyncio.sleep(0.3)
        return DONE

    subscribed = await subscribe(uji)
    sent = await publish(uji, 3, subject="a")
    async with Running(subscribed, inbox, slow):
        await begun.wait()
    first = [id for id, _ in await effects(database)]
    assert first == sent[: len(first)]
    assert len(first) < 3
    async with Running(subscribed, inbox, record) as second:
        await until(lambda: second.counts.handled == 3 - len(first))
    assert [id for id, _ in await effects(database)] == sent


async def test_a_lost_broker_connection_is_made_again(
    uji: Actor, inbox: Inbox, database: str, rabbitmq: RabbitMQ
) -> None:
    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, record) as consumer:
        await publish(uji, 5)
        await until(lambda: consumer.counts.handled == 5)
        await asyncio.to_thread(
            rabbitmq.ctl, "close_all_user_connections", subscribed.queue, "a test"
        )
        await until(lambda: consumer.counts.reconnected == 1)
        await publish(uji, 5)
        await until(lambda: consumer.counts.handled == 10)
    assert len(await effects(database)) == 10


async def test_dying_between_effect_and_acknowledgement_repeats_nothing(
    uji: Actor, database: str
) -> None:
    subscribed = await subscribe(uji)
    sent = await publish(uji, 30)
    environ = {
        **os.environ,
        "AMQP_URL": subscribed.url,
        "QUEUE": subscribed.queue,
        "DATABASE_URL": database,
    }

    async def run(die: int) -> subprocess.Popen[bytes]:
        return await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-m", "tests.integration.consumers.recorder"],
            env={**environ, "DIE": str(die)},
        )

    for die in (3, 7):
        process = await run(die)
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    process = await run(0)
    try:
        async with asyncio.timeout(40):
            while len(await effects(database)) < 30:  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.1)
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, 60) == 0
    assert sorted(id for id, _ in await effects(database)) == sorted(sent)


async def test_an_inbox_forgets_what_is_old(inbox: Inbox) -> None:
    event = Event("1", "/uji", FREE)
    async with inbox.once(event) as first:
        assert first is not None
    async with inbox.once(event) as second:
        assert second is None
    assert await inbox.forget(timedelta(days=1)) == 0
    assert await inbox.forget(timedelta(0)) == 1
    async with inbox.once(event) as third:
        assert third is not None
