"""Who may say what: an event has a source of the organisation that publishes it, or is refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders import (
    FOREIGN,
    FREE,
    a_document,
    a_name,
    a_question,
    a_reply,
    an_id,
    question_type,
)
from tests.bus import Actor, Bus
from tests.problems import problem_of
from tests.waiting import eventually

ASKED = question_type("sumber"), question_type("asal")
DAPODIK = "https://dapodik.uji.go.id/"


@pytest.fixture(scope="module")
def uji(bus: Bus) -> Actor:
    """Whose sources others would like to have."""
    return bus.actor("uji")


@pytest.fixture(scope="module")
def lain(bus: Bus) -> Iterator[Actor]:
    """A stranger that may publish types of its own, and by grants some of uji."""
    grants = [bus.grant("lain", "publish", type_) for type_ in (FREE, *ASKED)]
    yield bus.actor("lain")
    for grant in grants:
        bus.admin.delete(grant).raise_for_status()


@pytest.mark.parametrize(
    "source",
    [
        "/uji", "/uji/x", "/uji?x", "/uji/", "/%75ji/x", "/%75%6A%69/x", "/lain/../uji/x",
        "/lain/%2e%2E/uji", "/./uji", "//uji/x", "//lain/x", "//lain", "///lain/x", "/.//lain/x",
        "/lainnya", "/lain;x", "/lain%2Fx", "/Lain/x", "/LAIN", "lain", "lain/x", "./lain",
        "../lain/x", "?/lain", "#/lain", "lain:x", "urn:lain:x", "file:/lain/x", "https://lain/x",
        "/nusabus", "/nusabus/non-delivery", "/%6eusabus/x", "/lain/../nusabus/x", "/", "/..",
    ],
)  # fmt: skip
def test_a_source_of_somebody_else_is_refused(lain: Actor, source: str) -> None:
    for type_ in (FOREIGN, FREE):
        problem = problem_of(lain.publish(a_document(type=type_, source=source)), 403, "forbidden")
        assert problem["pointer"] == "/source"
        assert "Use a source under /lain" in problem["detail"]


@pytest.mark.parametrize(
    "source",
    ["/lain", "/lain/", "/lain/x", "/lain//x", "/lain?a=/uji", "/lain/x#y", "/lain/%2Fuji/%C3%A9"],
)
def test_an_own_source_is_accepted(lain: Actor, source: str) -> None:
    assert lain.publish(a_document(type=FOREIGN, source=source)).status_code == 202


@pytest.mark.parametrize(
    "source",
    [
        "/%6cain/x", "/lain/%78", "/lain/./x", "/lain/x/..", "/lain/%c3%a9", "/uji/../lain/x",
        "/nusabus/%2e%2e/lain", "/../lain",
    ],
)  # fmt: skip
def test_an_own_source_has_one_spelling(lain: Actor, source: str) -> None:
    """A receiver that filters by `/uji/` must not get what somebody else spelt so."""
    problem = problem_of(lain.publish(a_document(type=FOREIGN, source=source)), 400, "malformed")
    assert problem["pointer"] == "/source"
    assert "normal form" in problem["detail"]


def test_an_id_of_a_confidential_event_is_no_secret_that_a_stranger_finds(
    uji: Actor, lain: Actor
) -> None:
    known = a_document(source="/uji/rahasia")
    assert uji.publish(known).status_code == 202
    alone, together = [], []
    for probe in (known, {**known, "data": {"n": 2}}, {**known, "id": an_id()}):
        for type_ in (FREE, FOREIGN):
            single = lain.publish({**probe, "type": type_})
            batch = lain.publish_batch([{**probe, "type": type_}])
            whole = lain.publish_batch([{**probe, "type": type_}], atomic=True)
            assert (single.status_code, batch.status_code, whole.status_code) == (403, 207, 422)
            alone.append(single.content)
            together += [batch.json()["results"][0], whole.json()["results"][0]]
    assert alone == alone[:1] * 6
    assert together == together[:1] * 12


def test_ids_that_a_stranger_squats_stay_free(uji: Actor, lain: Actor) -> None:
    """1,000 ids taken in one call kept the owner's events out for ever."""
    mark = an_id()
    batch = [a_document(id=f"{mark}-{n}", source="/uji/x", type=FOREIGN) for n in range(1000)]
    assert lain.publish_batch(batch).json()["accepted"] == 0
    assert lain.publish_batch(batch, atomic=True).status_code == 422
    own = [{**each, "type": FREE, "data": {"n": 2}} for each in batch]
    assert uji.publish_batch(own).json()["accepted"] == 1000


