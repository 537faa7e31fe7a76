"""Requests while something dies: the responder, the process that waits, the broker."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from deploy.local.ports import LOOPBACK, free_port
from deploy.local.rabbitmq import RabbitMQ
from tests.builders import QUESTIONS, a_name, a_question, a_reply
from tests.bus import STRUCTURED, Actor, Bus, MakeBus, Subscribed
from tests.problems import problem_of
from tests.pull_receiver import Puller, ids
from tests.responders import AmqpResponder
from tests.waiting import eventually

AMQP, KILLED, PULL, DEAD, HELD = QUESTIONS[:5]


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    with make_bus() as bus:
        bus.run("api", "relay")
        for type_ in QUESTIONS:
            bus.grant("lain", "publish", type_)
        yield bus


@pytest.fixture(scope="module")
def lain(bus: Bus) -> Actor:
    return bus.actor("lain")


@pytest.fixture(scope="module")
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


class Aside(threading.Thread):
    """A call that goes on beside the test."""

    def __init__(self, call: Callable[[], httpx.Response]) -> None:
        super().__init__()
        self.answer: Any = None
        self._call = call
        self.start()

    def run(self) -> None:
        try:
            self.answer = self._call()
        except httpx.TransportError as error:
            self.answer = error


def test_another_consumer_answers_a_request_of_a_killed_one(lain: Actor, uji: Actor) -> None:
    subscribed = uji.subscribe(KILLED)
    dying = AmqpResponder(subscribed.url, subscribed.queue, hangs=True)
    call = Aside(lambda: lain.ask(a_question(KILLED), wait=20))
    with dying:
        eventually(lambda: dying.asked)
    with AmqpResponder(subscribed.url, subscribed.queue) as second:
        call.join()
    assert call.answer.json()["state"] == "answered"
    assert second.asked == dying.asked


@pytest.fixture(scope="module")
def subscribed(uji: Actor) -> Subscribed:
    return uji.subscribe(AMQP)


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_restart_of_the_gateway_loses_neither_request_nor_reply(
    bus: Bus, lain: Actor, subscribed: Subscribed, kill: bool
) -> None:
    """Stopped it answers at once; killed it answers nothing; the next process has the reply."""
    api = next(each for each in bus.processes if each.running and each.name.startswith("api"))
    question = a_question(AMQP)
    call = Aside(lambda: lain.ask(question, wait=20))
    known = "SELECT count(*) FROM journal_entries WHERE id = $1"
    eventually(lambda: bus.query(known, question["id"]) == [(1,)])
    api.kill() if kill else api.stop()
    call.join()
    if kill:
        assert isinstance(call.answer, httpx.TransportError)
    else:
        assert (call.answer.status_code, call.answer.json()["reply"]) == (202, None)
    with AmqpResponder(subscribed.url, subscribed.queue) as responder:
        eventually(lambda: responder.done)
    bus.start("api")
    bus.wait_ready()
    shown = lain.ask(question, wait=20)
    assert (shown.status_code, shown.json()["state"]) == (200, "answered")
    assert len(responder.asked) == 1
    pair = "SELECT count(*) FROM journal_entries WHERE id = $1 OR attributes LIKE $2"
    named = f'%"requestid":"{shown.json()["id"]}"%'
    assert bus.query(pair, question["id"], named) == [(2,)]


def test_a_lost_announcement_delays_a_reply_and_loses_none(
    bus: Bus, lain: Actor, uji: Actor, rabbitmq: RabbitMQ
) -> None:
    """Without the broker another process stores the reply; the asker's finds it by itself."""
    name, port = a_name(), free_port()
    assert uji.put_subscription(name, PULL, delivery="pull").status_code == 201
    other = bus.start("api", NUSABUS_PORT=str(port))
    eventually(lambda: other.listens_on(port))
    rabbitmq.stop()
    try:
        question = a_question(PULL)
        call = Aside(lambda: lain.ask(question, wait=20))
        taken = uji.post(f"/v1/subscriptions/{name}/receive", json={"wait": 10}).json()["events"]
        asked = taken[0]["event"]
        answered = httpx.post(
            f"http://{LOOPBACK}:{port}/v1/requests/{asked['requestid']}/reply",
            json=a_reply(asked),
            headers={**uji.headers, **STRUCTURED},
        )
        assert answered.status_code == 201, answered.text
        call.join()
    finally:
        other.stop()
        rabbitmq.start()
    assert call.answer.json()["state"] == "answered"


def test_a_puller_that_dies_loses_its_lock_and_the_other_gives_the_one_reply(
    lain: Actor, uji: Actor
) -> None:
    worker = Puller(uji, DEAD, terms={"lock_seconds": 1})
    callback = Puller(lain, f"{DEAD}.reply")
    request = lain.ask(a_question(DEAD)).json()
    (lost,) = worker.receive()
    (again,) = worker.receive(wait=20)
    assert (again["attempt"], again["event"]) == (2, lost["event"])
    first = a_reply(again["event"])
    assert uji.answer(request["id"], first).status_code == 201
    assert worker.acknowledge([lost]) == ["gone"]
    assert worker.acknowledge([again]) == ["settled"]
    second = uji.answer(request["id"], a_reply(lost["event"], data={"hasil": "LAIN"}))
    problem_of(second, 409, "already-answered")
    assert ids(callback.receive()) == [first["id"]]
    assert callback.receive(wait=0) == []


def test_a_request_delayed_by_a_broker_alarm_is_not_handed_out_after_its_deadline(
    lain: Actor, uji: Actor, rabbitmq: RabbitMQ
) -> None:
    subscribed = uji.subscribe(HELD)
    rabbitmq.set_memory_alarm(True)
    try:
        lain.ask(first := a_question(HELD))
        eventually(lambda: "blocked" in rabbitmq.ctl("list_connections", "state").split())
        until = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
        late = lain.ask(a_question(HELD, expirytime=until), wait=20)
        problem_of(late, 504, "no-reply")
    finally:
        rabbitmq.set_memory_alarm(False)
    lain.ask(last := a_question(HELD))
    with AmqpResponder(subscribed.url, subscribed.queue) as responder:
        eventually(lambda: last["id"] in [each["id"] for each in responder.asked])
    assert [each["id"] for each in responder.asked] == [first["id"], last["id"]]
