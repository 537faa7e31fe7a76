"""A suspension is in force everywhere: calls that are open, and connections to the broker."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import aio_pika
import httpx
import pytest
from aio_pika.exceptions import AMQPError

from tests.builders import FREE, QUESTIONS, a_document, a_name, a_question
from tests.bus import Actor, Bus, Subscribed
from tests.dead_letters import locked
from tests.problems import problem_of
from tests.pull_receiver import Puller, ids
from tests.waiting import eventually

SUSPEND, RESUME = "/v1/organisations/lain/suspend", "/v1/organisations/lain/resume"


@pytest.fixture
def lain(bus: Bus) -> Iterator[Actor]:
    """A client of the organisation that is suspended; it is resumed at the end."""
    actor = bus.actor("lain")
    assert actor.headers
    yield actor
    bus.admin.post(RESUME).raise_for_status()
    eventually(lambda: actor.get("/v1/subscriptions").status_code == httpx.codes.OK)


def suspend(bus: Bus) -> None:
    bus.admin.post(SUSPEND, json={"reason": "Uji."}).raise_for_status()


def read(actor: Actor, path: str) -> str:
    """All of a stream, until the gateway ends it."""
    with (
        httpx.Client(base_url=actor.bus.http.base_url, timeout=60) as client,
        client.stream("GET", path, headers=actor.headers) as answer,
    ):
        return answer.read().decode()


def test_open_calls_end(bus: Bus, lain: Actor) -> None:
    """Each would end by itself much later, with another answer."""
    puller, stream = Puller(lain, FREE), a_name()
    assert lain.put_subscription(stream, FREE, delivery="stream").status_code == 201
    Puller(bus.actor("uji"), QUESTIONS[0])
    bus.grant("lain", "publish", QUESTIONS[0])
    question = a_question(QUESTIONS[0], source="/lain/uji")
    eventually(lambda: lain.ask(question).status_code == 202)
    with ThreadPoolExecutor(3) as pool:
        receive = pool.submit(
            lain.post, f"/v1/subscriptions/{puller.name}/receive", json={"max": 1, "wait": 20}
        )
        asked = pool.submit(lain.ask, question, wait=20)
        streamed = pool.submit(read, lain, f"/v1/subscriptions/{stream}/stream")
        suspend(bus)
        problem_of(receive.result(), 403, "organisation-suspended")
        problem_of(asked.result(), 403, "organisation-suspended")
        ended = streamed.result()
        assert "organisation-suspended" in ended
    published = bus.actor("uji").published()
    problem_of(lain.get("/v1/subscriptions"), 403, "organisation-suspended")
    bus.admin.post(RESUME).raise_for_status()
    assert published in ids(puller.receive())  # it has waited


def test_what_is_being_stored_is_answered_with_its_receipt(bus: Bus, lain: Actor) -> None:
    """A refusal would say that nothing was stored."""
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'journal_shards'::regclass"
    bus.grant("lain", "publish", FREE)
    event = a_document(source="/lain/uji")
    eventually(lambda: lain.publish(a_document(source="/lain/uji")).status_code == 202)
    receive = f"/v1/subscriptions/{Puller(lain, FREE).name}/receive"
    with ThreadPoolExecutor(2) as pool:
        with locked(bus.database_url, "LOCK TABLE journal_shards IN SHARE MODE"):
            published = pool.submit(lain.publish, event)
            eventually(lambda: bus.query(waiting))
            received = pool.submit(lain.post, receive, json={"max": 1, "wait": 20})
            suspend(bus)
            problem_of(received.result(), 403, "organisation-suspended")
        assert published.result().status_code == httpx.codes.ACCEPTED
    problem_of(lain.publish(event), 403, "organisation-suspended")


def connects(url: str) -> bool:
    async def connect() -> bool:
        try:
            async with await aio_pika.connect(url):
                return True
        except (AMQPError, OSError):
            return False

    return asyncio.run(connect())


async def closed_by_broker(amqp: Subscribed, stop: Callable[[], object]) -> bool:
    """Do something while a connection is open; whether the broker closes it."""
    closed = asyncio.Event()
    connection = await aio_pika.connect(amqp.url)
    transport = connection.transport
    assert transport is not None
    transport.connection.closing.add_done_callback(lambda _: closed.set())
    await asyncio.to_thread(stop)
    async with asyncio.timeout(30):
        return await closed.wait()


def test_connections_to_the_broker_are_closed_and_refused(bus: Bus, lain: Actor) -> None:
    amqp = lain.subscribe(FREE)
    other = bus.actor("uji").subscribe(FREE)
    assert connects(amqp.url)
    assert asyncio.run(closed_by_broker(amqp, lambda: suspend(bus)))
    assert not connects(amqp.url)
    assert connects(other.url)
    published = bus.actor("uji").published()
    bus.admin.post(RESUME).raise_for_status()
    eventually(lambda: connects(amqp.url))
    assert amqp.take_until(lambda found: published in found)  # it has waited


def another_client(bus: Bus) -> Actor:
    """A client of an organisation that has others as well."""
    body = {"organisation": "uji", "title": "Satu lagi", "roles": ["subscriber"]}
    id = bus.admin.post("/v1/clients", json=body).raise_for_status().json()["id"]
    secret = bus.admin.post(f"/v1/clients/{id}/secrets").raise_for_status().json()
    return Actor(bus, "uji", id, secret["secret"])


def test_a_disabled_client_loses_its_broker_user(bus: Bus) -> None:
    """Open connections too. Another client of the organisation takes over with a new password."""
    program, uji = another_client(bus), bus.actor("uji")
    amqp, other = program.subscribe(FREE), uji.subscribe(FREE)
    assert connects(amqp.url)

    def disable() -> None:
        path = f"/v1/clients/{program.id}"
        bus.admin.call("PATCH", path, json={"state": "disabled"}).raise_for_status()

    assert asyncio.run(closed_by_broker(amqp, disable))
    assert not connects(amqp.url)
    assert connects(other.url)
    published = uji.published()
    renewed = uji.post(f"/v1/subscriptions/{amqp.name}/credentials").raise_for_status().json()
    taken_over = Subscribed(uji, amqp.name, amqp.queue, renewed["amqp_url"])
    eventually(lambda: connects(taken_over.url))
    assert taken_over.take_until(lambda found: published in found)  # it has waited
    assert not connects(amqp.url)


def test_a_deleted_secret_takes_its_broker_users_along(bus: Bus) -> None:
    """As it does with tokens. A password that another secret has renewed before stays."""
    program = another_client(bus)
    kept, lost = program.subscribe(FREE), program.subscribe(FREE)
    path = f"/v1/clients/{program.id}/secrets"
    (old,) = bus.admin.get(path).json()["items"]
    new = bus.admin.post(path).raise_for_status().json()
    rotated = Actor(bus, "uji", program.id, new["secret"])
    again = rotated.post(f"/v1/subscriptions/{kept.name}/credentials").raise_for_status().json()
    assert asyncio.run(
        closed_by_broker(lost, lambda: bus.admin.delete(f"{path}/{old['id']}").raise_for_status())
    )
    assert not connects(lost.url)
    assert connects(again["amqp_url"])


def test_a_broker_user_has_so_many_connections(bus: Bus) -> None:
    amqp = bus.actor("uji").subscribe(FREE)

    async def open_all() -> int:
        opened = []
        try:
            for _ in range(22):
                opened.append(await aio_pika.connect(amqp.url))
        except (AMQPError, OSError):
            pass
        for each in opened:
            await each.close()
        return len(opened)

    assert asyncio.run(open_all()) == 20
