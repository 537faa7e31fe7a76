"""An odd dead letter costs itself: what stands beside it in a batch or a redrive goes on."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aio_pika
import pytest

from tests.builders import FREE, a_document
from tests.bus import Actor, Bus, MakeBus, Subscribed
from tests.defective import defective
from tests.readers import ids
from tests.waiting import eventually

DEFECT = """
    from gateway.delivery.dead_letters import redrive

    broken(redrive, "message_to_queue", lambda _, entry, *more: entry.event.subject == "rusak")
"""
DEATH = {"reason": "rejected", "queue": "x", "count": 1}


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with make_bus() as bus:
        bus.start("relay", **defective(tmp_path_factory.mktemp("defect") / "code", DEFECT))
        yield bus.run("api")


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def dead(uji: Actor, subscribed: Subscribed) -> list[Any]:
    path = f"/v1/dead-letters?subscription={subscribed.name}&state=dead"
    items: list[Any] = uji.get(path).json()["items"]
    return items


def drop(bus: Bus, queue: str, headers: dict[str, Any], **changes: Any) -> None:
    """Put a message where RabbitMQ puts dead letters."""
    event = {"sequence": "0-1", "recordedtime": "2026-05-04T03:02:01Z", **a_document(**changes)}

    async def publish() -> None:
        async with await aio_pika.connect(bus.amqp_url) as connection:
            exchange = await (await connection.channel()).get_exchange("bus.dead")
            message = aio_pika.Message(
                json.dumps(event).encode(),
                headers=headers,
                content_type="application/cloudevents+json",
            )
            await exchange.publish(message, queue)

    asyncio.run(publish())


async def reject(subscribed: Subscribed, count: int) -> None:
    """Take messages and reject them, as a subscriber does."""
    async with await aio_pika.connect(subscribed.url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(subscribed.queue, ensure=False)
        async with queue.iterator() as messages:
            async for message in messages:
                await message.reject()
                count -= 1
                if not count:
                    return


def test_an_odd_message_keeps_no_other_out_of_the_dead_letters(bus: Bus, uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    odd: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"x-death": ["x"]}, {"sequence": "0-11"}),
        ({"x-death": [{"reason": 5}]}, {"sequence": "0-12"}),
        ({"x-death": "x", "x-first-death-reason": {"a": 1}}, {"sequence": "0-13"}),
        ({"x-death": [DEATH], "x-delivery-count": 2**40}, {"sequence": "0-14"}),
        ({"x-death": [DEATH], "x-delivery-count": -(2**62)}, {"sequence": "0-15"}),
        ({"x-death": [{**DEATH, "reason": "expired\0"}]}, {"sequence": "0-16"}),
    ]
    lost: list[dict[str, Any]] = [
        {"sequence": "70000-1"},
        {"sequence": f"0-{10**30}"},
        {"sequence": "0-" + "9" * 5000},
        {"sequence": "\u0660-\u0661", "recordedtime": "0000"},
        {"recordedtime": "2026-05-04T03:02:01.Z"},
        {"recordedtime": "0001-01-01T00:00:00+14:00"},
        {"recordedtime": 7},
        {"type": "a\0b"},
    ]
    for headers, changes in odd:
        drop(bus, subscribed.queue, headers, **changes)
    for changes in lost:
        drop(bus, subscribed.queue, {"x-death": [DEATH]}, **changes)
    sent = uji.published()
    asyncio.run(reject(subscribed, 1))
    eventually(lambda: sent in [each["event_id"] for each in dead(uji, subscribed)])
    sequences = {each["sequence"] for each in dead(uji, subscribed)}
    assert {11, 12, 13, 14, 15} <= sequences
    assert all(process.running for process in bus.processes)
    subscribed.end()


def test_a_defect_in_a_redrive_costs_the_dead_letter_that_has_it(bus: Bus, uji: Actor) -> None:
    subscribed = uji.subscribe(FREE, ordered=True)
    sent = [uji.published(subject=subject) for subject in ("satu", "rusak", "tiga")]
    asyncio.run(reject(subscribed, 3))
    eventually(lambda: len(dead(uji, subscribed)) == 3)
    body = {"subscription": subscribed.name}
    started = uji.post("/v1/redrives", json=body)
    assert started.is_success, started.text
    path = f"/v1/redrives/{started.json()['id']}"
    eventually(lambda: uji.get(path).json()["state"] == "finished")
    shown = uji.get(path).json()
    assert (shown["sent"], shown["failed"]) == (2, 1)
    assert shown["last_error"] == (
        "The gateway failed on a dead letter, which was logged. Ask the operator."
    )
    assert sorted(ids(subscribed.take(2))) == sorted([sent[0], sent[2]])
    assert [each["event_id"] for each in dead(uji, subscribed)] == [sent[1]]
    assert "3273014105900001" not in bus.logs()
    subscribed.end()
