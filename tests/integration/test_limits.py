"""Age, rate and what is open at once, for the ways that the gateway serves itself."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.builders import FREE, a_document, a_name
from tests.bus import Actor, Bus
from tests.clocks import aged
from tests.integration.test_stream import reading, take
from tests.pull_receiver import Puller, ids, tokens

AGE = 5.0  # seconds


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def stage(actor: Actor, receipt: dict[str, Any], name: str) -> dict[str, Any]:
    path = f"/v1/events/{receipt['shard']}/{receipt['sequence']}/deliveries"
    found = actor.get(path).json()["items"]
    return next(dict(each) for each in found if each["subscription"] == name)


def dead(actor: Actor, name: str) -> list[dict[str, Any]]:
    return list(actor.get("/v1/dead-letters", params={"subscription": name}).json()["items"])


@pytest.fixture(scope="module")
def old(bus: Bus) -> list[dict[str, Any]]:
    """The receipts of events that are AGE old."""
    sent = bus.actor("uji").publish_batch([a_document(subject="lama") for _ in range(700)])
    receipts = [each["receipt"] for each in sent.json()["results"]]
    aged(bus, receipts[-1], AGE)
    return receipts


def too_late(actor: Actor, old: list[dict[str, Any]]) -> Puller:
    """A subscription to which the old ones come, too late, and those whose subject is its name."""
    name = a_name()
    subjects = [{"exact": {"subject": subject}} for subject in ("lama", name)]
    terms = {"max_age": AGE, "filters": [{"any": subjects}]}
    return Puller(actor, FREE, name=name, start=old[0]["recordedtime"], terms=terms)


def test_what_is_too_old_when_found_becomes_a_dead_letter(
    bus: Bus, uji: Actor, old: list[dict[str, Any]]
) -> None:
    puller = too_late(uji, old)
    late = uji.published(subject=puller.name)
    assert ids(puller.receive(1, wait=0)) == [late]  # however many stand before it
    dead_letters = dead(uji, puller.name)
    assert {(each["failure"], each["attempts"]) for each in dead_letters} == {("expired", 0)}
    rows = bus.query("SELECT count(*) FROM dead_letters WHERE name = $1", puller.name)
    assert rows == [(len(old),)]
    found = stage(uji, old[0], puller.name)
    assert (found["stage"], found["attempts"]) == ("expired", 0)
    assert found["at"] is not None
    assert puller.receive(wait=0) == []


def test_what_grows_too_old_in_hands_is_not_handed_out_again(bus: Bus, uji: Actor) -> None:
    puller = Puller(uji, FREE, terms={"max_age": 1, "lock_seconds": 60})
    receipt = uji.publish(a_document()).json()
    first = puller.receive()
    aged(bus, receipt)
    assert puller.receive(wait=0) == []  # it is still in hands
    assert stage(uji, receipt, puller.name)["stage"] == "in-hands"
    puller.call("release", tokens=tokens(first), reason="sibuk")
    assert puller.receive(wait=0) == []
    (dead_letter,) = dead(uji, puller.name)
    assert (dead_letter["failure"], dead_letter["attempts"]) == ("expired", 1)
    assert puller.acknowledge(first) == ["gone"]


def test_sent_again_its_age_counts_anew(uji: Actor, old: list[dict[str, Any]]) -> None:
    puller = too_late(uji, old)
    assert puller.receive(wait=0) == []
    dead_letter = dead(uji, puller.name)[0]
    uji.post(f"/v1/dead-letters/{dead_letter['number']}/redrive").raise_for_status()
    again = puller.receive()
    assert len(again) == 1
    assert puller.acknowledge(again) == ["settled"]
    receipt = {"shard": dead_letter["shard"], "sequence": dead_letter["sequence"]}
    assert stage(uji, receipt, puller.name)["stage"] == "acknowledged"


def test_a_stream_has_no_age(uji: Actor) -> None:
    answer = uji.put_subscription(a_name(), FREE, delivery="stream", terms={"max_age": 60})
    assert answer.status_code == 422
    assert answer.json()["pointer"] == "/terms/max_age"


def test_a_rate_is_shared_by_all_receivers(bus: Bus, uji: Actor) -> None:
    puller = Puller(uji, FREE, terms={"rate": 5})
    uji.publish_batch([a_document() for _ in range(100)])
    began = time.monotonic()
    counts = [0] * 4

    def receiver(number: int) -> None:
        while time.monotonic() - began < 2:
            counts[number] += len(puller.receive(wait=1))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(receiver, range(4)))
    seconds = time.monotonic() - began
    assert 5 <= sum(counts) <= 5 + 5 * seconds


def test_a_receiver_that_comes_too_early_learns_when_to_come_again(uji: Actor) -> None:
    puller = Puller(uji, FREE, terms={"rate": 0.01})
    uji.publish_batch([a_document() for _ in range(3)])
    assert len(puller.receive()) == 1
    answer = puller.call("receive", max=10, wait=0)
    assert answer["events"] == []
    assert 90 < answer["retry_after"] <= 100
    assert "retry_after" not in Puller(uji, FREE).call("receive", max=10, wait=0)
    uji.put_subscription(puller.name, FREE, delivery="pull").raise_for_status()
    assert len(puller.receive()) == 2  # none is set any more


def test_a_stream_keeps_its_rate_for_each_reader(uji: Actor) -> None:
    name = a_name()
    uji.put_subscription(name, FREE, delivery="stream", terms={"rate": 4}).raise_for_status()
    uji.publish_batch([a_document() for _ in range(12)])
    began = time.monotonic()
    for _ in range(2):
        with reading(uji, f"/v1/subscriptions/{name}/stream") as found:
            assert len(take(found, 6)) == 6  # four at once, the others a quarter second apart
    assert time.monotonic() - began >= 2 * 2 / 4


def test_what_is_open_at_once_is_bounded_whoever_asks(bus: Bus, uji: Actor) -> None:
    puller = Puller(uji, FREE, terms={"in_flight": 7})
    uji.publish_batch([a_document(subject=f"s{n}") for n in range(60)])
    gate = threading.Barrier(8)

    def receiver(_: int) -> list[dict[str, Any]]:
        gate.wait()
        return puller.receive(5, wait=0)

    with ThreadPoolExecutor(8) as threads:
        taken = [event for events in threads.map(receiver, range(8)) for event in events]
    rows = bus.query("SELECT count(*) FROM delivery_open WHERE name = $1", puller.name)
    assert rows[0][0] <= 7
    taken += puller.receive(wait=0)
    assert len(taken) == 7
    assert puller.receive(wait=0) == []
    assert puller.acknowledge(taken[:3]) == ["settled"] * 3
    assert len(puller.receive(wait=0)) == 3
