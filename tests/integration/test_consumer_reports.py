"""What consumers of queues report, and what forged reports do not."""

import asyncio
from typing import Any

import aio_pika
import pytest

from tests.builders import CITIZEN, FREE, a_citizen, a_document
from tests.bus import Actor, Bus, Subscribed
from tests.integration.test_ledger import stages
from tests.pull_receiver import Puller
from tests.waiting import eventually


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def report(actor: Actor, name: str, *sequences: str) -> Any:
    path = f"/v1/subscriptions/{name}/acknowledged"
    return actor.post(path, json={"sequences": sequences})


def rows(bus: Bus, name: str) -> list[tuple[int, list[int]]]:
    found = bus.query(
        "SELECT shard, sequences FROM delivery_settlements WHERE name = $1 ORDER BY shard, at", name
    )
    return [(row[0], list(row[1])) for row in found]


def sequence(receipt: dict[str, Any]) -> str:
    return f"{receipt['shard']:02}-{receipt['sequence']:016}"


def test_what_is_reported_is_acknowledged_once(bus: Bus, uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    receipts = [uji.publish(a_document(subject=f"s{n}")).json() for n in range(8)]
    taken = [each.document["sequence"] for each in subscribed.take(8)]
    assert sorted(taken) == sorted(map(sequence, receipts))
    answer = report(uji, subscribed.name, *taken[:7], taken[0])
    assert answer.json() == {"results": ["noted"] * 8}
    noted = [each for each in receipts if sequence(each) in taken[:7]]
    for each in noted:
        assert stages(uji, each)[subscribed.name] == ("acknowledged", True)
    (other,) = [each for each in receipts if each not in noted]
    assert stages(uji, other)[subscribed.name][0] in ("queued", "drained")
    kept = rows(bus, subscribed.name)
    assert len(kept) == len({each["shard"] for each in noted})
    assert sum(len(sequences) for _, sequences in kept) == 7
    assert report(uji, subscribed.name, *taken[:7]).json() == {"results": ["noted"] * 7}
    assert rows(bus, subscribed.name) == kept
    assert report(uji, subscribed.name, *taken).json() == {"results": ["noted"] * 8}
    assert len(rows(bus, subscribed.name)) == len(kept) + 1


def test_what_is_not_ones_own_is_not_noted(bus: Bus, uji: Actor) -> None:
    subscribed, puller = uji.subscribe(FREE), Puller(uji, FREE)
    receipt = uji.publish(a_document()).json()
    citizen = uji.publish(a_document(type=CITIZEN, data=a_citizen())).json()
    last = f"{receipt['shard']:02}-{receipt['sequence'] + 5000:016}"
    forged = (sequence(citizen), last, "63-0000000000000001", "00-0000000000000000")
    answer = report(uji, subscribed.name, *forged)
    assert answer.json() == {"results": ["unknown"] * 4}
    assert report(bus.actor("lain"), subscribed.name, sequence(receipt)).status_code == 404
    assert report(uji, puller.name, sequence(receipt)).status_code == 409
    assert rows(bus, subscribed.name) == rows(bus, puller.name) == []
    for wrong in (
        "",
        "0-1",
        sequence(receipt)[:-1],
        f"{sequence(receipt)}0",
        "٠٠-0000000000000001",
    ):
        assert report(uji, subscribed.name, wrong).status_code == 422
    assert report(uji, subscribed.name).status_code == 422
    too_many = ["00-0000000000000001"] * 1001
    assert report(uji, subscribed.name, *too_many).status_code == 422


def test_what_a_filter_leaves_out_is_not_noted(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE, terms={"filters": [{"exact": {"subject": "a"}}]})
    query, other = (uji.publish(a_document(subject=s)).json() for s in ("a", "b"))
    answer = report(uji, subscribed.name, sequence(query), sequence(other))
    assert answer.json() == {"results": ["noted", "unknown"]}
    assert stages(uji, query)[subscribed.name] == ("acknowledged", True)
    eventually(lambda: stages(uji, other)[subscribed.name] == ("filtered", False))


def test_a_dead_letter_that_was_sent_again_and_reported(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    receipt = uji.publish(a_document()).json()
    asyncio.run(_reject(subscribed))
    query = {"subscription": subscribed.name}
    (dead_letter,) = eventually(lambda: uji.get("/v1/dead-letters", params=query).json()["items"])
    assert stages(uji, receipt)[subscribed.name] == ("dead", True)
    uji.post(f"/v1/dead-letters/{dead_letter['number']}/redrive").raise_for_status()
    assert stages(uji, receipt)[subscribed.name] == ("queued", True)
    (again,) = subscribed.take(1)
    report(uji, subscribed.name, again.document["sequence"]).raise_for_status()
    assert stages(uji, receipt)[subscribed.name] == ("acknowledged", True)


async def _reject(subscribed: Subscribed) -> None:
    async with await aio_pika.connect(subscribed.url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(subscribed.queue, ensure=False)
        async with queue.iterator(timeout=40) as messages:
            async for message in messages:
                await message.reject(requeue=False)
                return
