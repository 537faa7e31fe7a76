"""What the broker lets a responder do, and what a forger cannot."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import AMQPError

from tests.builders import FREE, QUESTIONS, a_name, a_question, a_reply
from tests.bus import Actor, Bus, MakeBus, Subscribed
from tests.problems import problem_of
from tests.responders import AmqpResponder
from tests.waiting import eventually

ASKED, OTHERS = QUESTIONS[:2]


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    with make_bus() as bus:
        bus.run("api", "relay")
        bus.grant("lain", "publish", ASKED)
        bus.grant("lain", "subscribe", OTHERS)
        yield bus


@pytest.fixture(scope="module")
def lain(bus: Bus) -> Actor:
    return bus.actor("lain")


@pytest.fixture(scope="module")
def right(bus: Bus) -> Subscribed:
    """Who is asked."""
    return bus.actor("uji").subscribe(ASKED)


@pytest.fixture(scope="module")
def forger(lain: Actor) -> Subscribed:
    """A responder too, of another type and another organisation."""
    return lain.subscribe(OTHERS)


def publish(
    url: str, exchange: str, key: str, message: aio_pika.Message | None = None
) -> AMQPError | None:
    """Publish with confirms; what the broker said against it."""

    async def attempt(channel: AbstractChannel) -> None:
        target = (
            await channel.get_exchange(exchange, ensure=False)
            if exchange
            else channel.default_exchange
        )
        await target.publish(message or aio_pika.Message(b"{}"), key, timeout=10)

    return refusal(url, attempt)


def refusal(url: str, attempt: Callable[[AbstractChannel], Awaitable[Any]]) -> AMQPError | None:
    """What the broker said against an attempt, if anything."""

    async def run() -> AMQPError | None:
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel()
            try:
                await attempt(channel)
            except AMQPError as error:
                return error
            return None

    return asyncio.run(run())


def a_message(id: str, reply: Mapping[str, Any], **more: Any) -> aio_pika.Message:
    return aio_pika.Message(
        json.dumps(reply).encode(),
        content_type="application/cloudevents+json",
        correlation_id=id,
        **more,
    )


def places(bus: Bus, right: Subscribed, forger: Subscribed) -> list[tuple[str, str]]:
    """Where a responder may not publish."""
    return [
        ("bus.replies", right.queue),
        ("bus.replies", "#"),
        ("bus.replies", f"{forger.queue}.more"),
        ("bus.replies", ""),
        ("bus.requests", ASKED),
        ("bus.events", FREE),
        ("bus.commands", FREE),
        ("bus.callbacks", f"to.{right.queue}.1"),
        ("bus.answered", ""),
        ("bus.dead", right.queue),
        ("", right.queue),
        ("", "bus.replies"),
    ]


def test_a_responder_publishes_replies_with_its_own_key_and_nothing_else(
    bus: Bus, right: Subscribed, forger: Subscribed
) -> None:
    assert publish(forger.url, "bus.replies", forger.queue) is None
    for exchange, key in places(bus, right, forger):
        error = publish(forger.url, exchange, key)
        assert "ACCESS_REFUSED" in str(error), (exchange, key)


def test_a_subscriber_that_is_no_responder_cannot_publish(bus: Bus) -> None:
    plain = bus.actor("uji").subscribe(FREE)
    assert "ACCESS_REFUSED" in str(publish(plain.url, "bus.replies", plain.queue))


def test_a_responder_cannot_declare_or_bind(right: Subscribed, forger: Subscribed) -> None:
    async def bind(channel: AbstractChannel) -> None:
        queue = await channel.get_queue(forger.queue, ensure=False)
        await queue.bind("bus.replies", "#")

    async def read(channel: AbstractChannel) -> None:
        queue = await channel.get_queue("bus.replies", ensure=False)
        await queue.get(fail=False)

    async def declare(channel: AbstractChannel) -> None:
        await channel.declare_queue("sub.lain.own")

    for attempt in (bind, read, declare):
        assert "ACCESS_REFUSED" in str(refusal(forger.url, attempt))


def test_a_forged_reply_is_dropped(
    bus: Bus, lain: Actor, right: Subscribed, forger: Subscribed
) -> None:
    """Further routing keys in CC reach the queue once, under the forger's own name.

    RabbitMQ 4 checks them as well, and refuses the message.
    """
    question = a_question(ASKED)
    id = lain.ask(question).json()["id"]
    lie = a_reply(question, data={"hasil": "PALSU"})
    forged = a_message(id, lie, headers={"CC": [right.queue]})
    error = publish(forger.url, "bus.replies", forger.queue, forged)
    if error is not None:
        assert f"access to topic '{right.queue}' in exchange 'bus.replies'" in str(error)
        assert publish(forger.url, "bus.replies", forger.queue, a_message(id, lie)) is None
    refused = "SELECT organisation, reason FROM refusals WHERE id = $1"
    eventually(lambda: bus.query(refused, lie["id"]) == [("lain", "not-found")])
    with AmqpResponder(right.url, right.queue):
        shown = lain.ask(question, wait=15).json()
    assert (shown["state"], shown["reply"]["data"]) == ("answered", {"hasil": "COCOK"})
    noted = "SELECT count(*) FROM refused_replies WHERE organisation = 'lain'"
    assert bus.query(noted) == [(0,)]


def test_a_second_reply_changes_nothing(bus: Bus, lain: Actor, right: Subscribed) -> None:
    question = a_question(ASKED)
    with AmqpResponder(right.url, right.queue):
        shown = lain.ask(question, wait=15).json()
    second = a_reply(question, data={"hasil": "LAIN"})
    assert publish(right.url, "bus.replies", right.queue, a_message(shown["id"], second)) is None
    known = "SELECT reason FROM refusals WHERE id = $1"
    eventually(lambda: bus.query(known, second["id"]) == [("already-answered",)])
    assert lain.get(f"/v1/requests/{shown['id']}").json() == shown


def test_a_reply_in_binary_mode(lain: Actor, right: Subscribed) -> None:
    question = a_question(ASKED)
    id = lain.ask(question).json()["id"]
    headers = {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": "jawaban é",
        "cloudEvents:source": "/uji",
        "cloudEvents:type": f"{ASKED}.reply",
    }
    message = aio_pika.Message(
        b'{"hasil":"COCOK"}',
        content_type="application/json",
        correlation_id=id,
        headers=dict(headers),
    )
    assert publish(right.url, "bus.replies", right.queue, message) is None
    shown = lain.get(f"/v1/requests/{id}", headers={"prefer": "wait=10"}).json()
    assert (shown["state"], shown["reply"]["id"]) == ("answered", "jawaban é")


def test_a_request_type_has_one_responder(bus: Bus, lain: Actor, right: Subscribed) -> None:
    problem_of(lain.put_subscription(a_name(), ASKED), 403, "forbidden")
    grant = bus.grant("lain", "subscribe", ASKED)
    problem_of(lain.put_subscription(a_name(), ASKED), 409, "conflict")
    bus.admin.delete(grant).raise_for_status()


def test_a_responder_that_lost_its_right_gets_no_requests(bus: Bus, lain: Actor) -> None:
    type_ = QUESTIONS[2]
    bus.grant("lain", "publish", type_)
    grant = bus.grant("lain", "subscribe", type_)
    responder = lain.subscribe(type_)
    id = lain.ask(question := a_question(type_)).json()["id"]
    bus.admin.delete(grant).raise_for_status()
    responder.wait("suspended")
    assert lain.answer(id, a_reply(question)).status_code == 404
    assert lain.ask(a_question(type_)).json()["type"].endswith("no-responder")
    assert (
        publish(responder.url, "bus.replies", responder.queue, a_message(id, a_reply(question)))
        is None
    )
    assert lain.get(f"/v1/requests/{id}", headers={"prefer": "wait=1"}).json()["state"] == "waiting"
