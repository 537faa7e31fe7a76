"""The ledger: every way in which a delivery ends, with its time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.builders import FREE, QUESTIONS, a_document, a_question
from tests.bus import Actor, Bus
from tests.clocks import aged
from tests.pull_receiver import Puller, ids, tokens


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def stages(actor: Actor, receipt: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """By subscription the stage of an event, and whether its time is told."""
    path = f"/v1/events/{receipt['shard']}/{receipt['sequence']}/deliveries"
    items = actor.get(path).raise_for_status().json()["items"]
    return {each["subscription"]: (each["stage"], each["at"] is not None) for each in items}


def rejected(actor: Actor, puller: Puller) -> tuple[dict[str, Any], str]:
    """An event that became a dead letter, and the path of that."""
    receipt = actor.publish(a_document()).json()
    puller.call("reject", tokens=tokens(puller.receive()))
    assert stages(actor, receipt)[puller.name] == ("dead", True)
    (dead_letter,) = actor.get(
        "/v1/dead-letters", params={"subscription": puller.name, "state": "dead"}
    ).json()["items"]
    return receipt, f"/v1/dead-letters/{dead_letter['number']}"


def test_a_dead_letter_that_is_sent_again_ends_as_acknowledged(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    receipt, dead_letter = rejected(uji, puller)
    uji.post(f"{dead_letter}/redrive").raise_for_status()
    assert stages(uji, receipt)[puller.name] == ("open", True)
    puller.acknowledge(puller.receive())
    assert stages(uji, receipt)[puller.name] == ("acknowledged", True)


def test_a_dead_letter_that_is_discarded(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    receipt, dead_letter = rejected(uji, puller)
    uji.post(f"{dead_letter}/discard", json={"reason": "uji coba"}).raise_for_status()
    assert stages(uji, receipt)[puller.name] == ("discarded", True)


def test_what_somebody_sought_past_is_not_called_acknowledged(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    first, second, third = (uji.publish(a_document()).json() for _ in range(3))
    held = puller.receive(2)
    taken = [each for each in held if each["event"]["id"] == held[0]["event"]["id"]]
    puller.acknowledge(taken)
    puller.call("seek", to="now")
    found = {each["id"]: stages(uji, each)[puller.name] for each in (first, second, third)}
    assert found.pop(taken[0]["event"]["id"]) == ("acknowledged", True)
    assert set(found.values()) == {("skipped", True)}
    puller.call("seek", to="beginning")
    assert stages(uji, third)[puller.name] == ("waiting", False)


def test_a_pattern_of_types_is_not_said_to_wait_for_requests(uji: Actor) -> None:
    everything, responder = Puller(uji, "id.go.uji.*"), Puller(uji, QUESTIONS[3])
    asked = uji.ask(a_question(QUESTIONS[3], source="/uji")).json()["request"]
    found = stages(uji, asked)
    assert found[responder.name] == ("waiting", False)
    assert everything.name not in found
    uji.delete(f"/v1/subscriptions/{responder.name}").raise_for_status()


def test_a_request_whose_deadline_passed_is_not_called_acknowledged(bus: Bus, uji: Actor) -> None:
    responder = Puller(uji, QUESTIONS[3])
    late = (datetime.now(UTC) + timedelta(seconds=6)).isoformat()
    question = a_question(QUESTIONS[3], source="/uji", expirytime=late)
    asked = uji.ask(question).json()["request"]
    aged(bus, asked, 6.2)
    assert question["id"] not in ids(responder.receive(wait=0))
    assert stages(uji, asked)[responder.name] == ("expired", True)
    uji.delete(f"/v1/subscriptions/{responder.name}").raise_for_status()
