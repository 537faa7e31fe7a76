"""Where a subscription starts: now, earlier, while events come, or where another has ended."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.builders import CITIZEN, FREE, TASKS, a_citizen, a_document, a_name
from tests.bus import Actor, Bus, MakeBus, Subscribed
from tests.readers import depth, ids
from tests.waiting import eventually


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


@pytest.fixture
def task(bus: Bus, uji: Actor) -> str:
    """A point-to-point type that nobody subscribes to, its events so far worked off."""
    for type in TASKS:
        answer = uji.put_subscription(name := a_name(), type, start="now")
        if answer.status_code == httpx.codes.CREATED:
            subscribed = Subscribed(uji, name, answer.json()["queue"], answer.json()["amqp_url"])
            subscribed.wait("active")
            subscribed.end()
            return type
    raise AssertionError("every point-to-point type has its subscription")


def test_start_now_beginning_and_at_a_time(uji: Actor) -> None:
    person = {"type": CITIZEN, "data": a_citizen()}
    old = uji.published(**person)
    middle = uji.publish(a_document(**person)).json()
    now = uji.subscribe(CITIZEN)
    new = uji.published(**person)
    assert ids(now.take(1)) == [new]
    later = uji.subscribe(CITIZEN, start=middle["recordedtime"])
    arrived = ids(later.take(2))
    assert set(arrived) == {middle["id"], new}
    beginning = uji.subscribe(CITIZEN, start="beginning")
    (held,) = {depth(uji.bus.amqp_url, beginning.queue)}
    everything = ids(beginning.take(held))
    assert {old, middle["id"], new} <= set(everything)
    assert len(everything) == len(set(everything))
    future = uji.subscribe(CITIZEN, start="2099-01-01T00:00:00Z")
    assert uji.published(**person) in ids(future.take(1))


@pytest.fixture
def own_bus(make_bus: MakeBus) -> Iterator[Bus]:
    """A bus without the earlier events of other tests: a queue that nobody reads has a limit."""
    with make_bus() as bus:
        yield bus.run("api", "relay")


def test_nothing_is_missing_between_backfill_and_exchange(own_bus: Bus) -> None:
    """Thousands of earlier events, and a publisher that never stops: every event, every key."""
    publisher, keys = own_bus.actor("uji", "publisher"), 13
    sent: list[dict[str, Any]] = []
    done = threading.Event()

    def batch(size: int) -> None:
        events = [
            a_document(subject=f"{(len(sent) + n) % keys}", data={"n": n}) for n in range(size)
        ]
        assert publisher.publish_batch(events).json()["accepted"] == size
        sent.extend(events)

    def keep_publishing() -> None:
        while not done.is_set():
            batch(5)

    for _ in range(5):
        batch(500)
    (live := threading.Thread(target=keep_publishing)).start()
    try:
        subscribed = own_bus.actor("uji", "subscriber").subscribe(
            FREE, start="beginning", ordered=True
        )
    finally:
        done.set()
        live.join()
    batch(50)
    wanted = {event["id"] for event in sent}
    assert len(wanted) > 2550
    found = subscribed.take_until(lambda ids: wanted <= ids)
    first: dict[str, dict[str, Any]] = {}
    for each in found:
        first.setdefault(each.document["id"], each.document)
    assert set(first) == wanted
    for subject in {event["subject"] for event in sent}:
        in_order = [event["id"] for event in sent if event["subject"] == subject]
        assert [i for i, document in first.items() if document["subject"] == subject] == in_order


def test_a_point_to_point_type_has_one_subscription(bus: Bus, uji: Actor, task: str) -> None:
    waiting = [uji.published(type=task, subject="one key") for _ in range(5)]
    first = uji.subscribe(task)
    second = uji.put_subscription(a_name(), task)
    assert second.status_code == 409
    assert task in second.json()["detail"]
    assert ids(first.take(5)) == waiting
    later = uji.published(type=task)
    assert ids(first.take(1)) == [later]
    assert first.end() == 0
    again = uji.published(type=task)
    successor = uji.subscribe(task)
    received = ids(successor.take_until(lambda ids: again in ids))
    assert set(received) <= {later, again}  # what was confirmed a moment ago may come once more
    assert successor.end() == 0


def test_unsettled_events_of_an_ended_subscription_come_to_the_next(uji: Actor, task: str) -> None:
    subscribed = uji.subscribe(task)
    sent = [uji.published(type=task, subject="one key") for _ in range(4)]
    eventually(lambda: depth(uji.bus.amqp_url, subscribed.queue) == 4)
    assert ids(subscribed.take(1)) == sent[:1]
    assert subscribed.end() == 3
    successor = uji.subscribe(task)
    successor.take_until(lambda ids: set(sent[1:]) <= ids)
    assert successor.end() == 0
