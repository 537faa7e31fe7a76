"""What a subscription's broker user may do, tried with real clients: read its queue, no more."""

import asyncio
import logging
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused

from deploy.local.rabbitmq import RabbitMQ
from gateway.base.errors import BrokerUnavailable
from gateway.broker import names
from gateway.broker.address import subscriber_url
from gateway.broker.management import Management, hash_password
from gateway.broker.topology import Broker

OWN = names.queue("dukcapil", "users")
OTHER = names.queue("dukcapil", "users-too")  # ours is a prefix of it
DOTLESS = OWN.replace(".", "x")  # what a "." that is not escaped would match

needs_amqp_tools = pytest.mark.skipif(
    shutil.which("amqp-get") is None, reason="Debian's package amqp-tools is not installed"
)


@dataclass
class BrokerAccess:
    """A subscription's queue with messages, two others, and its user's URL."""

    broker: Broker
    management: Management
    admin: AbstractChannel
    url: str

    async def fill(self, queue: str, count: int) -> None:
        for number in range(count):
            await self.admin.default_exchange.publish(aio_pika.Message(b"%d" % number), queue)

    async def holds(self, queue: str, count: int) -> bool:
        return (await self.broker.depth(queue)).ready == count


@pytest.fixture
async def access(rabbitmq: RabbitMQ) -> AsyncIterator[BrokerAccess]:
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # logs each refusal at length
    broker = Broker(rabbitmq.amqp_url, name="test", timeout=15)
    await broker.declare_base()
    for queue in (OWN, OTHER, DOTLESS):
        await broker.delete_queue(queue)
        await broker.declare_queue(queue, ordered=False)
        for exchange in (names.EVENTS, names.COMMANDS, names.CALLBACKS):
            await broker.bind(queue, exchange, names.private_key(queue, 1))
    async with (
        Management(rabbitmq.amqp_url, rabbitmq.management_url) as management,
        await aio_pika.connect(rabbitmq.amqp_url) as connection,
    ):
        user = names.user(OWN)
        await management.provide_user(user, hash_password("s3cret/+@"), queue=OWN)
        url = subscriber_url(rabbitmq.amqp_url, None, user, "s3cret/+@")
        yield BrokerAccess(broker, management, await connection.channel(), url)
        await management.delete_user(user)
    for queue in (OWN, OTHER, DOTLESS):
        await broker.delete_queue(queue)
    await broker.close()


async def get(channel: AbstractChannel, queue: str) -> bytes:
    message = await (await channel.get_queue(queue, ensure=False)).get(timeout=30)
    assert message is not None
    await message.ack()
    return message.body


async def consume(channel: AbstractChannel, queue: str) -> bytes:
    async with (await channel.get_queue(queue, ensure=False)).iterator() as incoming:
        async for message in incoming:
            await message.ack()
            return message.body
    raise AssertionError("the consumer was cancelled")


async def publish(channel: AbstractChannel, exchange: str, key: str) -> None:
    target = await channel.get_exchange(exchange, ensure=False)
    await target.publish(aio_pika.Message(b"forged"), key)


async def test_the_user_gets_consumes_and_settles(access: BrokerAccess) -> None:
    await access.fill(OWN, 3)
    async with await aio_pika.connect(access.url) as connection:
        channel = await connection.channel()
        assert await get(channel, OWN) == b"0"
        assert await consume(channel, OWN) == b"1"
        queue = await channel.get_queue(OWN, ensure=False)
        last = await queue.get(timeout=30)
        assert last is not None
        await last.reject(requeue=False)
    assert await access.holds(OWN, 0)


Attempt = Callable[[AbstractChannel], Awaitable[object]]


async def _bind(channel: AbstractChannel, queue: str, exchange: str) -> object:
    return await (await channel.get_queue(queue, ensure=False)).bind(exchange, "#")


async def _unbind(channel: AbstractChannel) -> object:
    queue = await channel.get_queue(OWN, ensure=False)
    return await queue.unbind(names.EVENTS, names.private_key(OWN, 1))


async def _purge(channel: AbstractChannel, queue: str) -> object:
    return await (await channel.get_queue(queue, ensure=False)).purge()


FORBIDDEN: dict[str, Attempt] = {
    "publish an event": lambda c: publish(c, names.EVENTS, names.private_key(OWN, 1)),
    "publish a command": lambda c: publish(c, names.COMMANDS, names.private_key(OWN, 1)),
    "publish a request": lambda c: publish(c, names.REQUESTS, "id.go.a.v1"),
    "publish a dead letter": lambda c: publish(c, names.DEAD, OWN),
    "publish to its queue directly": lambda c: publish(c, "", OWN),
    "publish to another queue": lambda c: publish(c, "", OTHER),
    "publish to a standard exchange": lambda c: publish(c, "amq.topic", "x"),
    "declare its queue": lambda c: c.declare_queue(OWN, durable=True),
    "declare a new queue": lambda c: c.declare_queue("test.users.new"),
    "declare a queue without a name": lambda c: c.declare_queue("", exclusive=True),
    "declare an exchange": lambda c: c.declare_exchange("test.users.new"),
    "bind its queue": lambda c: _bind(c, OWN, names.EVENTS),
    "bind another queue": lambda c: _bind(c, OTHER, names.EVENTS),
    "unbind its queue": _unbind,
    "delete its queue": lambda c: c.queue_delete(OWN),
    "delete another queue": lambda c: c.queue_delete(OTHER),
    "delete an exchange": lambda c: c.exchange_delete(names.EVENTS),
    "purge another queue": lambda c: _purge(c, OTHER),
    "get from another queue": lambda c: get(c, OTHER),
    "get from a queue with a name alike": lambda c: get(c, DOTLESS),
    "get the dead letters": lambda c: get(c, names.DEAD_QUEUE),
    "consume from another queue": lambda c: consume(c, OTHER),
}


