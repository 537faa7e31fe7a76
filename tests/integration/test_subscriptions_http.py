"""`/v1/subscriptions` on a running bus: who gets what, from when on, and as whom."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aio_pika
import pytest

from tests.builders import (
    CITIZEN,
    FOREIGN,
    FREE,
    QUESTION,
    TASKS,
    a_document,
    a_name,
    an_id,
)
from tests.bus import Actor, Bus, Subscribed
from tests.readers import depth, ids
from tests.waiting import eventually


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def test_an_event_arrives_as_it_was_sent(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    data = b'{ "z": 1.50E+2,"a":[ 9007199254740993 ],\n"\\u00e9":"\xc3\xa9" }'
    head = {"specversion": "1.0", "id": an_id(), "source": "/uji", "type": FREE, "subject": "é"}
    answer = uji.publish(json.dumps(head)[:-1].encode() + b',"comext":7,"data":' + data + b"}")
    receipt = answer.json()
    (found,) = subscribed.take(1)
    assert found.content_type == "application/cloudevents+json; charset=utf-8"
    assert found.message_id == head["id"]
    assert found.body.endswith(b'"data":' + data + b"}")
    document = found.document
    assert document.items() >= {**head, "comext": 7}.items()
    assert document["recordedtime"] == receipt["recordedtime"]
    assert document["sequence"] == f"{receipt['shard']:02}-{receipt['sequence']:016}"
    attributes = {f"ce-{name}": str(v) for name, v in document.items() if name != "data"}
    headers = {name: v for name, v in found.headers.items() if name.startswith("ce-")}
    assert headers == attributes
    assert document["dataclassification"] == "public"


def test_only_subscribed_types_arrive(bus: Bus, uji: Actor) -> None:
    everything, one = uji.subscribe("id.go.uji.*"), uji.subscribe(CITIZEN)
    middle = uji.subscribe("id.go.uji.*.dicatat.v1")
    lain = bus.actor("lain")
    first = uji.published()
    second = uji.published(type=CITIZEN, data={"nik": "1" * 16, "nama": "A"})
    lain.published(type=FOREIGN)
    uji.published(type=TASKS[0])
    last = uji.published(type=CITIZEN, data={"nik": "2" * 16, "nama": "B"})
    assert set(ids(everything.take(3))) == set(ids(middle.take(3))) == {first, second, last}
    assert set(ids(one.take(2))) == {second, last}
    for each in (everything, one, middle):
        assert each.end() == 0


def test_a_duplicate_is_not_delivered_again(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    event = a_document()
    for _ in range(3):
        uji.publish(event)
    last = uji.published()
    assert set(ids(subscribed.take(2))) == {event["id"], last}


def test_putting_it_again_finds_the_same(uji: Actor) -> None:
    name = a_name()
    made = uji.put_subscription(name, FREE, CITIZEN)
    assert made.status_code == 201
    assert made.json()["amqp_url"].startswith("amqp://")
    same = uji.put_subscription(name, CITIZEN, FREE, CITIZEN)
    assert same.status_code == 200
    assert same.json()["amqp_url"] is None
    assert same.json()["start_positions"] == made.json()["start_positions"]
    for other in ({"ordered": True}, {"start": "beginning"}):
        assert uji.put_subscription(name, FREE, CITIZEN, **other).status_code == 409
    assert uji.put_subscription(name, FREE).status_code == 409
    shown = uji.get(f"/v1/subscriptions/{name}").json()
    assert (shown["name"], shown["types"]) == (name, [FREE, CITIZEN])
    assert "amqp_url" not in shown or shown["amqp_url"] is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"types": []}, 422),
        ({"types": ["#"]}, 422),
        ({"types": ["*"]}, 422),
        ({"types": ["id.go.uji.bebas"]}, 422),
        ({"types": [FREE] * 101}, 422),
        ({"types": [FREE, QUESTION]}, 422),
        ({"types": [FREE, TASKS[0]]}, 422),
        ({"types": ["id.go.uji.*", TASKS[0]]}, 422),
        ({"types": ["id.go.uji.tak.ada.v1"]}, 422),
        ({"types": [FREE], "start": "waiting"}, 422),
        ({"types": [FREE], "start": "yesterday"}, 422),
        ({"types": [FREE], "start": "2026-05-04T00:00:00"}, 422),
        ({"types": [FREE], "more": 1}, 422),
        ({"types": [FREE], "ordered": "perhaps"}, 422),
        ({"types": [FOREIGN]}, 403),
        ({"types": ["id.go.lain.*"]}, 403),
        ({"types": ["id.go.*"]}, 403),
        ({"types": ["id.go.lain.tak.ada.v1"]}, 403),
    ],
    ids=str,
)
def test_invalid_subscriptions(uji: Actor, body: dict[str, Any], status: int) -> None:
    name = a_name()
    answer = uji.call("PUT", f"/v1/subscriptions/{name}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert uji.get(f"/v1/subscriptions/{name}").status_code == 404


@pytest.mark.parametrize("name", ["X", "a_b", "-a", "a" * 64, "a.b", "a%0A", "%23"])
def test_invalid_names(uji: Actor, name: str) -> None:
    assert uji.put_subscription(name, FREE).status_code == 422


def test_a_public_type_is_open_and_a_pattern_over_it_is_not(bus: Bus) -> None:
    lain = bus.actor("lain")
    assert lain.subscribe(FREE, active=False).end() == 0
    assert lain.put_subscription(a_name(), CITIZEN).status_code == 403
    assert lain.put_subscription(a_name(), "id.go.uji.bebas.*").status_code == 403


def test_subscriptions_are_ones_own(bus: Bus, uji: Actor) -> None:
    name = a_name()
    assert uji.put_subscription(name, FREE).status_code == 201
    lain = bus.actor("lain")
    assert lain.get(f"/v1/subscriptions/{name}").status_code == 404
    assert lain.delete(f"/v1/subscriptions/{name}").status_code == 404
    assert lain.post(f"/v1/subscriptions/{name}/credentials").status_code == 404
    for roles, status in (("publisher", 403), ("auditor", 200), ("admin", 200)):
        by = bus.actor("uji", roles)
        assert by.get(f"/v1/subscriptions/{name}").status_code == status
        assert by.put_subscription(a_name(), FREE).status_code == 403
        assert by.delete(f"/v1/subscriptions/{name}").status_code == 403

    def listed(by: Actor) -> set[str]:
        found, cursor = set(), ""
        while True:
            piece = by.get(f"/v1/subscriptions?limit=2{cursor}").json()
            found |= {each["name"] for each in piece["items"]}
            if piece["next"] is None:
                return found
            cursor = f"&cursor={piece['next']}"

    assert name in listed(uji)
    assert name not in listed(lain)
    assert name in listed(bus.actor("nusabus", "auditor"))
    assert bus.http.get(f"/v1/subscriptions/{name}").status_code == 401


def test_the_end_reports_how_many_messages_the_queue_held(bus: Bus, uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    for _ in range(3):
        uji.published()
    eventually(lambda: depth(bus.amqp_url, subscribed.queue) == 3)
    assert subscribed.end() == 3
    assert uji.get(f"/v1/subscriptions/{subscribed.name}").status_code == 404
    assert uji.delete(f"/v1/subscriptions/{subscribed.name}").status_code == 404
    with pytest.raises(Exception, match=r"ACCESS_REFUSED"):
        subscribed.take(1, seconds=5)


def test_renewed_credentials_replace_the_old_ones(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    answer = uji.post(f"/v1/subscriptions/{subscribed.name}/credentials")
    assert answer.status_code == 200
    with pytest.raises(Exception, match=r"ACCESS_REFUSED"):
        subscribed.take(1, seconds=5)
    event = uji.published()
    renewed = Subscribed(uji, subscribed.name, subscribed.queue, answer.json()["amqp_url"])
    assert ids(renewed.take(1)) == [event]


def test_a_revoked_grant_suspends_and_a_new_one_resumes_without_loss(bus: Bus) -> None:
    uji, lain = bus.actor("uji"), bus.actor("lain")
    place = bus.grant("uji", "subscribe", FOREIGN)
    subscribed = uji.subscribe(FOREIGN)
    before = lain.published(type=FOREIGN)
    assert ids(subscribed.take(1)) == [before]
    bus.admin.delete(place)
    subscribed.wait("suspended")
    meanwhile = [lain.published(type=FOREIGN, subject="one key") for _ in range(3)]
    place = bus.grant("uji", "subscribe", FOREIGN)
    subscribed.wait("active")
    after = lain.published(type=FOREIGN, subject="one key")
    received = ids(subscribed.take_until(lambda ids: after in ids))
    unique = list(dict.fromkeys(each for each in received if each != before))
    assert unique == [*meanwhile, after]
    bus.admin.delete(place)


def test_nothing_is_delivered_while_suspended(bus: Bus) -> None:
    uji, lain = bus.actor("uji"), bus.actor("lain")
    pattern = "id.go.lain.bebas.*"
    place = bus.grant("uji", "subscribe", pattern)
    subscribed = uji.subscribe(pattern)
    bus.admin.delete(place)
    subscribed.wait("suspended")
    lain.published(type=FOREIGN)
    witness = lain.subscribe(FOREIGN, start="beginning")
    eventually(lambda: depth(bus.amqp_url, witness.queue) > 0)
    assert depth(bus.amqp_url, subscribed.queue) == 0
    assert subscribed.end() == 0


def test_an_ordered_queue_serves_one_reader_at_a_time(bus: Bus, uji: Actor) -> None:
    subscribed = uji.subscribe(FREE, ordered=True)
    for _ in range(4):
        uji.published()

    async def two_readers() -> list[int]:
        counts, received = [0, 0], asyncio.Event()
        async with (
            await aio_pika.connect(subscribed.url) as one,
            await aio_pika.connect(subscribed.url) as two,
        ):
            for number, connection in enumerate((one, two)):
                channel = await connection.channel()
                await channel.set_qos(prefetch_count=1)
                queue = await channel.get_queue(subscribed.queue, ensure=False)

                async def seen(message: Any, number: int = number) -> None:
                    counts[number] += 1
                    await message.ack()
                    if sum(counts) == 4:
                        received.set()

                await queue.consume(seen)
            async with asyncio.timeout(30):
                await received.wait()
        return counts

    assert asyncio.run(two_readers()) == [4, 0]


@pytest.mark.parametrize("delivery", ["amqp", "pull", "stream"])
def test_the_same_request_several_times_at_once_makes_one(uji: Actor, delivery: str) -> None:
    assert uji.headers  # one token for all
    for _ in range(3):
        name = a_name()
        with ThreadPoolExecutor(6) as together:
            calls = [
                together.submit(uji.put_subscription, name, FREE, delivery=delivery)
                for _ in range(6)
            ]
        statuses = sorted(call.result().status_code for call in calls)
        assert statuses == [200] * 5 + [201]
        uji.delete(f"/v1/subscriptions/{name}").raise_for_status()
