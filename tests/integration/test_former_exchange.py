"""An installation of an earlier version, whose queues are bound to a topic exchange, goes on."""

import asyncio

import aio_pika

from deploy.local.gateway import GatewayProcess
from gateway.broker import names
from tests.builders import FREE, a_document
from tests.bus import Actor, Bus, MakeBus, Subscribed
from tests.readers import depth, ids
from tests.waiting import eventually

EARLIER = "earlier"  # the name of a relay


async def as_before(url: str, bindings: dict[str, list[str]]) -> None:
    """Bind queues to the former exchange instead of the present ones."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        former = await channel.declare_exchange(names.FORMER_EVENTS, "topic", durable=True)
        for exchange in (names.EVENTS, names.EVENTS_TOPIC):
            await channel.exchange_delete(exchange)
        for name, keys in bindings.items():
            queue = await channel.get_queue(name)
            for key in (names.private_key(name, 1), *keys):
                await queue.bind(former, key)


async def make_former(url: str) -> None:
    """What `topology` and the api of an earlier version do."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange(names.FORMER_EVENTS, "topic", durable=True)


async def has_former(url: str) -> bool:
    async with await aio_pika.connect(url) as connection:
        try:
            channel = await connection.channel()
            await channel.get_exchange(names.FORMER_EVENTS, ensure=True)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return False
        return True


def attends(bus: Bus, name: str) -> None:
    """A relay of an earlier version is at work: it says so itself, and will for long."""
    bus.query(
        "INSERT INTO journal_relays (name, seen) VALUES ($1, clock_timestamp() + interval '1 day')",
        name,
    )


def held(bus: Bus) -> list[int]:
    """The shards that a relay holds."""
    rows = bus.query("SELECT shard FROM journal_leases WHERE expires > clock_timestamp()")
    return [row[0] for row in rows]


def publish(by: Actor, count: int) -> list[str]:
    events = [a_document(subject="one key", type=FREE) for _ in range(count)]
    assert by.publish_batch(events).json()["accepted"] == count
    return [event["id"] for event in events]


def test_a_relay_waits_for_those_of_an_earlier_version_and_nothing_is_lost(
    make_bus: MakeBus,
) -> None:
    with make_bus() as bus:
        uji = bus.run("api", "relay").actor("uji")
        exact, wide = uji.subscribe(FREE, ordered=True), uji.subscribe("id.go.uji.*", ordered=True)
        sent = publish(uji, 3)
        eventually(lambda: all(depth(bus.amqp_url, s.queue) == 3 for s in (exact, wide)))
        relay = bus.processes[-1]
        relay.stop()
        bindings = {exact.queue: [FREE], wide.queue: ["id.go.uji.#"]}
        asyncio.run(as_before(bus.amqp_url, bindings))
        attends(bus, EARLIER)
        sent += publish(uji, 3)
        second = _upgrade(bus, relay, (exact, wide))
        sent += publish(uji, 3)
        for each in (exact, wide):
            taken = each.take_until(lambda found: set(sent) <= found)
            assert ids(taken) == sent  # in order, and each once
            assert each.show()["repair_count"] == 0
        assert not asyncio.run(has_former(bus.amqp_url))
        second.stop()
        relay.stop()
        attends(bus, EARLIER)
        relay.start()  # the exchange is gone: whoever else is at work, there is nothing to wait for
        eventually(lambda: bool(held(bus)))
        bus.query("DELETE FROM journal_relays WHERE name = $1", EARLIER)  # it has no share now
        later = publish(uji, 1)
        assert ids(exact.take_until(lambda found: set(later) <= found)) == later


def _upgrade(bus: Bus, relay: GatewayProcess, subscribed: tuple[Subscribed, ...]) -> GatewayProcess:
    """Two relays begin once that of the earlier version has ended; the second of them."""
    relay.start()
    second = bus.start("relay")
    eventually(lambda: "relay.waits_for_earlier_version" in bus.logs())
    assert held(bus) == []
    assert all(depth(bus.amqp_url, each.queue) == 3 for each in subscribed)
    assert asyncio.run(has_former(bus.amqp_url))
    bus.query("DELETE FROM journal_relays WHERE name = $1", EARLIER)
    eventually(lambda: "exchange.replaced" in bus.logs())
    return second


def test_a_process_of_an_earlier_version_that_makes_it_again_keeps_no_relay_waiting(
    make_bus: MakeBus,
) -> None:
    with make_bus() as bus:
        uji = bus.run("api", "relay").actor("uji")
        exact = uji.subscribe(FREE, ordered=True)
        asyncio.run(make_former(bus.amqp_url))
        second = bus.start("relay")
        eventually(lambda: "relay.shard_acquired" in second.log.read_text())
        assert not asyncio.run(has_former(bus.amqp_url))
        assert "exchange.leftover_deleted" in bus.logs()
        sent = publish(uji, 3)
        assert ids(exact.take(3)) == sent
        assert exact.show()["repair_count"] == 0
