"""Filters of AMQP subscriptions: the relay applies them, and a change loses nothing."""

import asyncio
import threading
from typing import Any

import aio_pika
import pytest

from tests.builders import FREE, QUESTIONS, TASKS, a_document, a_name, an_id
from tests.bus import Actor, Bus, Subscribed
from tests.readers import depth, ids
from tests.waiting import eventually


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def filtered(by: Actor, *filters: Any, **more: Any) -> Subscribed:
    return by.subscribe(FREE, terms={"filters": filters}, **more)


def change(subscribed: Subscribed, *filters: Any) -> dict[str, Any]:
    """Other filters for a subscription."""
    terms = {"filters": filters} if filters else None
    answer = subscribed.by.put_subscription(subscribed.name, FREE, terms=terms)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


def test_every_filter_dialect(bus: Bus, uji: Actor) -> None:
    """Compared with what a second subscription without filters receives."""
    mark = an_id()
    events = [
        a_document(subject=subject, source=f"/uji/{mark}/{kind}", urgent=kind == "a")
        for subject in ("31.74", "31.75", "32.01")
        for kind in ("a", "b")
    ]
    wanted = {
        "exact": ({"exact": {"subject": "31.74"}}, {0, 1}),
        "prefix": ({"prefix": {"subject": "31."}}, {0, 1, 2, 3}),
        "suffix": ({"suffix": {"source": "/b"}}, {1, 3, 5}),
        "boolean": ({"exact": {"urgent": "true"}}, {0, 2, 4}),
        "all": ({"all": [{"prefix": {"subject": "31"}}, {"suffix": {"source": "/a"}}]}, {0, 2}),
        "any": ({"any": [{"exact": {"subject": "32.01"}}, {"suffix": {"source": "/a"}}]},
                {0, 2, 4, 5}),
        "not": ({"not": {"prefix": {"subject": "31"}}}, {4, 5}),
        "nothing": ({"exact": {"takada": "x"}}, set()),
    }  # fmt: skip
    ours = {"prefix": {"source": f"/uji/{mark}"}}
    receivers = {
        name: filtered(uji, ours, each, active=False) for name, (each, _) in wanted.items()
    }
    everything = uji.subscribe(FREE)
    for each in receivers.values():
        each.wait("active")
    uji.published()
    assert uji.publish_batch(events).json()["accepted"] == len(events)
    everything.take_until(lambda ids: {event["id"] for event in events} <= ids)
    for name, (_, indices) in wanted.items():
        received = receivers[name].take(len(indices)) if indices else []
        assert set(ids(received)) == {events[n]["id"] for n in indices}, name
    for each in receivers.values():
        assert each.end() == 0
    everything.end()


def test_a_backfill_is_filtered_too_and_misses_nothing_at_its_end(bus: Bus) -> None:
    publisher, mark = bus.actor("uji", "publisher"), an_id()
    sent: list[dict[str, Any]] = []
    done = threading.Event()

    def batch(size: int) -> None:
        events = [
            a_document(source=f"/uji/{mark}", subject=f"{(len(sent) + n) % 4}") for n in range(size)
        ]
        assert publisher.publish_batch(events).json()["accepted"] == size
        sent.extend(events)

    def keep_publishing() -> None:
        while not done.is_set():
            batch(5)

    batch(400)
    live = threading.Thread(target=keep_publishing)
    live.start()
    try:
        subscribed = filtered(
            bus.actor("uji"),
            {"exact": {"source": f"/uji/{mark}"}},
            {"not": {"exact": {"subject": "3"}}},
            start="beginning",
            ordered=True,
        )
    finally:
        done.set()
        live.join()
    batch(20)
    wanted = [event["id"] for event in sent if event["subject"] != "3"]
    found = subscribed.take_until(lambda ids: set(wanted) <= ids)
    assert {each.document["subject"] for each in found} == {"0", "1", "2"}
    first = list(dict.fromkeys(ids(found)))
    for subject in "012":
        in_order = [event["id"] for event in sent if event["subject"] == subject]
        assert [each for each in first if each in set(in_order)] == in_order
    assert len(first) == len(found)
    assert subscribed.end() == 0


