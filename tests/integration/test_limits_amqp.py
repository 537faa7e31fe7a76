"""What is too old in the queue of an AMQP subscription, or before it reaches one."""

import asyncio
from typing import Any

import aio_pika
import pytest

from tests.builders import FREE, a_document, a_name
from tests.bus import Actor, Bus
from tests.clocks import aged
from tests.integration.test_ledger import stages
from tests.integration.test_limits import dead
from tests.waiting import eventually


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def test_what_nobody_takes_in_time_becomes_a_dead_letter(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE, terms={"max_age": 1})
    assert subscribed.show()["terms"] == {"filters": [], "max_age": 1.0}
    receipt = uji.publish(a_document()).json()
    (dead_letter,) = eventually(lambda: dead(uji, subscribed.name))
    assert (dead_letter["failure"], dead_letter["attempts"]) == ("expired", 0)
    assert stages(uji, receipt)[subscribed.name] == ("expired", True)


def test_what_is_taken_in_time_is_delivered(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE, terms={"max_age": 60})
    sent = uji.published()
    (found,) = subscribed.take(1)
    assert found.document["id"] == sent
    assert dead(uji, subscribed.name) == []


def test_catching_up_sends_what_is_young_and_buries_the_rest(bus: Bus, uji: Actor) -> None:
    old = [uji.publish(a_document()).json() for _ in range(3)]
    aged(bus, old[-1], 5.0)
    filters = [{"prefix": {"subject": "muda"}}, {"exact": {"id": old[0]["id"]}}]
    terms = {"max_age": 5, "filters": [{"any": filters}]}
    start = old[0]["recordedtime"]
    subscribed = uji.subscribe(FREE, start=start, terms=terms, active=False)
    later = [uji.published(subject=f"muda-{n}") for n in range(3)]
    found = subscribed.take(3)
    assert sorted(each.document["id"] for each in found) == sorted(later)
    (dead_letter,) = eventually(lambda: dead(uji, subscribed.name))
    assert (dead_letter["failure"], dead_letter["attempts"]) == ("expired", 0)
    assert stages(uji, old[0])[subscribed.name] == ("expired", True)


def test_what_is_left_of_its_age_travels_with_what_is_caught_up(bus: Bus, uji: Actor) -> None:
    receipt = uji.publish(a_document()).json()
    aged(bus, receipt, 1.0)
    terms = {"max_age": 3600, "filters": [{"exact": {"id": receipt["id"]}}]}
    subscribed = uji.subscribe(FREE, start=receipt["recordedtime"], terms=terms, active=False)
    left = asyncio.run(_expiration(subscribed.url, subscribed.queue))
    assert left is not None
    assert 0 < left < 3600 - 1.0


async def _expiration(url: str, queue: str) -> float | None:
    """Seconds that a message still had when it was sent."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        reading = await channel.get_queue(queue, ensure=False)
        async with reading.iterator(timeout=40) as messages:
            async for message in messages:
                await message.ack()
                found = message.expiration
                return None if found is None else float(found)  # type: ignore[arg-type]  # seconds
    raise AssertionError


@pytest.mark.parametrize("terms", [{"max_age": 4_294_968}, {"rate": 5}, {"in_flight": 5}])
def test_what_amqp_does_not_know(uji: Actor, terms: dict[str, Any]) -> None:
    answer = uji.put_subscription(a_name(), FREE, terms=terms)
    assert answer.status_code == 422
    assert answer.json()["pointer"] == f"/terms/{next(iter(terms))}"


def test_the_age_of_a_queue_is_for_good(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE, terms={"max_age": 60})
    for terms in ({"max_age": 61}, {}):
        answer = uji.put_subscription(subscribed.name, FREE, terms=terms)
        assert answer.status_code == 409
        assert "max_age" in answer.json()["detail"]
    assert uji.put_subscription(subscribed.name, FREE, terms={"max_age": 60}).status_code == 200


def test_what_was_reported_as_settled_does_not_die_of_its_age(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE, terms={"max_age": 3})
    settled, other = (uji.publish(a_document(subject="a")).json() for _ in range(2))
    sequence = f"{settled['shard']:02}-{settled['sequence']:016}"
    report = {"sequences": [sequence]}
    answer = uji.post(f"/v1/subscriptions/{subscribed.name}/acknowledged", json=report)
    assert answer.json() == {"results": ["noted"]}
    (dead_letter,) = eventually(
        lambda: dead(uji, subscribed.name)
    )  # of one shard: the other came first
    assert dead_letter["sequence"] == other["sequence"]
    assert stages(uji, settled)[subscribed.name] == ("acknowledged", True)
