"""Replies over AMQP that are larger than an event may be."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import pytest

from gateway.broker.reply_queue import HELD, prefetch
from tests.builders import QUESTIONS, a_question, a_reply
from tests.bus import Bus, MakeBus, Subscribed
from tests.integration.test_requests import soon
from tests.problems import problem_of
from tests.responders import AmqpResponder
from tests.waiting import eventually

ASKED = QUESTIONS[0]
LARGE = 8 << 20  # bytes
COUNT = 40


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    with make_bus() as bus:
        bus.run("api", "relay")
        bus.grant("lain", "publish", ASKED)
        yield bus


@pytest.fixture
def responder(bus: Bus) -> Iterator[Subscribed]:
    """The one subscription that its type may have."""
    made = bus.actor("uji").subscribe(ASKED)
    yield made
    made.end()


def peak(bus: Bus) -> int:
    """The most bytes of memory that the api process ever had."""
    (process,) = (each for each in bus.processes if each.name.startswith("api"))
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


async def flood(url: str, key: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("bus.replies", ensure=False)
        message = aio_pika.Message(bytes(LARGE), correlation_id="0" * 32)
        for _ in range(COUNT):
            await exchange.publish(message, key)


def test_they_are_refused_and_both_sides_learn_it(bus: Bus, responder: Subscribed) -> None:
    lain = bus.actor("lain")
    long = {"data": {"hasil": "x" * (2 << 20)}}

    with AmqpResponder(responder.url, responder.queue, lambda each: a_reply(each, **long)):
        problem = problem_of(
            lain.ask(a_question(ASKED, expirytime=soon(3)), wait=5), 504, "no-reply"
        )
    assert [each["reason"] for each in problem["refused_replies"]] == ["too-large"]
    (refusal,) = bus.actor("uji", "auditor").get("/v1/refusals?limit=1").json()["items"]
    assert refusal["reason"] == "too-large"
    assert "1048576 bytes" in refusal["detail"]


def test_many_of_them_need_no_memory(bus: Bus, responder: Subscribed) -> None:
    lain = bus.actor("lain")
    before = peak(bus)
    asyncio.run(flood(responder.url, responder.queue))
    with AmqpResponder(responder.url, responder.queue):  # its replies come behind them all
        answer = eventually(lambda: lain.ask(a_question(ASKED, expirytime=soon(60)), wait=20))
    assert answer.json()["state"] == "answered"
    assert peak(bus) - before < HELD


@pytest.mark.parametrize(
    ("limit", "count"), [(1024, 200), (1 << 20, 64), (8 << 20, 8), (HELD, 1), (2 * HELD, 1)]
)
def test_no_more_are_taken_than_may_be_held(limit: int, count: int) -> None:
    assert prefetch(limit) == count