def test_filters_change_without_loss_while_events_come(uji: Actor) -> None:
    """From none to some, to others, and to none: each change while a publisher never stops."""
    subscribed, mark = uji.subscribe(FREE, ordered=True), an_id()
    sent: list[dict[str, Any]] = []
    done = threading.Event()

    def keep_publishing() -> None:
        while not done.is_set():
            events = [a_document(source=f"/uji/{mark}", subject=str(n)) for n in range(4)]
            assert uji.publish_batch(events).json()["accepted"] == 4
            sent.extend(events)

    def more(events: int) -> None:
        wanted = len(sent) + events
        eventually(lambda: len(sent) >= wanted)

    live = threading.Thread(target=keep_publishing)
    live.start()
    try:
        always = {"any": [{"exact": {"subject": "0"}}, {"exact": {"subject": "1"}}]}
        for filters in ([always], [{"not": {"exact": {"subject": "3"}}}, always], []):
            more(40)
            shown = uji.put_subscription(
                subscribed.name, FREE, ordered=True, terms={"filters": filters}
            ).json()
            assert shown["terms"] == {"filters": filters, "max_age": None}
            assert shown["state"] == "catching-up"
            more(40)
            subscribed.wait("active")
    finally:
        done.set()
        live.join()
    wanted = {event["id"] for event in sent if event["subject"] in "01"}
    found = subscribed.take_until(lambda ids: wanted <= ids)
    first = list(dict.fromkeys(ids(found)))
    for subject in "01":
        in_order = [event["id"] for event in sent if event["subject"] == subject]
        assert [each for each in first if each in set(in_order)] == in_order
    assert subscribed.show()["repair_count"] == 0
    subscribed.end()


def test_changed_filters_apply_to_later_events(uji: Actor) -> None:
    source = f"/uji/{an_id()}"
    subscribed = filtered(uji, {"exact": {"source": source, "subject": "a"}})
    first = uji.published(source=source, subject="a")
    assert ids(subscribed.take(1)) == [first]
    change(subscribed, {"exact": {"source": source, "subject": "b"}})
    second = uji.published(source=source, subject="b")
    assert ids(subscribed.take(1)) == [second]
    subscribed.wait("active")
    uji.published(source=source, subject="a")
    third = uji.published(source=source, subject="b")
    assert ids(subscribed.take(1)) == [third]
    again = change(subscribed, {"exact": {"source": source, "subject": "b"}})
    assert again["state"] == "active"
    assert subscribed.end() == 0


def test_a_lost_binding_of_a_filtered_queue_is_made_again(bus: Bus, uji: Actor) -> None:
    """Nobody else wants them, so the broker returns what it cannot route; or the look tells."""
    source = f"/uji/{an_id()}"
    subscribed = filtered(uji, {"exact": {"source": source}}, ordered=True)

    async def unbind() -> None:
        async with await aio_pika.connect(bus.amqp_url) as connection:
            queue = await (await connection.channel()).get_queue(subscribed.queue)
            await queue.unbind("bus.events", f"to.{subscribed.queue}.1")

    before = [uji.published(source=source) for _ in range(3)]
    eventually(lambda: depth(bus.amqp_url, subscribed.queue) == 3)
    asyncio.run(unbind())
    after = [uji.published(source=source) for _ in range(3)]
    subscribed.wait("active", repairs=1)
    found = subscribed.take_until(lambda ids: set(before + after) <= ids)
    assert list(dict.fromkeys(ids(found))) == before + after
    subscribed.end()


def test_the_ledger_shows_filtered_events(uji: Actor) -> None:
    subscribed = filtered(uji, {"exact": {"subject": "ya"}})

    def stage(receipt: dict[str, Any]) -> str:
        items = uji.get(f"/v1/events/{receipt['shard']}/{receipt['sequence']}/deliveries").json()[
            "items"
        ]
        (found,) = [each["stage"] for each in items if each["subscription"] == subscribed.name]
        return str(found)

    out = uji.publish(a_document(subject="tidak")).json()
    taken = uji.publish(a_document(subject="ya")).json()
    eventually(lambda: stage(out) == "filtered")
    eventually(lambda: stage(taken) == "queued")
    subscribed.end()


@pytest.mark.parametrize(
    ("types", "terms", "pointer"),
    [
        ([FREE], {"lock_seconds": 60}, "/terms/lock_seconds"),
        ([FREE], {"filters": [], "attempts": 3}, "/terms/attempts"),
        ([FREE], {"in_flight": 5}, "/terms/in_flight"),
        ([FREE], {"endpoint": {"url": "https://contoh.go.id/"}}, "/terms/endpoint"),
        ([TASKS[3]], {"filters": [{"exact": {"subject": "a"}}]}, "/terms/filters"),
        ([QUESTIONS[4]], {"filters": [{"exact": {"subject": "a"}}]}, "/terms/filters"),
        ([FREE], {"filters": [{"sql": "x"}]}, "/filters/0"),
    ],
    ids=str,
)
def test_terms_that_amqp_cannot_have_are_refused(
    uji: Actor, types: list[str], terms: dict[str, Any], pointer: str
) -> None:
    name = a_name()
    answer = uji.put_subscription(name, *types, terms=terms)
    assert answer.status_code == 422, answer.text
    assert answer.json()["pointer"] == pointer
    assert uji.get(f"/v1/subscriptions/{name}").status_code == 404


def test_filters_are_refused_for_events_with_one_receiver(uji: Actor) -> None:
    filters = {"filters": [{"exact": {"subject": "a"}}]}
    answer = uji.put_subscription(a_name(), TASKS[3], delivery="pull", terms=filters)
    assert answer.status_code == 422
    assert "one receiver" in answer.json()["detail"]
