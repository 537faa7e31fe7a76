"""What belongs to another organisation does not exist: every route that names one thing of it.

The routes come from the table that is held to the OpenAPI document, so a new one is asked as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.builders import CITIZEN, FREE, QUESTIONS, a_citizen, a_document, a_question, a_reply
from tests.bus import Actor, Bus
from tests.integration.access import ACCESS, EVERY
from tests.problems import problem_of
from tests.pull_receiver import Puller, tokens
from tests.waiting import eventually

PREFIXES = ("/v1/subscriptions/{", "/v1/dead-letters/{", "/v1/redrives/{", "/v1/requests/{")
CITIZENS = "/v1/events/{shard}/{sequence}"
OWN = "PUT /v1/subscriptions/{name}"  # makes one's own: names are those of an organisation
ROUTES = [
    route
    for route in ACCESS
    if route != OWN and route.partition(" ")[2].startswith((*PREFIXES, CITIZENS))
]


@dataclass
class Estate:
    """What an organisation has, each under the name that its path has in the document."""

    puller: Puller
    token: str
    dead_letter: str
    redrive: str
    question: Mapping[str, Any]
    request: str
    place: tuple[str, str]

    def path(self, route: str) -> str:
        """The path of a route to what is here."""
        path = route.partition(" ")[2]
        id_ = self.redrive if path.startswith("/v1/redrives/") else self.request
        values = {
            "name": self.puller.name,
            "number": self.dead_letter,
            "id": id_,
            "shard": self.place[0],
            "sequence": self.place[1],
        }
        return path.format_map(values)

    def body(self, route: str) -> Any:
        """What the route wants to have."""
        word = route.rpartition("/")[2]
        if word in ("acknowledge", "release", "reject", "renew"):
            return {"tokens": [self.token]}
        others = {
            "seek": {"to": "now"},
            "discard": {"reason": "bukan milik saya"},
            "acknowledged": {"sequences": ["00-0000000000000001"]},
            "resend": {"data": {}},
        }
        return others.get(word, {})


@pytest.fixture(scope="module")
def estate(bus: Bus) -> Iterator[Estate]:
    """Of `uji`: an event in hands, a dead letter, a redrive that found nothing, a request."""
    uji, puller = bus.actor("uji"), Puller(bus.actor("uji"), FREE, terms={"lock_seconds": 600})
    uji.published()
    puller.call("reject", tokens=tokens(puller.receive(1)))
    dead_letters = uji.get("/v1/dead-letters", params={"subscription": puller.name}).json()["items"]
    uji.published()
    (held,) = puller.receive(1)
    found = uji.post("/v1/redrives", json={"subscription": puller.name, "type": "tidak.ada"})
    responder, question = Puller(uji, QUESTIONS[4]), a_question(QUESTIONS[4], source="/uji")
    asked = uji.ask(question)
    receipt = uji.publish(a_document(type=CITIZEN, data=a_citizen())).raise_for_status().json()
    yield Estate(
        puller,
        held["token"],
        str(dead_letters[-1]["number"]),
        found.raise_for_status().json()["id"],
        question,
        asked.headers["location"].rpartition("/")[2],
        (str(receipt["shard"]), str(receipt["sequence"])),
    )
    for each in (puller, responder):
        uji.delete(f"/v1/subscriptions/{each.name}").raise_for_status()


@pytest.fixture(scope="module")
def stranger(bus: Bus) -> Actor:
    """Another organisation, with every role."""
    return bus.actor("lain", *EVERY)


def test_nothing_of_another_organisation_is_found(estate: Estate, stranger: Actor) -> None:
    assert len(ROUTES) > 20
    for route in ROUTES:
        method, path = route.partition(" ")[0], estate.path(route)
        if route.endswith("/reply"):
            answer = stranger.answer(estate.request, a_reply(estate.question))
        else:
            body = estate.body(route) if method == "POST" else None
            answer = stranger.call(method, path, json=body)
        problem_of(answer, 404, "not-found")


def test_and_nothing_of_it_has_changed(bus: Bus, estate: Estate, stranger: Actor) -> None:
    test_nothing_of_another_organisation_is_found(estate, stranger)
    uji = bus.actor("uji")
    shown = uji.get(f"/v1/subscriptions/{estate.puller.name}").json()
    assert (shown["state"], shown["paused"]) == ("active", False)
    assert uji.get(f"/v1/dead-letters/{estate.dead_letter}").json()["state"] == "dead"
    assert uji.get(f"/v1/requests/{estate.request}").json()["state"] == "waiting"
    eventually(lambda: uji.get(f"/v1/redrives/{estate.redrive}").json()["state"] == "finished")
    assert estate.puller.call("renew", tokens=[estate.token])["results"] == ["settled"]


def test_organisations_may_use_the_same_name(bus: Bus, estate: Estate, stranger: Actor) -> None:
    name = estate.puller.name
    assert stranger.put_subscription(name, FREE, delivery="pull").status_code == 201
    path = f"/v1/subscriptions/{name}"
    again = stranger.post(f"{path}/acknowledge", json={"tokens": [estate.token]})
    assert again.json()["results"] == ["gone"]
    assert stranger.delete(path).status_code == 200
    assert estate.puller.call("renew", tokens=[estate.token])["results"] == ["settled"]


def test_a_replayed_acknowledgement_settles_nothing(bus: Bus) -> None:
    puller = Puller(bus.actor("uji"), FREE)
    bus.actor("uji").published()
    got = puller.receive(1)
    assert puller.acknowledge(got) == ["settled"]
    for what in ("acknowledge", "release", "reject", "renew"):
        assert puller.call(what, tokens=tokens(got))["results"] == ["gone"]
    assert puller.receive(1, wait=0) == []
    bus.actor("uji").delete(f"/v1/subscriptions/{puller.name}").raise_for_status()
