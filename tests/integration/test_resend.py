"""Correcting a dead letter: a new event, linked to the old one, stored once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gateway.journal import sequence_text
from tests.builders import FREE
from tests.bus import Actor, Bus, MakeBus
from tests.dead_letters import a_dead_letter, dead, locked
from tests.pull_receiver import Puller, ids, tokens
from tests.waiting import eventually


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def lost(publisher: Actor, receiver: Puller, **event: Any) -> dict[str, Any]:
    """An event of one organisation that another one's subscription rejects."""
    sent = publisher.published(**event)
    receiver.call("reject", tokens=tokens(receiver.receive(1)), reason="tidak dikenal")
    answer = publisher.get("/v1/dead-letters", params={"event": sent})
    return dict(answer.json()["items"][0])


def resend(actor: Actor, number: int, data: Any = None, **body: Any) -> httpx.Response:
    given = {"data": {"n": 2} if data is None else data, **body}
    return actor.post(f"/v1/dead-letters/{number}/resend", json=given)


def position(found: dict[str, Any]) -> tuple[int, int]:
    return found["shard"], found["sequence"]


def test_a_corrected_event_reaches_everybody_and_names_the_old_one(bus: Bus, uji: Actor) -> None:
    lain = bus.actor("lain")
    receiver, other = Puller(lain, FREE), Puller(uji, FREE)
    dead_letter = lost(uji, receiver, extra="tetap", time="2026-05-01T08:00:00.123456789Z")
    other.acknowledge(other.receive(1))
    assert (dead_letter["organisation"], dead_letter["publisher"]) == ("lain", "uji")
    raw = b'{"data": {"jumlah": 1.10, "nik": 12345678901234567890123}, "attributes": '
    path = f"/v1/dead-letters/{dead_letter['number']}/resend"
    json = {"content-type": "application/json"}
    answer = uji.post(path, content=raw + b'{"subject": "baru"}}', headers=json)
    assert answer.status_code == 201, answer.text
    receipt = answer.json()
    for puller in (receiver, other):
        (got,) = puller.receive(1)
        event = got["event"]
        assert event["id"] == receipt["id"] != dead_letter["event_id"]
        assert (event["source"], event["subject"], event["extra"]) == ("/uji", "baru", "tetap")
        assert (event["causationid"], event["corrects"]) == (
            dead_letter["event_id"],
            sequence_text(*position(dead_letter)),
        )
    stored = uji.get(answer.headers["location"])
    assert '"data":{"jumlah": 1.10, "nik": 12345678901234567890123}' in stored.text
    shown = lain.get(f"/v1/dead-letters/{dead_letter['number']}").json()
    assert (shown["state"], shown["changed_by"]) == ("resent", uji.id)
    assert position(shown["resent_position"]) == position(receipt)
    ledger = uji.get(
        f"/v1/events/{dead_letter['shard']}/{dead_letter['sequence']}/deliveries"
    ).json()
    stages = {each["subscription"]: each for each in ledger["items"]}
    assert stages[receiver.name]["stage"] == "resent"
    assert stages[receiver.name]["at"] is not None


def test_the_same_correction_is_stored_once_and_another_one_is_refused(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    number = a_dead_letter(uji, puller)["number"]
    first, again = resend(uji, number), resend(uji, number, {"n": 2.0})
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["duplicate"], again.json()["duplicate"]) == (False, True)
    assert position(first.json()) == position(again.json())
    other = resend(uji, number, {"n": 3})
    assert other.status_code == 409
    assert "already corrected" in other.json()["detail"]
    for action, body in (("redrive", None), ("discard", {"reason": "x"})):
        answer = uji.post(f"/v1/dead-letters/{number}/{action}", json=body)
        assert answer.json() == {"changed": False}
    assert ids(puller.receive(10)) == [first.json()["id"]]
    assert puller.receive(10, wait=0.3) == []


def test_only_what_is_dead_is_corrected(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    number = a_dead_letter(uji, puller)["number"]
    uji.post(f"/v1/dead-letters/{number}/redrive")
    refused = resend(uji, number)
    assert refused.status_code == 409
    assert "redriven" in refused.json()["detail"]
    assert len(puller.receive(10)) == 1


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"data": [1]}, 422, "contract"),
        ({}, 422, "changes nothing"),
        ({"data": {"n": 1}, "attributes": {"subject": "s1"}}, 422, "changes nothing"),
        ({"data": {"n": 1.0}}, 422, "changes nothing"),
        ({"attributes": {"id": "x"}}, 400, "cannot change"),
        ({"attributes": {"causationid": "x"}}, 400, "gateway sets"),
        ({"attributes": {"sequence": "x"}}, 400, "gateway sets"),
        ({"attributes": {"Salah!": "x"}}, 400, "Invalid attribute name"),
        ({"attributes": {"a": 1.5}}, 422, "attributes"),
        ({"lain": 1}, 422, "lain"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    uji: Actor, bad: dict[str, Any], body: dict[str, Any], status: int, says: str
) -> None:
    answer = uji.post(f"/v1/dead-letters/{bad['number']}/resend", json=body)
    assert (answer.status_code, says in answer.text) == (status, True), answer.text
    assert dead(uji, bad["subscription"])[0]["state"] == "dead"


