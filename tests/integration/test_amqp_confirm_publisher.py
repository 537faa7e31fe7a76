"""The confirm publisher on a real broker: order, refusals, alarms, and every way to lose it."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aio_pika
import pytest

from deploy.local.rabbitmq import RabbitMQ
from gateway.base.errors import BrokerUnavailable
from gateway.broker import message
from gateway.broker.confirm_publisher import ConfirmPublisher, publish_confirmed
from gateway.broker.message import CONTENT_TYPE
from gateway.broker.pending_confirms import ConfirmOutcome, ConfirmResult
from tests.integration.confirm_publisher_recorder import (
    BATCH,
    EXCHANGE,
    KEY,
    QUEUE,
    Recorder,
    a_message,
    until,
)


@pytest.fixture
async def channel(rabbitmq: RabbitMQ) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    """Another channel, on a broker with one exchange and one queue bound for `id.#`."""
    async with await aio_pika.connect(rabbitmq.amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(EXCHANGE, "topic", durable=True)
        await channel.queue_delete(QUEUE)
        queue = await channel.declare_queue(
            QUEUE, durable=True, arguments={"x-queue-type": "quorum"}
        )
        await queue.bind(exchange, "id.#")
        yield channel


@pytest.fixture(autouse=True)
async def nothing_is_left_behind() -> AsyncIterator[None]:
    """After every test here: no task goes on, no exception was dropped."""
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # logs each lost connection at length
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    before = asyncio.all_tasks()
    yield
    ours = asyncio.all_tasks() - before - {asyncio.current_task()}
    await until(lambda: not [task for task in ours if not task.done()], seconds=10)
    gc.collect()
    await asyncio.sleep(0)
    assert problems == []


async def deliveries(
    channel: aio_pika.abc.AbstractChannel, count: int
) -> Sequence[aio_pika.abc.AbstractIncomingMessage]:
    queue = await channel.get_queue(QUEUE, ensure=False)
    found: list[aio_pika.abc.AbstractIncomingMessage] = []
    async with asyncio.timeout(60), queue.iterator(no_ack=True) as incoming:
        async for each in incoming:
            found.append(each)
            if len(found) == count:
                break
    return found


async def test_ten_thousand_are_confirmed_and_arrive_in_order(
    rabbitmq: RabbitMQ, channel: aio_pika.abc.AbstractChannel
) -> None:
    count = 10_000
    recorder = Recorder()
    async with recorder.open(rabbitmq.amqp_url) as publisher:
        for start in range(0, count, BATCH):
            await publisher.publish([a_message(each) for each in range(start, start + BATCH)])
        results = await recorder.has(count)
        assert publisher.in_flight == 0
    assert results == [(each, ConfirmOutcome.CONFIRMED) for each in range(count)]
    found = await deliveries(channel, count)
    assert [each.message_id for each in found] == [str(each) for each in range(count)]
    event = message.event_from_message(found[7].body, found[7].headers, found[7].content_type)
    assert (event.id, event.subject, event.data) == ("7", "3171", b'{"nik":"3171"}')
    assert found[7].content_type == CONTENT_TYPE
    assert found[7].delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert found[7].headers["ce-type"] == KEY


async def test_further_keys_reach_more_queues_once_each_and_unseen(
    rabbitmq: RabbitMQ, channel: aio_pika.abc.AbstractChannel
) -> None:
    queue = await channel.get_queue(QUEUE, ensure=False)
    await queue.bind(EXCHANGE, "to.it")
    recorder = Recorder()
    async with recorder.open(rabbitmq.amqp_url) as publisher:
        await publisher.publish(
            [
                a_message("matched twice", bcc=("to.it", "id.go.more")),
                a_message("by bcc alone", routing_key="nowhere", bcc=("to.it",)),
                a_message("by none", routing_key="nowhere", bcc=("to.nobody",)),
            ]
        )
        results = await recorder.has(3)
    assert dict(results)["by none"] is ConfirmOutcome.RETURNED
    found = await deliveries(channel, 2)
    assert [each.message_id for each in found] == ["matched twice", "by bcc alone"]
    assert not any("BCC" in each.headers for each in found)
    assert (await queue.declare()).message_count == 0


async def test_a_return_is_reported_for_the_right_message(
    rabbitmq: RabbitMQ, channel: aio_pika.abc.AbstractChannel
) -> None:
    """One id in flight many times, routable or not in turns, mandatory or not."""
    expected: dict[int, ConfirmOutcome] = {}
    batch = []
    for token in range(3000):
        lost, mandatory = token % 3 == 0, token % 2 == 0
        key = "nowhere" if lost else KEY
        batch.append(a_message(token, routing_key=key, mandatory=mandatory, message_id="same"))
        expected[token] = (
            ConfirmOutcome.RETURNED if lost and mandatory else ConfirmOutcome.CONFIRMED
        )
    recorder = Recorder()
    async with recorder.open(rabbitmq.amqp_url) as publisher:
        await publisher.publish([each._replace(headers={"ce-id": "same"}) for each in batch])
        results = await recorder.has(len(batch))
    assert dict(results) == expected
    assert len(results) == len(batch)


async def test_a_full_queue_nacks(
    rabbitmq: RabbitMQ, channel: aio_pika.abc.AbstractChannel
) -> None:
    await channel.queue_delete("test.publisher.full")
    full = await channel.declare_queue(
        "test.publisher.full",
        durable=True,
        arguments={"x-queue-type": "quorum", "x-max-length": 5, "x-overflow": "reject-publish"},
    )
    await full.bind(EXCHANGE, "id.go.full")
    recorder = Recorder()
    async with recorder.open(rabbitmq.amqp_url) as publisher:
        for token in range(100):
            await publisher.publish([a_message(token, routing_key="id.go.full")])
            await recorder.has(token + 1)
        outcomes = [outcome for _, outcome in recorder.results]
        assert outcomes[0] is ConfirmOutcome.CONFIRMED
        assert outcomes[-1] is ConfirmOutcome.NACKED
        await full.purge()
        await publisher.publish([a_message("room again", routing_key="id.go.full")])
        await until(lambda: ("room again", ConfirmOutcome.CONFIRMED) in recorder.results)
    await channel.queue_delete(full.name)


async def test_bodies_larger_than_a_frame_arrive_whole(
    rabbitmq: RabbitMQ, channel: aio_pika.abc.AbstractChannel
) -> None:
    bodies = [b"x" * size for size in (8 << 20, 131_072 - 8, 131_072 - 7, 0, 1)]
    recorder = Recorder()
    async with recorder.open(rabbitmq.amqp_url) as publisher:
        await publisher.publish([a_message(n, body=body) for n, body in enumerate(bodies)])
        await publisher.publish([a_message("back", body=bodies[0], routing_key="nowhere")])
        results = dict(await recorder.has(len(bodies) + 1))
    assert results.pop("back") is ConfirmOutcome.RETURNED
    assert set(results.values()) == {ConfirmOutcome.CONFIRMED}
    found = await deliveries(channel, len(bodies))
    assert [each.body == body for each, body in zip(found, bodies, strict=True)] == [True] * 5


async def test_an_alarm_is_waited_out(
    rabbitmq: RabbitMQ, channel: aio_pika.abc.AbstractChannel
) -> None:
    """The confirm timeout is shorter than the alarm; nothing is lost and nothing dies."""
    recorder = Recorder()
    async with recorder.open(rabbitmq.amqp_url, confirm_timeout=3) as publisher:
        await asyncio.to_thread(rabbitmq.set_memory_alarm, True)
        try:
            sending = asyncio.create_task(
                publisher.publish([a_message(each) for each in range(2000)])
            )
            await until(lambda: publisher.blocked)
            seen = publisher._loop.time()
            await until(lambda: publisher._loop.time() > seen + 5)
            assert not publisher._closed.done()
            assert len(recorder.results) < 2000
        finally:
            await asyncio.to_thread(rabbitmq.set_memory_alarm, False)
        await sending
        results = await recorder.has(2000)
        assert not publisher.blocked
    assert results == [(each, ConfirmOutcome.CONFIRMED) for each in range(2000)]


async def test_a_missing_exchange_ends_the_publisher(rabbitmq: RabbitMQ) -> None:
    recorder = Recorder()
    async with recorder.open(rabbitmq.amqp_url) as publisher:
        await publisher.publish([a_message(1, exchange="test.missing")])
        reason = await asyncio.wait_for(publisher.closed(), 30)
        assert "test.missing" in str(reason)
        with pytest.raises(BrokerUnavailable, match=r"test\.missing"):
            await publisher.publish([a_message(2)])
    assert recorder.results == []


async def test_a_callback_that_fails_ends_the_publisher(
    rabbitmq: RabbitMQ, channel: aio_pika.abc.AbstractChannel
) -> None:
    def on_results(results: Sequence[ConfirmResult]) -> None:
        raise ArithmeticError("cannot count")

    publisher = await ConfirmPublisher.open(
        rabbitmq.amqp_url, on_results=on_results, confirm_timeout=60, name="test"
    )
    await publisher.publish([a_message(1)])
    reason = await asyncio.wait_for(publisher.closed(), 30)
    assert isinstance(reason.__cause__, ArithmeticError)
    await publisher.close()


async def test_messages_are_published_through_a_connection_of_their_own(
    rabbitmq: RabbitMQ, channel: aio_pika.abc.AbstractChannel
) -> None:
    batch = [a_message(1), a_message("returned", routing_key="nowhere"), a_message(2)]
    confirmed = await publish_confirmed(rabbitmq.amqp_url, batch, confirm_timeout=60, name="test")
    assert confirmed == {1, 2}
    assert [each.message_id for each in await deliveries(channel, 2)] == ["1", "2"]


async def test_no_messages_are_confirmed_at_once(rabbitmq: RabbitMQ) -> None:
    async with asyncio.timeout(10):
        assert not await publish_confirmed(rabbitmq.amqp_url, [], confirm_timeout=60, name="test")


async def test_a_killed_broker_ends_the_publisher(rabbitmq: RabbitMQ) -> None:
    """Without a queue of its own, and not in the second after another test made one.

    A quorum queue younger than that may never have a leader again after a kill -9 (3.10.8): its
    entry in Ra's directory is written late, and every publish routed to it waits for ever.
    """
    await asyncio.sleep(1.5)
    recorder = Recorder()
    plain = a_message(1, exchange="amq.topic", mandatory=False)
    async with recorder.open(rabbitmq.amqp_url) as publisher:
        await publisher.publish([plain])
        await recorder.has(1)
        await asyncio.to_thread(rabbitmq.kill)
        try:
            await asyncio.wait_for(publisher.closed(), 30)
            with pytest.raises(BrokerUnavailable):
                await publisher.publish([plain])
            with pytest.raises(BrokerUnavailable, match="Connecting"):
                async with Recorder().open(rabbitmq.amqp_url):
                    pass
        finally:
            await asyncio.to_thread(rabbitmq.start)
    async with recorder.open(rabbitmq.amqp_url) as publisher:
        await publisher.publish([plain._replace(token=2)])
        assert await recorder.has(2) == [
            (1, ConfirmOutcome.CONFIRMED),
            (2, ConfirmOutcome.CONFIRMED),
        ]


async def test_a_silent_broker_ends_the_publisher_and_closing_is_quick(
    rabbitmq: RabbitMQ, channel: aio_pika.abc.AbstractChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped, not dead: once by the overdue confirm, once by the heartbeat, once by ourselves."""
    monkeypatch.setattr("gateway.broker.confirm_publisher.CONNECT_SECONDS", 3.0)
    loop = asyncio.get_running_loop()
    recorder = Recorder()
    url = rabbitmq.amqp_url
    async with (
        recorder.open(url, confirm_timeout=1) as overdue,
        recorder.open(f"{url}?heartbeat=1") as lifeless,
        recorder.open(url) as ours,
    ):
        rabbitmq.pause()
        try:
            await asyncio.gather(
                *(publisher.publish([a_message(1)]) for publisher in (overdue, ours))
            )
            stuck = asyncio.create_task(ours.publish([a_message(2, body=bytes(32 << 20))]))
            assert "no confirm" in str(await asyncio.wait_for(overdue.closed(), 30))
            assert "connection was lost" in str(await asyncio.wait_for(lifeless.closed(), 60))
            before = loop.time()
            await asyncio.wait_for(ours.close(), 30)
            await overdue.close()
            await lifeless.close()
            assert loop.time() < before + 20
            with pytest.raises(BrokerUnavailable):
                await stuck
            with pytest.raises(BrokerUnavailable, match="within 3 s"):
                async with Recorder().open(url):
                    pass
        finally:
            rabbitmq.resume()
    assert recorder.results == []
