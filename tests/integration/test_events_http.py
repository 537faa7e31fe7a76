"""`GET /v1/events`: an entry by its place or its identity, for whom it concerns."""

from typing import Any

import httpx
import pytest

from tests.builders import CITIZEN, FOREIGN, FREE, a_citizen, a_document, an_id
from tests.bus import Actor, Bus
from tests.waiting import eventually


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def published(by: Actor, event: dict[str, Any]) -> str:
    """Publish; where to look it up."""
    answer = by.publish(event)
    assert answer.status_code == 202, answer.text
    place: str = answer.headers["location"]
    return place


def test_an_entry_is_found_by_place_and_by_identity(uji: Actor) -> None:
    event = a_document(source="/uji/%C3%A9?x=1", partitionkey="p", comext=7, data={"a": [1, {}]})
    place = published(uji, event)
    found = uji.get(place)
    assert found.headers["content-type"] == "application/json"
    same = uji.get("/v1/events", params={"source": event["source"], "id": event["id"]})
    shown = same.json()
    assert {**found.json(), "state": ""} == {**shown, "state": ""}
    assert place == f"/v1/events/{shown['shard']}/{shown['sequence']}"
    carried = shown["event"]
    assert carried["sequence"] == f"{shown['shard']:02}-{shown['sequence']:016}"
    assert carried["recordedtime"] == shown["recordedtime"]
    assert carried["dataclassification"] == "public"
    assert carried.items() >= event.items()
    assert (shown["client"], shown["contract_version"]) == (uji.id, 1)


def test_an_entry_is_relayed_soon_even_if_nobody_wants_it(uji: Actor) -> None:
    place = published(uji, a_document())
    eventually(lambda: uji.get(place).json()["state"] == "relayed")


def test_data_come_back_byte_for_byte(uji: Actor) -> None:
    data = b'{ "b" : 1.0,\n"a":12345678901234567890 }'
    text = f'{{"specversion":"1.0","id":"{an_id()}","source":"/uji","type":"{FREE}","data":'
    place = uji.publish(text.encode() + data + b"}").headers["location"]
    assert uji.get(place).content.endswith(b'"data":' + data + b"}}")


def test_who_sees_what(bus: Bus, uji: Actor) -> None:
    secret = published(uji, a_document(type=CITIZEN, data=a_citizen()))
    public = published(uji, a_document())
    foreign = published(bus.actor("lain"), a_document(type=FOREIGN, source="/lain"))

    def seen(by: Actor, place: str) -> str:
        answer = by.get(place)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return "nothing"
        return "all" if "data" in answer.json()["event"] else "that it was"

    views = {
        (name, roles): [
            seen(bus.actor(name, *roles.split()), place) for place in (secret, public, foreign)
        ]
        for name, roles in [
            ("uji", "publisher"),
            ("uji", "subscriber"),
            ("uji", "auditor"),
            ("uji", "admin"),
            ("lain", "publisher"),
            ("lain", "subscriber"),
            ("nusabus", "auditor"),
            ("nusabus", "admin"),
        ]
    }
    assert views == {
        ("uji", "publisher"): ["all", "all", "nothing"],
        ("uji", "subscriber"): ["all", "all", "nothing"],
        ("uji", "auditor"): ["all", "all", "nothing"],
        ("uji", "admin"): ["nothing", "nothing", "nothing"],
        ("lain", "publisher"): ["nothing", "nothing", "all"],
        ("lain", "subscriber"): ["nothing", "all", "all"],
        ("nusabus", "auditor"): ["that it was", "that it was", "that it was"],
        ("nusabus", "admin"): ["nothing", "nothing", "nothing"],
    }


def test_what_may_not_be_seen_looks_like_what_is_not(bus: Bus, uji: Actor) -> None:
    foreign = a_document(type=FOREIGN, source="/lain")
    place = published(bus.actor("lain"), foreign)
    hidden = [
        uji.get(place),
        uji.get("/v1/events", params={"source": "/lain", "id": foreign["id"]}),
    ]
    missing = [
        uji.get("/v1/events/0/9000000000000"),
        uji.get("/v1/events/60/1"),
        uji.get("/v1/events", params={"source": "/nowhere", "id": "none"}),
    ]
    assert {each.status_code for each in hidden + missing} == {404}
    assert len({each.content for each in hidden + missing}) == 1
    assert bus.http.get(place).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/0/0", "/-1/1", "/64/1", "/x/1", "/0/9223372036854775808", "?source=/uji", "?id=1", ""],
)
def test_an_invalid_last_event_id(uji: Actor, path: str) -> None:
    answer = uji.get(f"/v1/events{path}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_odd_identities_are_just_not_found(uji: Actor) -> None:
    for odd in ("\x00", "\n", "'; --", "é"):
        answer = uji.get("/v1/events", params={"source": odd, "id": odd})
        assert answer.status_code == 404
