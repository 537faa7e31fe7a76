"""Something on the broker is deleted: the reconciler repairs it, and nothing is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aio_pika
import httpx
import pytest

from deploy.local.rabbitmq import RabbitMQ
from tests.builders import FREE, TASKS, a_document, a_name
from tests.bus import Actor, Bus, MakeBus, Subscribed
from tests.readers import depth
from tests.waiting import eventually

Channel = aio_pika.abc.AbstractChannel


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    """A bus of this module's own: what is broken here is broken for every subscription."""
    with make_bus() as bus:
        yield bus.run("api", "relay")


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def tamper(bus: Bus, how: Callable[[Channel], Awaitable[object]]) -> None:
    """Do something as the broker's administrator."""

    async def run() -> None:
        async with await aio_pika.connect(bus.amqp_url) as connection:
            await how(await connection.channel())

    asyncio.run(run())


def publish(by: Actor, count: int, **changes: str) -> list[str]:
    """Publish events of one key, in one batch; their ids."""
    events = [a_document(subject="one key", **changes) for _ in range(count)]
    assert by.publish_batch(events).json()["accepted"] == count
    return [event["id"] for event in events]


def in_order(subscribed: Subscribed, wanted: list[str]) -> bool:
    """Take until all came; whether their first deliveries are in this order."""
    found = subscribed.take_until(lambda ids: set(wanted) <= ids)
    first = dict.fromkeys(each.document["id"] for each in found)
    return [each for each in first if each in set(wanted)] == wanted


@pytest.mark.parametrize("type", [FREE, TASKS[4]])
def test_a_deleted_queue_is_made_again_with_every_unsettled_event(
    bus: Bus, uji: Actor, type: str
) -> None:
    subscribed = uji.subscribe(type, name=a_name(), ordered=True)
    held = publish(uji, 20, type=type)
    eventually(lambda: depth(bus.amqp_url, subscribed.queue) >= 20)
    tamper(bus, lambda channel: channel.queue_delete(subscribed.queue))
    meanwhile = publish(uji, 20, type=type)
    subscribed.wait("active", repairs=1)
    later = publish(uji, 20, type=type)
    assert in_order(subscribed, held + meanwhile + later)
    subscribed.end()


@pytest.mark.parametrize("key", [FREE, "to.{queue}.1"])
def test_a_deleted_binding_is_made_again_and_missed_events_are_sent(
    bus: Bus, uji: Actor, key: str
) -> None:
    subscribed, witness = uji.subscribe(FREE, ordered=True), uji.subscribe(FREE)

    async def unbind(channel: Channel) -> None:
        queue = await channel.get_queue(subscribed.queue)
        await queue.unbind("bus.events", key.format(queue=subscribed.queue))

    before = publish(uji, 10)
    eventually(lambda: depth(bus.amqp_url, subscribed.queue) >= 10)
    tamper(bus, unbind)
    meanwhile = publish(uji, 10)  # the witness takes them, so that the broker returns nothing
    subscribed.wait("active", repairs=1)
    assert in_order(subscribed, before + meanwhile)
    assert in_order(witness, before + meanwhile)


def test_an_unknown_binding_is_removed(bus: Bus, uji: Actor) -> None:
    subscribed = uji.subscribe("id.go.uji.warga.*")

    async def bind(channel: Channel) -> None:
        await (await channel.get_queue(subscribed.queue)).bind("bus.events", "#")

    tamper(bus, bind)
    witness = uji.subscribe(FREE)

    def is_quiet() -> bool:
        held = depth(bus.amqp_url, subscribed.queue)
        publish(uji, 1)
        witness.take(1)
        return depth(bus.amqp_url, subscribed.queue) == held

    eventually(is_quiet)


def test_the_private_binding_of_the_generation_to_come_is_kept(bus: Bus, uji: Actor) -> None:
    """It is made a moment before the generation begins; somebody may look in that moment."""
    subscribed = uji.subscribe(FREE, ordered=True)
    following = f"to.{subscribed.queue}.2"

    async def bind(channel: Channel) -> None:
        queue = await channel.get_queue(subscribed.queue)
        for key in (following, "id.go.uji.asing"):
            await queue.bind("bus.events", key)

    def bound() -> set[str]:
        host = bus.amqp_url.rpartition("/")[2]
        url = f"{bus.environ['NUSABUS_MANAGEMENT_URL']}/api/queues/{host}/{subscribed.queue}"
        return {each["routing_key"] for each in httpx.get(f"{url}/bindings").json()}

    tamper(bus, bind)
    eventually(lambda: "id.go.uji.asing" not in bound())  # the reconciler has looked
    assert following in bound()
    assert subscribed.show()["repair_count"] == 0


def test_a_deleted_exchange_is_made_again(bus: Bus, uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    tamper(bus, lambda channel: channel.exchange_delete("bus.events"))
    sent = publish(uji, 10)
    assert in_order(subscribed, sent)
    eventually(lambda: subscribed.show()["state"] == "active")


def test_a_deleted_user_is_made_again_with_its_password(
    bus: Bus, uji: Actor, rabbitmq: RabbitMQ
) -> None:
    subscribed = uji.subscribe(FREE)
    rabbitmq.ctl("delete_user", subscribed.queue)
    tamper(bus, lambda channel: channel.queue_delete(subscribed.queue))
    sent = publish(uji, 3)
    subscribed.wait("active", repairs=1)
    assert in_order(subscribed, sent)


def test_a_queue_that_cannot_be_declared_keeps_no_other_from_its_repair(
    bus: Bus, uji: Actor
) -> None:
    odd, other = uji.subscribe(FREE, name="a-aneh"), uji.subscribe(FREE, name="z-lain")

    async def replace(channel: Channel) -> None:
        await channel.queue_delete(odd.queue)
        arguments: dict[str, Any] = {"x-max-length": 1, "x-overflow": "reject-publish"}
        await channel.declare_queue(odd.queue, durable=True, arguments=arguments)

    tamper(bus, replace)
    eventually(lambda: f"Declaring queue {odd.queue} failed" in bus.logs())
    tamper(bus, lambda channel: channel.queue_delete(other.queue))
    other.wait("active", repairs=1)
    sent = publish(uji, 3)
    other.take_until(lambda ids: set(sent) <= ids)
    tamper(bus, lambda channel: channel.queue_delete(odd.queue))
    odd.wait("active", repairs=1)
    odd.take_until(lambda ids: set(sent) <= ids)
    odd.end()
    other.end()