@pytest.fixture(scope="module")
def bad(bus: Bus) -> dict[str, Any]:
    uji = bus.actor("uji")
    return a_dead_letter(uji, Puller(uji, FREE))


def test_a_refused_correction_is_kept_as_evidence(uji: Actor, bad: dict[str, Any]) -> None:
    resend(uji, bad["number"], [1])
    kept = uji.get("/v1/refusals", params={"reason": "contract-violation", "limit": 200}).json()
    assert any(each["type"] == FREE and each["client"] == uji.id for each in kept["items"])


def test_twice_the_same_name_is_no_correction(uji: Actor, bad: dict[str, Any]) -> None:
    path = f"/v1/dead-letters/{bad['number']}/resend"
    content = b'{"data": {"n": 5, "n": 6}}'
    answer = uji.post(path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text


def test_who_published_it_may_look_and_correct_but_not_decide(bus: Bus, uji: Actor) -> None:
    lain = bus.actor("lain")
    number = lost(uji, Puller(lain, FREE))["number"]
    path = f"/v1/dead-letters/{number}"
    assert uji.get(path).status_code == 200
    for action, body in (("redrive", None), ("discard", {"reason": "x"})):
        refused = uji.post(f"{path}/{action}", json=body)
        assert refused.status_code == 403
        assert "Only lain" in refused.json()["detail"]
    assert uji.post("/v1/redrives", json={"organisation": "lain"}).json()["total"] == 0
    auditor = bus.actor("uji", "auditor")
    assert auditor.get(path).status_code == 200
    assert resend(auditor, number).status_code == 403
    assert bus.actor("uji", "subscriber").get(path).status_code == 404
    assert bus.actor("nusabus", "publisher").get(path).status_code == 404
    assert resend(bus.actor("nusabus", "publisher"), number).status_code == 404
    assert lain.get(path).json()["state"] == "dead"


def test_a_refusal_says_what_to_do(bus: Bus, uji: Actor) -> None:
    subscriber, both = bus.actor("lain", "subscriber"), bus.actor("lain")
    number = lost(uji, Puller(both, FREE))["number"]
    refused = resend(subscriber, number)
    assert refused.status_code == 403
    assert "Ask the organisation that published" in refused.json()["detail"]
    refused = resend(both, number)
    assert refused.status_code == 403
    assert "ask its owner for a grant" in refused.json()["detail"]
    grant = bus.grant("lain", "publish", FREE)
    try:
        keeps = "A correction keeps the source of the event"
        assert eventually(lambda: keeps in resend(both, number).json()["detail"])
        assert resend(both, number).status_code == 403
    finally:
        bus.admin.delete(grant)
    assert resend(uji, number).status_code == 201


@pytest.mark.parametrize("contents", [1, 6])
def test_of_corrections_at_once_one_is_stored(uji: Actor, contents: int) -> None:
    puller = Puller(uji, FREE)
    number = a_dead_letter(uji, puller)["number"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: resend(uji, number, {"n": 10 + n % contents}), range(6)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == ([200] * 5 + [201] if contents == 1 else [201] + [409] * 5)
    assert len(puller.receive(10)) == 1


@pytest.fixture
def alone(make_bus: MakeBus) -> Iterator[Bus]:
    """An api that may be killed."""
    with make_bus() as bus:
        yield bus.run("api")


def test_killed_between_the_two_writes_a_repeat_completes_it(alone: Bus) -> None:
    uji = alone.actor("uji")
    puller = Puller(uji, FREE)
    number = a_dead_letter(uji, puller)["number"]
    stored = "SELECT shard, sequence FROM journal_entries ORDER BY recorded"
    lock = "SELECT FROM dead_letters FOR UPDATE"
    with ThreadPoolExecutor(1) as pool, locked(alone.database_url, lock):
        calling = pool.submit(resend, uji, number)
        eventually(lambda: len(alone.query(stored)) == 2)
        alone.processes[0].kill()
        with pytest.raises(httpx.TransportError):
            calling.result(30)
    alone.run("api")
    assert uji.get(f"/v1/dead-letters/{number}").json()["state"] == "dead"
    assert resend(uji, number, {"n": 3}).status_code == 409
    assert uji.get(f"/v1/dead-letters/{number}").json()["state"] == "resent"
    again = resend(uji, number)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert [tuple(each) for each in alone.query(stored)][1:] == [position(again.json())]
    assert len(puller.receive(10)) == 1
