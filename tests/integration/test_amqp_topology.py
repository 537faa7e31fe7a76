"""Declaring, binding and looking: aio-pika and the management API on a real broker."""

import asyncio
import logging
from collections.abc import AsyncIterator

import aio_pika
import pytest

from deploy.local.rabbitmq import RabbitMQ
from gateway.base.errors import BrokerUnavailable
from gateway.broker import names
from gateway.broker.management import Management
from gateway.broker.topology import (
    Broker,
    DiffersOnBroker,
    NotOnBroker,
    QueueDepth,
    queue_arguments,
)

QUEUE = names.queue("dukcapil", "topology")


@pytest.fixture
async def broker(rabbitmq: RabbitMQ) -> AsyncIterator[Broker]:
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # logs each lost connection at length
    broker = Broker(rabbitmq.amqp_url, name="test", timeout=15)
    await broker.declare_base()
    await broker.delete_queue(QUEUE)
    yield broker
    await broker.delete_queue(QUEUE)
    await broker.close()


@pytest.fixture
async def management(rabbitmq: RabbitMQ) -> AsyncIterator[Management]:
    async with Management(rabbitmq.amqp_url, rabbitmq.management_url) as management:
        yield management


@pytest.fixture
async def channel(rabbitmq: RabbitMQ) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    async with await aio_pika.connect(rabbitmq.amqp_url) as connection:
        yield await connection.channel()


async def publish(
    channel: aio_pika.abc.AbstractChannel, exchange: str, key: str, body: bytes = b"{}"
) -> None:
    target = await channel.get_exchange(exchange, ensure=False)
    message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    async with asyncio.timeout(30):
        await target.publish(message, key)


@pytest.mark.parametrize("ordered", [False, True])
async def test_a_queue_is_what_it_was_declared_as(
    broker: Broker, management: Management, ordered: bool
) -> None:
    await broker.declare_queue(QUEUE, ordered=ordered)
    await broker.declare_queue(QUEUE, ordered=ordered)
    await broker.declare_base()
    state = (await management.queues())[QUEUE]
    assert state.arguments == queue_arguments(QUEUE, ordered=ordered)
    assert ("x-single-active-consumer" in state.arguments) is ordered
    with pytest.raises(DiffersOnBroker, match="x-single-active-consumer"):
        await broker.declare_queue(QUEUE, ordered=not ordered)
    assert await broker.depth(QUEUE) == QueueDepth(ready=0, consumers=0)


@pytest.mark.parametrize("exchange", [names.EVENTS, names.COMMANDS])
async def test_bindings_route_the_type_and_the_private_key(
    broker: Broker,
    management: Management,
    channel: aio_pika.abc.AbstractChannel,
    exchange: str,
) -> None:
    key, private = "id.go.dukcapil.ktp.dibuat.v1", names.private_key(QUEUE, 1)
    await broker.declare_queue(QUEUE, ordered=False)
    for each in (key, private, key):
        await broker.bind(QUEUE, exchange, each)
        await publish(channel, exchange, each)
    assert (await broker.depth(QUEUE)).ready == 3
    assert {(QUEUE, key), (QUEUE, private)} <= await management.bindings(exchange)
    await broker.unbind(QUEUE, exchange, key)
    await broker.unbind(QUEUE, exchange, key)
    assert (QUEUE, key) not in await management.bindings(exchange)
    assert await broker.delete_queue(QUEUE) == 3
    assert await broker.delete_queue(QUEUE) == 0
    assert QUEUE not in await management.queues()
    assert (QUEUE, private) not in await management.bindings(exchange)


async def test_the_statistics_tell_what_a_queue_holds(
    broker: Broker, management: Management, channel: aio_pika.abc.AbstractChannel
) -> None:
    await broker.declare_queue(QUEUE, ordered=False)
    for _ in range(3):
        await publish(channel, "", QUEUE)
    await channel.set_qos(prefetch_count=1)
    tag = await (await channel.get_queue(QUEUE, ensure=False)).consume(_keep)
    async with asyncio.timeout(60):
        while True:
            state = (await management.queues())[QUEUE]
            if (state.messages, state.unacknowledged, state.consumers) == (3, 1, 1):
                break
    assert state.state == "running"
    assert await broker.depth(QUEUE) == QueueDepth(ready=2, consumers=1)
    await (await channel.get_queue(QUEUE, ensure=False)).cancel(tag)


