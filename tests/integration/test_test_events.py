"""A test event: it reaches the one subscription, by its own way, and leaves nothing behind."""

import asyncio

import aio_pika
import pytest

from tests.builders import FREE, a_name
from tests.bus import Actor, Bus, Subscribed
from tests.integration.test_limits import dead
from tests.integration.test_stream import reading, take
from tests.pull_receiver import Puller, ids, tokens
from tests.waiting import eventually

TEST = "id.go.nusabus.langganan.diuji.v1"


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def test_a_test_event_is_pulled_and_settled_like_any_other(bus: Bus, uji: Actor) -> None:
    puller, other = Puller(uji, FREE, terms={"attempts": 2}), Puller(uji, FREE)
    tried = puller.call("test")
    assert tried["delivered"] is True
    assert "webhook_id" not in {name for name, value in tried.items() if value}
    (got,) = puller.receive()
    assert (got["event"]["type"], got["event"]["id"]) == (TEST, tried["id"])
    assert got["event"]["source"] == f"/nusabus/subscriptions/uji/{puller.name}"
    assert got["event"]["data"] == {"subscription": puller.name}
    assert got["event"]["sequence"] == "00-0000000000000000"
    puller.call("release", tokens=tokens([got]))
    (again,) = puller.receive()
    assert (again["attempt"], again["event"]["id"]) == (2, tried["id"])
    assert puller.acknowledge([again]) == ["settled"]
    assert puller.acknowledge([got]) == ["gone"]
    assert puller.receive(wait=0) == other.receive(wait=0) == []
    query = {"source": got["event"]["source"], "id": tried["id"]}
    assert uji.get("/v1/events", params=query).status_code == 404


def test_a_test_event_that_fails_for_good_makes_no_dead_letter(uji: Actor) -> None:
    puller = Puller(uji, FREE, terms={"attempts": 1})
    puller.call("test")
    assert puller.call("reject", tokens=tokens(puller.receive()))["results"] == ["settled"]
    puller.call("test")
    puller.call("release", tokens=tokens(puller.receive()))
    assert puller.receive(wait=0) == []
    assert dead(uji, puller.name) == []
    assert uji.get(f"/v1/subscriptions/{puller.name}/lag").json()["events"] >= 0


def test_not_too_many_wait_at_once(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    for _ in range(10):
        puller.call("test")
    assert uji.post(f"/v1/subscriptions/{puller.name}/test").status_code == 503
    sent = uji.published()
    assert len(set(ids(puller.receive()))) == 11
    assert sent not in ids(puller.receive(wait=0))


def test_a_test_event_comes_by_the_queue(uji: Actor) -> None:
    subscribed, other = uji.subscribe(FREE), uji.subscribe(FREE)
    tried = uji.post(f"/v1/subscriptions/{subscribed.name}/test").json()
    assert (tried["delivered"], tried["detail"]) == (True, "confirmed into the queue")
    (found,) = subscribed.take(1)
    assert (found.document["type"], found.document["id"]) == (TEST, tried["id"])
    assert found.headers["ce-type"] == TEST
    sent = uji.published()
    assert [each.document["id"] for each in other.take(1)] == [sent]
    report = {"sequences": [found.document["sequence"]]}
    path = f"/v1/subscriptions/{subscribed.name}/acknowledged"
    assert uji.post(path, json=report).json() == {"results": ["unknown"]}


def test_a_test_event_that_a_reader_rejects_is_no_dead_letter(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    uji.post(f"/v1/subscriptions/{subscribed.name}/test").raise_for_status()
    sent = uji.published()
    asyncio.run(_reject(subscribed, 2))
    dead_letters = eventually(lambda: dead(uji, subscribed.name))
    assert [uji.get(f"/v1/dead-letters/{each['number']}").status_code for each in dead_letters] == [
        200
    ]
    assert sent in str(uji.get(f"/v1/dead-letters/{dead_letters[0]['number']}").json())


async def _reject(subscribed: Subscribed, count: int) -> None:
    async with await aio_pika.connect(subscribed.url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(subscribed.queue, ensure=False)
        async with queue.iterator(timeout=40) as messages:
            async for message in messages:
                await message.reject(requeue=False)
                count -= 1
                if not count:
                    return


def test_a_stream_begins_with_a_test_event_when_asked(uji: Actor) -> None:
    name = a_name()
    uji.put_subscription(name, FREE, delivery="stream").raise_for_status()
    path = f"/v1/subscriptions/{name}"
    sent = uji.published()
    with reading(uji, f"{path}/stream?test=true") as found:
        first, second = take(found, 2)
    assert first["event"]["type"] == TEST
    assert first["cursor"] == ""  # so that coming back goes on where it was
    assert second["event"]["id"] == sent
    answer = uji.post(f"{path}/test")
    assert answer.status_code == 409
    assert "?test=true" in answer.json()["detail"]


def test_only_ones_own_subscriptions_are_tested_and_none_that_is_paused(
    bus: Bus, uji: Actor
) -> None:
    puller = Puller(uji, FREE)
    path = f"/v1/subscriptions/{puller.name}/test"
    assert bus.actor("lain").post(path).status_code == 404
    puller.call("pause")
    assert uji.post(path).status_code == 409
