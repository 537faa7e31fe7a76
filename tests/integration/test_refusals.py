"""`/v1/refusals`: the evidence of what was not accepted, for those whom it concerns."""

import hashlib
import json
from typing import Any

import pytest

from tests.builders import CITIZEN, FOREIGN, FREE, NIK, a_citizen, a_document, an_id
from tests.bus import Actor, Bus


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def refusals(by: Actor, query: str = "") -> list[dict[str, Any]]:
    """The newest refusals that a client is shown."""
    answer = by.get(f"/v1/refusals?limit=200{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_a_refusal_says_who_what_and_why_but_not_the_data(uji: Actor) -> None:
    event = a_document(type=CITIZEN, data=a_citizen(nik="12"))
    assert uji.publish(event).status_code == 422
    (found,) = [each for each in refusals(uji) if each["id"] == event["id"]]
    assert found["organisation"] == "uji"
    assert (found["client"], found["type"], found["source"]) == (uji.id, CITIZEN, "/uji")
    assert found["reason"] == "contract-violation"
    assert found["violations"][0]["pointer"] == "/nik"
    assert found["recordedtime"].endswith("Z")
    assert len(found["digest"]) == 64
    assert "SITI" not in json.dumps(found)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": FOREIGN}, "forbidden"),
        ({"data": []}, "contract-violation"),
        ({"id": 7.5}, "malformed"),
    ],
)
def test_every_kind_is_kept_once(bus: Bus, uji: Actor, change: Any, reason: str) -> None:
    body = json.dumps(a_document(subject=an_id(), **change)).encode()
    newest = refusals(uji)[:1]
    uji.publish(body)
    found = [each for each in refusals(uji) if not newest or each["number"] > newest[0]["number"]]
    assert [each["reason"] for each in found] == [reason]
    if reason == "malformed":
        assert found[0]["digest"] == hashlib.sha256(body).hexdigest()


def test_a_reused_id_is_a_refusal_and_a_repeat_is_none(uji: Actor) -> None:
    event = a_document()
    uji.publish(event)
    uji.publish(event)
    assert event["id"] not in json.dumps(refusals(uji))
    uji.publish({**event, "subject": "another"})
    (found,) = [each for each in refusals(uji) if each["id"] == event["id"]]
    assert found["reason"] == "identifier-reused"


def test_a_refused_batch_is_kept_event_by_event(uji: Actor) -> None:
    source = f"/uji/{an_id()}"
    batch = [a_document(source=source), a_document(source=source, data=[]), 5]
    for atomic in (False, True):
        uji.publish_batch(batch, atomic=atomic)
    kept = [each for each in refusals(uji) if each["source"] == source]
    assert [each["reason"] for each in kept] == ["contract-violation"] * 2


def test_an_organisation_sees_its_own_and_the_operator_all(bus: Bus, uji: Actor) -> None:
    mine, theirs = a_document(data=[]), a_document(type=FOREIGN, data=[])
    lain = bus.actor("lain")
    uji.publish(mine)
    lain.publish(theirs)

    def ids(by: Actor) -> set[str]:
        return {each["id"] for each in refusals(by)} & {mine["id"], theirs["id"]}

    def digests(by: Actor) -> set[str]:
        return {each["digest"] for each in refusals(by)}

    assert ids(uji) == {mine["id"]}
    assert ids(bus.actor("uji", "auditor")) == {mine["id"]}
    assert ids(lain) == {theirs["id"]}
    both = {refusals(by)[0]["digest"] for by in (uji, lain)}
    for overseer in (bus.admin, bus.actor("nusabus", "auditor")):
        assert both <= digests(overseer)
        assert ids(overseer) == set()
    ours = bus.actor("uji", "admin")
    assert (digests(uji), ids(ours)) == (digests(ours), set())
    assert bus.actor("uji", "subscriber").get("/v1/refusals").status_code == 403
    assert bus.http.get("/v1/refusals").status_code == 401


def test_who_is_not_known_leaves_no_trace(bus: Bus) -> None:
    (before,) = bus.query("SELECT count(*) FROM refusals")
    bus.http.post("/v1/events", content=json.dumps(a_document()))
    bus.http.post("/v1/events", headers={"authorization": "Bearer x"})
    assert bus.query("SELECT count(*) FROM refusals") == [before]


def test_refusals_are_chosen_and_come_in_pieces(uji: Actor) -> None:
    for _ in range(5):
        uji.publish(a_document(type=CITIZEN))
    for query in (f"&type={CITIZEN}", "&reason=contract-violation"):
        assert len(refusals(uji, query)) >= 5
    assert {each["type"] for each in refusals(uji, f"&type={CITIZEN}")} == {CITIZEN}
    assert refusals(uji, f"&type={FREE}&reason=nothing") == []
    cursor, numbers = "", []
    while cursor is not None:
        after = f"&cursor={cursor}" if cursor else ""
        piece = uji.get(f"/v1/refusals?limit=2&type={CITIZEN}{after}").json()
        numbers += [each["number"] for each in piece["items"]]
        cursor = piece["next"]
    assert numbers == sorted(set(numbers), reverse=True)
    assert len(numbers) == len(refusals(uji, f"&type={CITIZEN}"))


@pytest.mark.parametrize("query", ["cursor=%00", "cursor=eHg", "limit=0", "limit=201", "limit=x"])
def test_a_bad_piece_is_refused(uji: Actor, query: str) -> None:
    answer = uji.get(f"/v1/refusals?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_national_ids_in_attributes_are_masked(bus: Bus, uji: Actor) -> None:
    event = a_document(type=f"id.go.uji.bebas.{NIK}.v1")
    answers = [
        uji.publish(event),
        uji.publish(a_document(data={"x": 1}, time=NIK)),
        uji.publish(a_document(**{f"a{NIK}": 1.5})),
    ]
    for answer in answers:
        assert answer.status_code in (400, 403)
        assert NIK not in answer.text
    assert NIK not in bus.logs()
