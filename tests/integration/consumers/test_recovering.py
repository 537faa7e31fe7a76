"""What ends a consumer's connection or its queue, and that nothing is lost or done by half."""

import asyncio
import gc
from collections.abc import Iterator

import aio_pika
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.events import Event
from consumers.inbox import Inbox
from consumers.outcomes import DONE, Outcome
from deploy.local.rabbitmq import RabbitMQ
from tests.bus import Actor, Bus
from tests.integration.consumers.running import (
    Running,
    effects,
    publish,
    record,
    subscribe,
    until,
)
from tests.readers import depth
from tests.waiting import eventually

# Saved by then, a new quorum queue outlives the kill of RabbitMQ 3.10 (dets, auto_save).
SAVED = 1.5
# What aio-pika does when a connection that was cut is collected.
pytestmark = pytest.mark.filterwarnings(
    "ignore:coroutine 'Connection.close' was never awaited",
)


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Collects cut connections before another test could be blamed for them."""
    yield
    gc.collect()


async def test_a_broker_that_is_killed_is_come_back_to(
    uji: Actor, inbox: Inbox, database: str, rabbitmq: RabbitMQ
) -> None:
    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, record) as consumer:
        sent = await publish(uji, 5)
        await until(lambda: consumer.counts.handled == 5)
        await asyncio.sleep(SAVED)
        await asyncio.to_thread(rabbitmq.kill)
        try:
            await until(lambda: consumer.counts.reconnected >= 2)
            sent += await publish(uji, 5)
        finally:
            await asyncio.to_thread(rabbitmq.start)
        await until(lambda: consumer.counts.handled == 10, 90)
    assert sorted(id for id, _ in await effects(database)) == sorted(sent)


async def test_new_credentials_are_taken_when_it_has_to_connect_again(
    uji: Actor, inbox: Inbox, database: str, rabbitmq: RabbitMQ
) -> None:
    subscribed = await subscribe(uji)
    known = {"url": subscribed.url}
    calls: list[str] = []

    async def address() -> str:
        calls.append(known["url"])
        if len(calls) == 1:
            raise LookupError("who knows it is away, too")
        return calls[-1]

    async with Running(subscribed, inbox, record, amqp_url=address) as consumer:
        await publish(uji, 3)
        await until(lambda: consumer.counts.handled == 3)
        renewed = await asyncio.to_thread(
            uji.post, f"/v1/subscriptions/{subscribed.name}/credentials"
        )
        await publish(uji, 3)  # the connection that is open goes on with the old password
        await until(lambda: consumer.counts.handled == 6)
        assert len(calls) == 2
        await asyncio.to_thread(
            rabbitmq.ctl, "close_all_user_connections", subscribed.queue, "a test"
        )
        await until(lambda: len(calls) >= 4)  # refused, and it tries again
        await publish(uji, 3)
        known["url"] = renewed.json()["amqp_url"]
        await until(lambda: consumer.counts.handled == 9)
    assert len(await effects(database)) == 9


async def test_a_queue_that_is_deleted_is_read_again_when_it_is_repaired(
    bus: Bus, uji: Actor, inbox: Inbox, database: str
) -> None:
    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, record) as consumer:
        sent = await publish(uji, 3)
        await until(lambda: consumer.counts.handled == 3)
        async with await aio_pika.connect(bus.amqp_url) as connection:
            await (await connection.channel()).queue_delete(subscribed.queue)
        sent += await publish(uji, 3)
        await until(lambda: consumer.counts.handled == 6)
    assert sorted(id for id, _ in await effects(database)) == sorted(sent)


async def test_a_subscription_that_ends_closes_the_connection_of_its_consumer(
    uji: Actor, inbox: Inbox, rabbitmq: RabbitMQ
) -> None:
    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, record) as consumer:
        await publish(uji, 1)
        await until(lambda: consumer.counts.handled == 1)
        await asyncio.to_thread(subscribed.end)
        await until(lambda: consumer.counts.reconnected >= 1)
        listed = await asyncio.to_thread(rabbitmq.ctl, "list_connections", "user")
        assert subscribed.queue not in listed.split()


async def test_a_stop_ends_a_handler_that_hangs_and_all_comes_again(
    bus: Bus, uji: Actor, inbox: Inbox, database: str
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang(event: Event, session: AsyncSession) -> Outcome:
        await record(event, session)
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return DONE

    subscribed = await subscribe(uji)
    sent = await publish(uji, 3, subject="a")
    async with Running(subscribed, inbox, hang, stop_timeout=0.3):
        await began.wait()
    assert ended.is_set()
    assert await effects(database) == []
    await asyncio.to_thread(eventually, lambda: depth(bus.amqp_url, subscribed.queue) == len(sent))
    async with Running(subscribed, inbox, record) as second:
        await until(lambda: second.counts.handled == 3)
    assert [id for id, _ in await effects(database)] == sent


async def test_work_that_breaks_off_holds_up_nothing(
    uji: Actor, inbox: Inbox, database: str
) -> None:
    broken: set[str] = set()

    async def once(event: Event, session: AsyncSession) -> Outcome:
        if not broken:
            broken.add(event.id)
            raise asyncio.CancelledError  # as what it awaited may have been
        return await record(event, session)

    subscribed = await subscribe(uji)
    sent = await publish(uji, 4, subject="a")  # all in hands when the first breaks off
    async with Running(subscribed, inbox, once) as consumer:
        await until(lambda: consumer.counts.handled == 4)
    assert [id for id, _ in await effects(database)] == sent


async def test_no_more_than_the_prefetch_is_in_hands(
    uji: Actor, inbox: Inbox, database: str
) -> None:
    go_on, at_work = asyncio.Event(), [0]

    async def wait(event: Event, session: AsyncSession) -> Outcome:
        at_work[0] += 1
        await go_on.wait()
        return await record(event, session)

    subscribed = await subscribe(uji)
    sent = [(await publish(uji, 1, subject=f"s{number}"))[0] for number in range(8)]
    async with Running(subscribed, inbox, wait, prefetch=3) as consumer:
        await until(lambda: at_work[0] == 3)
        shown = await asyncio.to_thread(_waiting, uji.bus, subscribed.queue)
        assert shown == 5
        assert at_work[0] == 3
        go_on.set()
        await until(lambda: consumer.counts.handled == 8)
    assert sorted(id for id, _ in await effects(database)) == sorted(sent)


def _waiting(bus: Bus, queue: str) -> int:
    return eventually(lambda: depth(bus.amqp_url, queue))


async def test_a_test_event_is_settled_without_a_handler(
    bus: Bus, uji: Actor, inbox: Inbox, database: str
) -> None:
    subscribed = await subscribe(uji)
    await asyncio.to_thread(uji.post, f"/v1/subscriptions/{subscribed.name}/test")
    async with Running(subscribed, inbox, record) as consumer:
        await publish(uji, 1)
        await until(lambda: consumer.counts.handled == 1)
    assert consumer.counts.rejected == 0
    assert len(await effects(database)) == 1
    assert await asyncio.to_thread(depth, bus.amqp_url, subscribed.queue) == 0
