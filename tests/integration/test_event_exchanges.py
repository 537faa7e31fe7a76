"""Events reach every queue by whichever exchange: while patterns come and go, and types are new.

With few bindings everything takes the direct exchange; with many of them an older broker routes
messages with several keys by the topic exchange. Both are tried on the broker that is installed.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import aio_pika
import httpx
import pytest

from gateway.broker import names
from gateway.relay.routing import FEW_BINDINGS, INDEXES_SEVERAL_KEYS
from tests.builders import FREE, a_document
from tests.bus import Actor, MakeBus, Subscribed
from tests.integration.contracts.registration import a_type, register
from tests.readers import Received, ids
from tests.waiting import eventually

EVERYTHING = "id.go.uji.*"
TYPES = 100  # of one subscription, at most
BATCH = 5


@pytest.fixture(scope="module", params=["few", "many"])
def bindings(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def uji(make_bus: MakeBus, bindings: str) -> Iterator[Actor]:
    with make_bus() as bus:
        uji = bus.run("api", "relay").actor("uji")
        for number in range(FEW_BINDINGS // TYPES + 1 if bindings == "many" else 0):
            uji.subscribe(*(f"id.go.uji.tak-ada-{number}-{each}.*" for each in range(TYPES)))
        yield uji


@contextmanager
def published_all_the_time(uji: Actor, sent: list[str]) -> Iterator[None]:
    """Events of one key, each batch after the answer to the one before."""
    done = threading.Event()

    def publish() -> None:
        while not done.is_set():
            events = [a_document(subject="one key", type=FREE) for _ in range(BATCH)]
            assert uji.publish_batch(events).json()["accepted"] == len(events)
            sent.extend(event["id"] for event in events)

    live = threading.Thread(target=publish)
    live.start()
    try:
        yield
    finally:
        done.set()
        live.join()


def first(received: list[Received]) -> list[str]:
    """The ids in the order of their first deliveries: a queue's end may cut the relay off."""
    return list(dict.fromkeys(ids(received)))


async def exchange_of_next(url: str, queue: str) -> str | None:
    """The exchange that the next message in a queue came by."""
    async with await aio_pika.connect(url) as connection:
        reading = await (await connection.channel()).get_queue(queue, ensure=False)
        async with asyncio.timeout(60), reading.iterator() as messages:
            message = await anext(messages)
            await message.ack()
            return message.exchange


def come_by(exchange: str, subscribed: Subscribed, **event: str) -> None:
    """Publish until they come by an exchange: the relays learn a moment later who is active."""

    def came() -> bool:
        subscribed.by.published(**event)
        return asyncio.run(exchange_of_next(subscribed.url, subscribed.queue)) == exchange

    eventually(came)


def test_patterns_and_filters_come_and_go_and_nobody_misses_an_event(uji: Actor) -> None:
    sent: list[str] = []
    exact = uji.subscribe(FREE, ordered=True)

    def more(events: int) -> None:
        wanted = len(sent) + events
        eventually(lambda: len(sent) >= wanted)

    with published_all_the_time(uji, sent):
        for terms in (None, {"filters": [{"exact": {"subject": "one key"}}]}, None):
            more(20)
            seen = len(sent)
            wide = uji.subscribe(EVERYTHING, ordered=True, terms=terms)
            begun = len(sent) + BATCH  # one may be on its way
            more(20)
            taken = first(wide.take_until(set(sent[begun:]).issubset))
            assert taken == sent[sent.index(taken[0]) :][: len(taken)]
            assert seen <= sent.index(taken[0]) <= begun
            wide.end()
    assert first(exact.take_until(lambda found: set(sent) <= found)) == sent
    assert exact.show()["repair_count"] == 0
    assert exact.end() == 0


def test_the_first_event_of_a_new_type_reaches_a_pattern(uji: Actor) -> None:
    wide, type = uji.subscribe(EVERYTHING), a_type()
    register(uji.bus.actor("uji", "admin"), type)
    sent = uji.published(type=type, data={"n": 1})
    assert ids(wide.take(1)) == [sent]
    assert wide.show()["repair_count"] == 0
    wide.end()


def test_events_with_several_keys_take_the_exchange_that_routes_them_faster(
    uji: Actor, bindings: str
) -> None:
    overview = httpx.get(f"{uji.bus.environ['NUSABUS_MANAGEMENT_URL']}/api/overview").json()
    indexed = int(overview["rabbitmq_version"].partition(".")[0]) >= INDEXES_SEVERAL_KEYS
    exact = uji.subscribe(FREE)
    come_by(names.EVENTS, exact)
    wide = uji.subscribe(EVERYTHING)
    several = names.EVENTS_TOPIC if bindings == "many" and not indexed else names.EVENTS
    for each in (exact, wide):
        come_by(several, each)
    for each in (exact, wide):
        each.end()
    chosen = uji.subscribe(FREE, terms={"filters": [{"exact": {"subject": "ya"}}]})
    come_by(several, chosen, subject="ya")
    chosen.end()