async def test_the_user_may_do_nothing_else(access: BrokerAccess) -> None:
    for queue in (OWN, OTHER, DOTLESS):
        await access.fill(queue, 1)
    before = await access.management.bindings(names.EVENTS)
    allowed = []
    async with await aio_pika.connect(access.url) as connection:
        for name, attempt in FORBIDDEN.items():
            channel = await connection.channel()
            try:
                async with asyncio.timeout(30):
                    await attempt(channel)
            except ChannelAccessRefused:
                continue
            allowed.append(name)
    assert allowed == []
    assert await access.management.bindings(names.EVENTS) == before
    for queue in (OWN, OTHER, DOTLESS):
        assert await access.holds(queue, 1)
        assert await get(access.admin, queue) == b"0"


async def test_what_the_right_to_read_includes(access: BrokerAccess) -> None:
    """RabbitMQ counts a purge as reading, and asks no right for a passive declare."""
    await access.fill(OWN, 2)
    await access.fill(OTHER, 1)
    async with await aio_pika.connect(access.url) as connection:
        channel = await connection.channel()
        await _purge(channel, OWN)
        assert await access.holds(OWN, 0)
        seen = (await channel.declare_queue(OTHER, passive=True)).declaration_result
        assert (seen.message_count, seen.consumer_count) == (1, 0)
        await channel.declare_exchange(names.EVENTS, passive=True)  # tells that it exists alone
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await channel.declare_queue("sub.lain.tidak-ada", passive=True)


async def test_a_new_password_replaces_the_old_one(
    access: BrokerAccess, rabbitmq: RabbitMQ
) -> None:
    user = names.user(OWN)
    await access.management.provide_user(user, hash_password("another"), queue=OWN)
    with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError):
        await aio_pika.connect(access.url)
    renewed = subscriber_url(rabbitmq.amqp_url, None, user, "another")
    async with await aio_pika.connect(renewed) as connection:
        with pytest.raises(ChannelAccessRefused):  # its rights are as before
            await get(await connection.channel(), OTHER)


async def test_a_user_that_is_gone_reads_no_more(access: BrokerAccess) -> None:
    """And what it had not settled is ready again, and counted when the queue is deleted."""
    await access.fill(OWN, 2)
    user = names.user(OWN)
    connection = await aio_pika.connect(access.url)
    queue = await (await connection.channel()).get_queue(OWN, ensure=False)
    assert await queue.get(timeout=30) is not None
    assert await access.holds(OWN, 1)
    await access.management.delete_user(user)
    await access.management.close_connections(user)
    await access.management.close_connections(user)
    await access.management.delete_user(user)
    async with asyncio.timeout(30):
        while not await access.holds(OWN, 2):
            pass
    assert not connection.connected.is_set()
    await connection.close()
    with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError):
        await aio_pika.connect(access.url)
    assert await access.broker.delete_queue(OWN) == 2


async def test_a_stranger_is_refused_by_the_management_api(
    access: BrokerAccess, rabbitmq: RabbitMQ
) -> None:
    api = rabbitmq.management_url.replace("//nusabus:", "//nobody:")
    async with Management(rabbitmq.amqp_url, api) as stranger:
        assert not await stranger.alive()
        with pytest.raises(BrokerUnavailable, match="401"):
            await stranger.queues()


def run(program: str, *arguments: str, url: str) -> "subprocess.CompletedProcess[str]":
    """Run one of amqp-tools, an unrelated client in C."""
    return subprocess.run(
        (program, "-u", url, *arguments), capture_output=True, text=True, timeout=30, check=False
    )


@needs_amqp_tools
async def test_another_client_reads_the_queue(access: BrokerAccess) -> None:
    await access.fill(OWN, 2)
    got = await asyncio.to_thread(run, "amqp-get", "-q", OWN, url=access.url)
    assert (got.returncode, got.stdout) == (0, "0")
    consumed = await asyncio.to_thread(
        run, "amqp-consume", "-q", OWN, "-c", "1", "cat", url=access.url
    )
    assert (consumed.returncode, consumed.stdout) == (0, "1")
    assert await access.holds(OWN, 0)


@needs_amqp_tools
@pytest.mark.parametrize(
    "command",
    [
        ("amqp-publish", "-e", names.EVENTS, "-r", names.private_key(OWN, 1), "-b", "forged"),
        ("amqp-publish", "-e", names.COMMANDS, "-r", names.private_key(OWN, 1), "-b", "forged"),
        ("amqp-publish", "-r", OWN, "-b", "forged"),
        ("amqp-publish", "-r", OTHER, "-b", "forged"),
        ("amqp-get", "-q", OTHER),
        ("amqp-consume", "-q", OTHER, "-c", "1", "cat"),
        ("amqp-declare-queue", "-q", OWN, "-d"),
        ("amqp-declare-queue", "-q", "test.users.new"),
        ("amqp-delete-queue", "-q", OWN),
        ("amqp-delete-queue", "-q", OTHER),
    ],
    ids=" ".join,
)
async def test_another_client_may_do_nothing_else(
    access: BrokerAccess, command: tuple[str, ...]
) -> None:
    for queue in (OWN, OTHER):
        await access.fill(queue, 1)
    done = await asyncio.to_thread(run, *command, url=access.url)
    assert done.returncode != 0
    assert "403" in done.stderr or "ACCESS_REFUSED" in done.stderr
    for queue in (OWN, OTHER):
        assert await access.holds(queue, 1)
        assert await get(access.admin, queue) == b"0"
    assert "test.users.new" not in await access.management.queues()
