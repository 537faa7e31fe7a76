"""How many messages of a backfill a queue may take now."""

import asyncio
import logging
from collections.abc import AsyncIterator

import aio_pika
import pytest

from deploy.local.rabbitmq import RabbitMQ
from gateway.broker import Broker
from gateway.relay import queue_credit
from gateway.relay.queue_credit import PAUSE, QueueCredit
from tests.servers import fresh_virtual_host

QUEUE, OTHER = "sub.uji.satu", "sub.uji.dua"


class Clock:
    """A clock that moves when the test moves it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def amqp_url(rabbitmq: RabbitMQ) -> str:
    return await asyncio.to_thread(fresh_virtual_host, rabbitmq)


@pytest.fixture
async def broker(amqp_url: str) -> AsyncIterator[Broker]:
    """A broker with two empty queues."""
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # logs each missing queue at length
    broker = Broker(amqp_url, name="test", timeout=15)
    for queue in (QUEUE, OTHER):
        await broker.declare_queue(queue, ordered=False)
    yield broker
    await broker.close()


@pytest.fixture
async def channel(amqp_url: str) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    async with await aio_pika.connect(amqp_url) as connection:
        yield await connection.channel()


async def fill(channel: aio_pika.abc.AbstractChannel, count: int, queue: str = QUEUE) -> None:
    """Add so many messages."""
    async with asyncio.timeout(30):
        for _ in range(count):
            await channel.default_exchange.publish(aio_pika.Message(b"{}"), queue)


async def empty(channel: aio_pika.abc.AbstractChannel) -> None:
    await (await channel.get_queue(QUEUE, ensure=False)).purge()


async def available(found: QueueCredit, queue: str) -> int:
    async with found.reserve(queue) as credit:
        return credit


async def test_shards_that_send_at_once_exceed_nothing(
    broker: Broker, channel: aio_pika.abc.AbstractChannel
) -> None:
    found = QueueCredit(broker, low=100, shards=2)
    async with found.reserve(QUEUE) as first, found.reserve(QUEUE) as second:
        assert (first, second, await available(found, QUEUE)) == (50, 50, 0)
        await fill(channel, 50)
        assert await available(found, QUEUE) == 0  # perhaps these 50, perhaps others
    assert await available(found, QUEUE) == 25


async def test_the_shards_share_what_is_free(
    broker: Broker, channel: aio_pika.abc.AbstractChannel
) -> None:
    found = QueueCredit(broker, low=100, shards=4)
    await fill(channel, 20)
    assert await available(found, QUEUE) == 20
    await fill(channel, 67)
    assert await available(found, QUEUE) == 3


async def test_a_full_queue_is_not_asked_for_a_while(
    broker: Broker, channel: aio_pika.abc.AbstractChannel
) -> None:
    clock = Clock()
    found = QueueCredit(broker, low=100, shards=4, clock=clock)
    await fill(channel, 90)  # less than an eighth is free
    assert await available(found, QUEUE) == 0
    await empty(channel)
    assert await available(found, OTHER) == 25
    assert [await available(found, QUEUE) for _ in range(5)] == [0] * 5
    clock.now += PAUSE
    assert await available(found, QUEUE) == 25


async def test_a_missing_queue_has_no_credit(broker: Broker) -> None:
    assert await available(QueueCredit(broker, low=1000, shards=4), "sub.uji.hilang") == 0


async def test_the_smallest_credit_is_one(broker: Broker) -> None:
    assert await available(QueueCredit(broker, low=2, shards=4), QUEUE) == 1


async def test_queues_that_were_full_long_ago_are_forgotten(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_credit, "REMEMBERED", 3)
    clock = Clock()
    found = QueueCredit(broker, low=1000, shards=1, clock=clock)
    for number in range(10):
        clock.now += PAUSE
        await available(found, f"sub.uji.hilang.{number}")  # one that is missing counts as full
        assert len(found._full_until) <= 3