def test_binary_mode_is_no_way_round(uji: Actor, lain: Actor) -> None:
    def publish(by: Actor, source: str) -> int:
        headers = {"ce-specversion": "1.0", "ce-id": an_id(), "ce-source": source}
        headers |= {"ce-type": FREE, "content-type": "application/json"}
        return by.post("/v1/events", content=b"{}", headers=headers).status_code

    for source in ("/uji/x", "%2Fuji%2Fx", '"/uji/x"', "%2F%2575ji"):
        assert publish(lain, source) == 403
    assert publish(uji, "%2Fuji%2Fx") == 202
    assert publish(lain, '"/lain/x"') == 202


def test_a_refusal_is_kept(lain: Actor) -> None:
    event = a_document(type=FOREIGN, source="/uji/x")
    lain.publish(event)
    kept = lain.get("/v1/refusals", params={"reason": "forbidden", "limit": 10}).json()["items"]
    assert kept[0]["id"] == event["id"]
    assert "Use a source under /lain" in kept[0]["detail"]


def test_a_request_has_a_source_of_its_requester(uji: Actor, lain: Actor) -> None:
    type_ = ASKED[0]
    assert uji.put_subscription(a_name(), type_, delivery="pull").status_code == 201
    for forged in (a_question(type_, source="/uji/x"), a_question(type_, source="/nusabus")):
        problem = problem_of(lain.ask(forged), 403, "forbidden")
        assert problem["pointer"] == "/source"
        assert lain.ask(forged, wait=1).status_code == 403


def test_a_reply_has_a_source_of_its_responder(bus: Bus, uji: Actor, lain: Actor) -> None:
    type_ = ASKED[1]
    assert uji.put_subscription(a_name(), type_, delivery="pull").status_code == 201
    id = lain.ask(question := a_question(type_)).headers["location"].rpartition("/")[2]
    for source in ("/lain/x", "/nusabus/x", "/%75ji", "urn:uji:x"):
        refused = uji.answer(id, a_reply(question, source=source))
        assert refused.status_code == (400 if source == "/%75ji" else 403)
        assert refused.json()["pointer"] == "/source"
    assert uji.answer(id, a_reply(question)).status_code == 201


def test_an_assigned_prefix_is_in_force_at_once(bus: Bus, uji: Actor, lain: Actor) -> None:
    def status(by: Actor, type_: str = FREE) -> int:
        return by.publish(a_document(source=DAPODIK + "sekolah", type=type_)).status_code

    def assign(organisation: str, prefix: str) -> Any:
        path = f"/v1/organisations/{organisation}/sources"
        return bus.admin.post(path, json={"prefix": prefix})

    assert (status(uji), status(lain)) == (403, 403)
    made = assign("uji", DAPODIK)
    assert made.status_code == 201
    assert (status(uji), status(lain)) == (202, 403)
    assert problem_of(assign("lain", DAPODIK + "sekolah/1"), 409, "conflict")
    assert bus.admin.delete(made.headers["location"]).status_code == 204
    assert eventually(lambda: status(uji) == 403)
    moved = assign("lain", DAPODIK)
    assert (status(uji), status(lain, FOREIGN)) == (403, 202)
    assert bus.admin.delete(moved.headers["location"]).status_code == 204


def test_the_operators_clients_do_not_speak_for_the_gateway(bus: Bus) -> None:
    grant = bus.grant("nusabus", "publish", FREE)
    operator = bus.actor("nusabus", "publisher", "admin")
    eventually(lambda: "pointer" in operator.publish(a_document(source="/nusabus/x")).json())
    for source in ("/nusabus/non-delivery", "/nusabus/subscriptions/uji/x", "/nusabus", "/uji"):
        answer = operator.publish(json.dumps(a_document(source=source)).encode())
        assert problem_of(answer, 403, "forbidden")["pointer"] == "/source"
    bus.admin.delete(grant).raise_for_status()
