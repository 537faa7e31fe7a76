"""Pull delivery on a running bus: locks, order, settling, dead letters' beginning."""

from typing import Any

import httpx
import pytest

from tests.builders import CITIZEN, FREE, TASKS, a_document, a_name, an_id
from tests.bus import Actor, Bus
from tests.pull_receiver import Puller, ids, tokens


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def test_what_was_published_is_handed_out_once(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    assert puller.made["queue"] is None
    assert puller.made["amqp_url"] is None
    sent = [uji.published() for _ in range(5)]
    first = puller.receive(3)
    second = puller.receive()
    assert sorted(ids(first + second)) == sorted(sent)
    assert {event["attempt"] for event in first + second} == {1}
    assert puller.acknowledge(first + second) == ["settled"] * 5
    assert puller.acknowledge(first) == ["gone"] * 3
    assert puller.receive(wait=0) == []


def test_the_event_is_the_one_that_amqp_delivers(uji: Actor) -> None:
    subscribed, puller = uji.subscribe(FREE), Puller(uji, FREE)
    uji.published(data={"é": 9007199254740993})
    (message,) = subscribed.take(1)
    (pulled,) = puller.receive()
    assert pulled["event"] == message.document


def test_a_lock_that_ends_hands_out_again_and_its_token_is_void(uji: Actor) -> None:
    puller = Puller(uji, FREE, terms={"lock_seconds": 1})
    uji.published()
    first = puller.receive()
    second = puller.receive(wait=10)
    assert ids(first) == ids(second)
    assert second[0]["attempt"] == 2
    assert puller.acknowledge([*first, *second]) == ["gone", "settled"]
    assert puller.acknowledge(second) == ["gone"]


def test_what_is_released_comes_again_and_what_is_renewed_stays(uji: Actor) -> None:
    puller = Puller(uji, FREE, terms={"lock_seconds": 2})
    uji.published()
    first = puller.receive()
    assert puller.call("release", tokens=tokens(first), reason="sibuk")["results"] == ["settled"]
    again = puller.receive()
    assert again[0]["attempt"] == 2
    assert puller.call("renew", tokens=tokens(again), seconds=60)["results"] == ["settled"]
    assert puller.receive(wait=3) == []
    assert puller.acknowledge(again) == ["settled"]


def test_of_one_key_one_is_in_hands_at_a_time(uji: Actor) -> None:
    puller = Puller(uji, FREE, ordered=True)
    sent = [uji.published(subject="a") for _ in range(3)]
    other = uji.published(subject="b")
    first = puller.receive(wait=1)
    assert sorted(ids(first)) == sorted([sent[0], other])
    assert puller.receive(wait=0) == []
    puller.acknowledge(first)
    second = puller.receive()
    assert ids(second) == [sent[1]]
    puller.call("release", tokens=tokens(second))
    third = puller.receive()
    assert ids(third) == [sent[1]]
    puller.acknowledge(third)
    assert ids(puller.receive()) == [sent[2]]


def test_the_last_attempt_makes_a_dead_letter(bus: Bus, uji: Actor) -> None:
    puller = Puller(uji, FREE, terms={"attempts": 2})
    uji.published()
    for _ in range(2):
        puller.call("release", tokens=tokens(puller.receive()), reason="rusak")
    assert puller.receive(wait=0.5) == []
    uji.published()
    rejected = puller.receive()
    puller.call("reject", tokens=tokens(rejected), reason="tidak dikenal")
    assert bus.query(
        "SELECT failure, detail, attempts FROM dead_letters WHERE name = $1 ORDER BY number",
        puller.name,
    ) == [("released", "rusak", 2), ("rejected", "tidak dikenal", 1)]


def test_filters_choose(uji: Actor) -> None:
    puller = Puller(uji, FREE, terms={"filters": [{"prefix": {"subject": "31"}}]})
    uji.published(subject="32.01")
    wanted = uji.published(subject="31.74")
    uji.published()
    assert ids(puller.receive()) == [wanted]
    assert puller.receive(wait=0.5) == []


@pytest.mark.parametrize(
    ("filters", "pointer"),
    [
        ([{}], "/filters/0"),
        ([{"exact": {}}], "/filters/0/exact"),
        ([{"exact": {"subject": ""}}], "/filters/0/exact/subject"),
        ([{"all": [{"not": {"sql": "x"}}]}], "/filters/0/all/0/not"),
        ([{"any": []}], "/filters/0/any"),
    ],
)
def test_what_is_no_filter(uji: Actor, filters: list[Any], pointer: str) -> None:
    answer = uji.put_subscription(a_name(), FREE, delivery="pull", terms={"filters": filters})
    assert answer.status_code == 422
    assert answer.json()["pointer"] == pointer


def test_a_beginning_in_the_past_and_a_pause(uji: Actor) -> None:
    before = uji.published(type=CITIZEN, data={"nik": "1" * 16, "nama": "A"})
    puller = Puller(uji, CITIZEN, start="beginning")
    got = puller.receive(1000)
    assert before in ids(got)
    assert puller.call("pause")["paused"] is True
    answer = uji.post(f"/v1/subscriptions/{puller.name}/receive", json={})
    assert answer.status_code == 409
    assert puller.acknowledge(got) == ["settled"] * len(got)
    assert puller.call("resume")["paused"] is False
    assert puller.receive(wait=0) == []


def test_point_to_point_waits_for_its_one_subscription(uji: Actor) -> None:
    task = TASKS[1]
    sent = uji.published(type=task)
    puller = Puller(uji, task)
    got = puller.receive()
    assert sent in ids(got)
    assert uji.put_subscription(a_name(), task, delivery="pull").status_code == 409
    puller.acknowledge(got)
    later = uji.published(type=task)
    assert uji.delete(f"/v1/subscriptions/{puller.name}").json() == {"discarded_messages": 0}
    successor = Puller(uji, task)
    assert ids(successor.receive()) == [later]
    assert uji.delete(f"/v1/subscriptions/{successor.name}").json() == {"discarded_messages": 1}


def test_tokens_of_others_and_forged_ones_settle_nothing(bus: Bus, uji: Actor) -> None:
    mine, theirs = Puller(uji, FREE), Puller(bus.actor("lain"), FREE)
    uji.published()
    got = theirs.receive()
    assert mine.acknowledge(got) == ["gone"]
    for token in ("x", "é", "A" * 35, got[0]["token"][:-6] + "AAAAAA", "=" * 8, an_id()):
        assert mine.call("acknowledge", tokens=[token])["results"] == ["gone"]
    assert (
        bus.actor("lain").post(f"/v1/subscriptions/{mine.name}/receive", json={}).status_code == 404
    )
    assert theirs.acknowledge(got) == ["settled"]


def test_a_lost_right_ends_the_handing_out(bus: Bus) -> None:
    lain = bus.actor("lain")
    grant = bus.grant("lain", "subscribe", CITIZEN)
    puller = Puller(lain, CITIZEN)
    bus.admin.delete(grant).raise_for_status()
    answer = lain.post(f"/v1/subscriptions/{puller.name}/receive", json={})
    assert answer.status_code == 403


def test_an_amqp_subscription_is_not_pulled(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    answer = uji.post(f"/v1/subscriptions/{subscribed.name}/receive", json={})
    assert answer.status_code == 409
    assert uji.put_subscription(subscribed.name, FREE, delivery="pull").status_code == 409


def test_continuing_from_another_position(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    receipts = [uji.publish(a_document()).json() for _ in range(3)]
    held = puller.receive()
    assert puller.call("seek", to=receipts[0]["recordedtime"])["name"] == puller.name
    assert puller.acknowledge(held) == ["gone"] * 3
    assert {receipt["id"] for receipt in receipts} <= set(ids(puller.receive(1000)))
    assert puller.call("seek", to="beginning")["name"] == puller.name
    assert puller.receive(1) != []
    puller.call("seek", to="now")
    assert puller.receive(wait=0) == []
    later = uji.published()
    held = puller.receive()
    assert ids(held) == [later]
    assert puller.call("seek", to=held[0]["event"]["sequence"])["name"] == puller.name
    assert puller.acknowledge(held) == ["gone"]
    assert later in ids(puller.receive())
    path = f"/v1/subscriptions/{puller.name}/seek"
    for nowhere in ("63-0000000000000001", "00-0000009999999999", "00-1"):
        assert uji.post(path, json={"to": nowhere}).status_code == 422
    amqp = uji.subscribe(FREE)
    assert uji.post(f"/v1/subscriptions/{amqp.name}/seek", json={"to": "now"}).status_code == 409


def test_nothing_is_locked_for_a_receiver_that_went_away_while_it_waited(
    bus: Bus, uji: Actor
) -> None:
    puller = Puller(uji, FREE, terms={"lock_seconds": 60})
    path = f"/v1/subscriptions/{puller.made['name']}/receive"
    with pytest.raises(httpx.ReadTimeout):
        uji.post(path, json={"max": 10, "wait": 20}, timeout=0.5)
    sent = uji.published()
    received = puller.receive(wait=20)
    assert ids(received) == [sent]
    assert received[0]["attempt"] == 1