async def _keep(message: aio_pika.abc.AbstractIncomingMessage) -> None:
    """Neither settle it nor give it back."""


async def test_what_is_missing_is_said(broker: Broker, management: Management) -> None:
    with pytest.raises(NotOnBroker, match=QUEUE):
        await broker.bind(QUEUE, names.EVENTS, "id.go.a.v1")
    with pytest.raises(NotOnBroker):
        await broker.depth(QUEUE)
    await broker.unbind(QUEUE, names.EVENTS, "id.go.a.v1")
    await broker.declare_queue(QUEUE, ordered=False)
    with pytest.raises(NotOnBroker, match="no-such-exchange"):
        await broker.bind(QUEUE, "no-such-exchange", "id.go.a.v1")
    assert await management.bindings("no-such-exchange") == frozenset()
    await broker.bind(QUEUE, names.EVENTS, "id.go.a.v1")


async def test_what_is_rejected_stands_in_the_dead_letters(
    broker: Broker, channel: aio_pika.abc.AbstractChannel
) -> None:
    await broker.declare_queue(QUEUE, ordered=False)
    await broker.bind(QUEUE, names.EVENTS, names.private_key(QUEUE, 1))
    dead = await channel.get_queue(names.DEAD_QUEUE, ensure=False)
    await dead.purge()
    await publish(channel, names.EVENTS, names.private_key(QUEUE, 1), b"poison")
    queue = await channel.get_queue(QUEUE, ensure=False)
    delivery = await queue.get(timeout=30)
    assert delivery is not None
    await delivery.reject(requeue=False)
    letter = None
    async with asyncio.timeout(60):
        while letter is None:
            letter = await dead.get(fail=False)
    assert letter.body == b"poison"
    assert letter.routing_key == QUEUE
    await letter.ack()


async def test_a_queue_given_back_too_often_is_a_dead_letter(
    broker: Broker, channel: aio_pika.abc.AbstractChannel
) -> None:
    """The delivery limit is ours, not the version's default."""
    await broker.declare_queue(QUEUE, ordered=False)
    await broker.bind(QUEUE, names.EVENTS, names.private_key(QUEUE, 1))
    dead = await channel.get_queue(names.DEAD_QUEUE, ensure=False)
    await dead.purge()
    await publish(channel, names.EVENTS, names.private_key(QUEUE, 1), b"again")
    queue = await channel.get_queue(QUEUE, ensure=False)
    deliveries = 0
    async with asyncio.timeout(60):
        while (letter := await dead.get(fail=False)) is None:
            if (delivery := await queue.get(fail=False)) is not None:
                deliveries += 1
                await delivery.reject(requeue=True)
    assert deliveries == 21
    await letter.ack()


async def test_a_broker_that_is_away_is_unavailable_and_comes_back(rabbitmq: RabbitMQ) -> None:
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    broker = Broker(rabbitmq.amqp_url, name="test", timeout=3)
    async with Management(rabbitmq.amqp_url, rabbitmq.management_url, timeout=3) as management:
        await broker.declare_base()
        assert await management.alive()
        rabbitmq.pause()
        try:
            with pytest.raises(BrokerUnavailable, match="did not answer within 3 s"):
                await broker.depth(names.DEAD_QUEUE)
            with pytest.raises(BrokerUnavailable):
                await management.queues()
            assert not await management.alive()
        finally:
            rabbitmq.resume()
        await broker.depth(names.DEAD_QUEUE)
        await management.close_connections("nusabus")
        async with asyncio.timeout(30):
            while True:
                try:
                    await broker.depth(names.DEAD_QUEUE)
                    break
                except BrokerUnavailable:
                    continue
        assert await management.alive()
        await broker.close()
        await broker.close()
    with pytest.raises(BrokerUnavailable):
        await Broker("amqp://127.0.0.1:9/", name="test", timeout=3).declare_base()
    async with Management("amqp://127.0.0.1:9/", "http://127.0.0.1:9", timeout=3) as nobody:
        assert not await nobody.alive()


async def test_many_queues_are_read_in_pages(
    broker: Broker, management: Management, channel: aio_pika.abc.AbstractChannel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("gateway.broker.management.PAGE", 3)
    ours = {f"test.page.{number}" for number in range(10)}
    for name in ours:
        await channel.declare_queue(name, auto_delete=True)
    try:
        assert ours < (await management.queues()).keys()
    finally:
        for name in ours:
            await channel.queue_delete(name)
