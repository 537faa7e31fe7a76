"""Two relays on one journal: they share it, take over from each other, and keep the order."""

import asyncio
import os
import signal
from collections.abc import Iterator

import aio_pika
import httpx
import pytest

from deploy.local.gateway import GatewayProcess
from deploy.local.rabbitmq import RabbitMQ
from tests.builders import FREE, TASKS
from tests.bus import Actor, Bus, MakeBus
from tests.publishing import Stream
from tests.readers import depth
from tests.servers import SHARDS
from tests.waiting import eventually


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    """A bus with two relays."""
    with make_bus() as bus:
        bus.start("api")
        for name in ("one", "two"):
            bus.start("relay", NUSABUS_RELAY_NAME=name)
        bus.wait_ready()
        yield bus


@pytest.fixture
def uji(bus: Bus) -> Actor:
    eventually(lambda: shares(bus) == {"one": 2, "two": 2})
    return bus.actor("uji")


def relay(bus: Bus, number: int) -> GatewayProcess:
    return bus.processes[number]


def shares(bus: Bus) -> dict[str, int]:
    """How many shards each relay leads now."""
    rows = bus.query(
        "SELECT holder, count(*) FROM journal_leases WHERE expires > clock_timestamp() GROUP BY 1"
    )
    return {row[0]: row[1] for row in rows}


@pytest.mark.parametrize("how", ["kill", "stop", "term"])
def test_a_relay_takes_over_from_another(bus: Bus, uji: Actor, how: str) -> None:
    """SIGKILL, SIGSTOP and SIGTERM; whoever was frozen wakes up and is not believed."""
    subscribed = uji.subscribe(FREE, ordered=True)
    victim = relay(bus, 1)
    assert victim.pid is not None
    with Stream(uji) as stream:
        stream.more(200)
        number = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "term": signal.SIGTERM}[how]
        os.kill(victim.pid, number)
        eventually(lambda: shares(bus) == {"two": SHARDS}, seconds=15)
        stream.more(200)
        if how == "stop":
            os.kill(victim.pid, signal.SIGCONT)
        else:
            eventually(lambda: not victim.running)
            victim.start()
        eventually(lambda: shares(bus) == {"one": 2, "two": 2})
        stream.more(200)
    wanted = {event["id"] for event in stream.sent}
    stream.require_delivery(subscribed.take_until(lambda ids: wanted <= ids))
    subscribed.end()


def test_epochs_only_grow(bus: Bus, uji: Actor) -> None:
    before = dict(bus.query("SELECT shard, epoch FROM journal_leases"))
    relay(bus, 2).kill()
    eventually(lambda: shares(bus) == {"one": SHARDS})
    after = dict(bus.query("SELECT shard, epoch FROM journal_leases"))
    relay(bus, 2).start()
    assert all(after[shard] >= epoch for shard, epoch in before.items())
    assert sum(after.values()) >= sum(before.values()) + 2


def test_a_blocked_broker_is_waited_out(bus: Bus, uji: Actor, rabbitmq: RabbitMQ) -> None:
    subscribed = uji.subscribe(FREE)
    rabbitmq.set_memory_alarm(True)
    try:
        with Stream(uji) as stream:
            stream.more(200)
    finally:
        rabbitmq.set_memory_alarm(False)
    wanted = {event["id"] for event in stream.sent}
    stream.require_delivery(subscribed.take_until(lambda ids: wanted <= ids))


def test_a_full_queue_nacks_and_the_order_holds(bus: Bus, uji: Actor, rabbitmq: RabbitMQ) -> None:
    """A policy makes the queue refuse what its reader does not make room for."""
    subscribed = uji.subscribe(FREE, ordered=True)
    host = bus.amqp_url.rpartition("/")[2]
    policy = {
        "pattern": f"^{subscribed.queue}$".replace(".", "\\."),
        "definition": {"max-length": 30},
        "apply-to": "queues",
    }
    with httpx.Client(base_url=rabbitmq.management_url) as management:
        place = f"/api/policies/{host}/full"
        management.put(place, json=policy).raise_for_status()
        try:
            with Stream(uji) as stream:
                eventually(lambda: depth(bus.amqp_url, subscribed.queue) >= 30)
                stream.more(100)
            wanted = {event["id"] for event in stream.sent}
            stream.require_delivery(subscribed.take_until(lambda ids: wanted <= ids))
        finally:
            management.delete(place).raise_for_status()


def test_what_no_queue_takes_is_counted_and_comes_later(bus: Bus, uji: Actor) -> None:
    """Somebody unbinds the queue: messages come back, and are sent again once it is repaired."""
    subscribed = uji.subscribe(TASKS[0])
    (before,) = bus.query("SELECT sum(returned) FROM journal_leases")

    async def unbind() -> None:
        async with await aio_pika.connect(bus.amqp_url) as connection:
            queue = await (await connection.channel()).get_queue(subscribed.queue)
            await queue.unbind("bus.commands", TASKS[0])
            await queue.unbind("bus.commands", f"to.{subscribed.queue}.1")

    with Stream(uji, TASKS[0]) as stream:
        stream.more(100)
        asyncio.run(unbind())
        eventually(lambda: bus.query("SELECT sum(returned) FROM journal_leases")[0][0] > before[0])
        stream.more(100)
    wanted = {event["id"] for event in stream.sent}
    stream.require_delivery(subscribed.take_until(lambda ids: wanted <= ids))
    assert subscribed.show()["repair_count"] > 0
    subscribed.end()
