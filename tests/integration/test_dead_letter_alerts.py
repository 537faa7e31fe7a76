"""Dead letters that nobody looks at raise an alert, once."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders import FREE
from tests.bus import Actor, Bus, MakeBus
from tests.dead_letters import a_dead_letter, dead
from tests.pull_receiver import Puller
from tests.waiting import eventually


@pytest.fixture
def impatient(make_bus: MakeBus) -> Iterator[Bus]:
    with make_bus(NUSABUS_DEAD_LETTER_ALERT_HOURS="0.0001") as bus:
        yield bus.run("api", "relay")


def reported(bus: Bus) -> dict[str, list[dict[str, Any]]]:
    """The lines of the log, by subscription."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in bus.logs().splitlines():
        if "dead_letters.unseen_reported" in line:
            said = json.loads(line)
            found.setdefault(said["subscription"], []).append(said)
    return found


def test_what_nobody_inspects_is_reported_once(impatient: Bus) -> None:
    uji = impatient.actor("uji")
    first, second, looked = (Puller(uji, FREE) for _ in range(3))
    with_look = a_dead_letter(uji, looked)["number"]
    assert uji.get(f"/v1/dead-letters/{with_look}").json()["seen_by"] == uji.id
    a_dead_letter(uji, first)
    assert eventually(lambda: first.name in reported(impatient))
    a_dead_letter(uji, second)
    assert eventually(lambda: second.name in reported(impatient))
    (line,) = reported(impatient)[first.name]
    assert (line["organisation"], line["count"], line["level"]) == ("uji", 1, "warning")
    assert looked.name not in reported(impatient)


def test_metrics_tell_until_somebody_looks(bus: Bus) -> None:
    uji, auditor = bus.actor("uji"), bus.actor("uji", "auditor")
    puller = Puller(uji, FREE)
    number = a_dead_letter(uji, puller)["number"]
    assert [each["number"] for each in dead(uji, puller.name, unseen=True)] == [number]
    line = f'unseen{{organisation="uji",subscription="{puller.name}"}} 1.0'
    assert eventually(lambda: line in bus.metrics())
    seen = auditor.get(f"/v1/dead-letters/{number}").json()
    again = uji.get(f"/v1/dead-letters/{number}").json()
    assert (again["seen_by"], again["seen"]) == (auditor.id, seen["seen"])
    assert dead(uji, puller.name, unseen=True) == []
    assert eventually(lambda: line not in bus.metrics())


def test_ending_it_is_looking_at_it(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    number = a_dead_letter(uji, puller)["number"]
    uji.post(f"/v1/dead-letters/{number}/discard", json={"reason": "uji coba"})
    assert dead(uji, puller.name, unseen=True) == []


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")
