"""Dead letters on a running bus: from a queue and from pull, inspected, sent again, discarded."""

import uuid

import pytest

from gateway.broker.topology import DELIVERY_LIMIT
from tests.builders import CITIZEN, FREE, NIK, a_document, a_name
from tests.bus import Actor, Bus
from tests.dead_letters import a_dead_letter, dead, reject
from tests.pull_receiver import Puller, ids, tokens
from tests.servers import forge
from tests.waiting import eventually


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def test_what_comes_back_too_often_has_all_its_attempts(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    uji.published()
    reject(subscribed, returns=DELIVERY_LIMIT + 1)
    (dead_letter,) = eventually(lambda: dead(uji, subscribed.name))
    assert (dead_letter["failure"], dead_letter["attempts"]) == ("returned", 21)


def test_what_an_amqp_subscriber_rejects_is_kept_and_sent_again(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    sent = uji.published(subject="31.74")
    reject(subscribed)
    (dead_letter,) = eventually(lambda: dead(uji, subscribed.name))
    assert (dead_letter["failure"], dead_letter["attempts"], dead_letter["state"]) == (
        "rejected",
        1,
        "dead",
    )
    assert (dead_letter["event_id"], dead_letter["publisher"]) == (sent, "uji")
    inspected = uji.get(f"/v1/dead-letters/{dead_letter['number']}").json()
    assert inspected["event"]["id"] == sent
    assert [each["failure"] for each in inspected["history"]] == ["rejected"]
    path = f"/v1/dead-letters/{dead_letter['number']}/redrive"
    assert uji.post(path).json() == {"changed": True}
    assert uji.post(path).json() == {"changed": False}
    (message,) = subscribed.take(1)
    assert message.document["id"] == sent
    assert dead(uji, subscribed.name, state="redriven")[0]["number"] == dead_letter["number"]


def test_what_dies_again_is_a_new_dead_letter(uji: Actor) -> None:
    subscribed = uji.subscribe(FREE)
    uji.published()
    reject(subscribed)
    (first,) = eventually(lambda: dead(uji, subscribed.name))
    uji.post(f"/v1/dead-letters/{first['number']}/redrive")
    reject(subscribed)
    (second,) = eventually(lambda: dead(uji, subscribed.name, state="dead"))
    assert second["number"] > first["number"]


def test_the_trace_and_the_event_lead_to_it(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    trace = uuid.uuid4().hex
    parent = f"00-{trace}-00f067aa0ba902b7-01"
    time = "2026-05-01T08:00:00.123456789Z"
    dead_letter = a_dead_letter(uji, puller, traceparent=parent, time=time, data={"n": 1.10})
    a_dead_letter(uji, puller)
    shown = uji.get(f"/v1/dead-letters/{dead_letter['number']}")
    assert (shown.json()["event"]["traceparent"], shown.json()["event"]["time"]) == (parent, time)
    assert '"data":{"n":1.1}' in shown.text
    assert (dead_letter["trace"], dead_letter["publisher"], dead_letter["source"]) == (
        trace,
        "uji",
        "/uji",
    )
    for query in (
        {"trace": trace},
        {"event": dead_letter["event_id"]},
        {"event": dead_letter["event_id"], "source": "/uji", "organisation": "uji"},
    ):
        assert [each["number"] for each in dead(uji, puller.name, **query)] == [
            dead_letter["number"]
        ]
    assert dead(uji, puller.name, organisation="lain") == []
    assert uji.get("/v1/dead-letters", params={"trace": "x"}).status_code == 422


def test_a_lost_right_keeps_it_dead(bus: Bus, uji: Actor) -> None:
    lain = bus.actor("lain")
    grant = bus.grant("lain", "subscribe", CITIZEN)
    name = a_name()
    eventually(lambda: lain.put_subscription(name, CITIZEN, delivery="pull").status_code == 201)
    puller = Puller(lain, CITIZEN, name=name)
    uji.published(type=CITIZEN, data={"nik": "3" * 16, "nama": "Siti"})
    puller.call("reject", tokens=tokens(puller.receive()))
    number = dead(lain, puller.name)[0]["number"]
    bus.admin.delete(grant)
    path = f"/v1/dead-letters/{number}/redrive"
    eventually(lambda: "withdrawn" in lain.post(path).json().get("detail", ""))
    assert dead(lain, puller.name)[0]["state"] == "dead"


def test_an_operators_auditor_looks_but_does_not_decide(bus: Bus, uji: Actor) -> None:
    number = a_dead_letter(uji, Puller(uji, FREE))["number"]
    both = bus.actor("nusabus", "auditor", "subscriber")
    assert both.get(f"/v1/dead-letters/{number}").status_code == 200
    body = {"reason": "x"}
    assert both.post(f"/v1/dead-letters/{number}/discard", json=body).status_code == 403
    assert both.post("/v1/redrives", json={}).json()["total"] == 0
    theirs = uji.post("/v1/redrives", json={"type": "id.go.tidak.ada.sama.v1"}).json()["id"]
    assert both.get(f"/v1/redrives/{theirs}").status_code == 200
    assert both.post(f"/v1/redrives/{theirs}/cancel").status_code == 403


def test_personal_data_are_masked(bus: Bus, uji: Actor) -> None:
    puller = Puller(uji, CITIZEN)
    dead_letter = a_dead_letter(
        uji,
        puller,
        f"{'3' * 16} tidak dikenal",
        type=CITIZEN,
        subject="3" * 16,
        data={"nik": "3" * 16, "nama": "Siti"},
    )
    shown = uji.get(f"/v1/dead-letters/{dead_letter['number']}")
    assert shown.json()["detail"] == shown.json()["history"][0]["detail"] == "… tidak dikenal"
    assert shown.json()["data"] == {"nik": "…", "nama": "…"}
    assert "3" * 16 not in shown.text
    assert "3" * 16 not in bus.logs()


def test_discarding_needs_a_reason_and_ends_it(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    number = a_dead_letter(uji, puller)["number"]
    path = f"/v1/dead-letters/{number}/discard"
    assert uji.post(path, json={}).status_code == 422
    assert uji.post(path, json={"reason": f"uji {NIK}"}).json() == {"changed": True}
    shown = uji.get(f"/v1/dead-letters/{number}").json()
    assert (shown["state"], shown["note"]) == ("discarded", "uji …")
    assert shown["changed_by"]
    assert uji.post(f"/v1/dead-letters/{number}/redrive").json() == {"changed": False}
    assert puller.receive(wait=0.5) == []


def test_many_are_sent_again_with_progress(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    sent = [uji.published() for _ in range(30)]
    puller.call("reject", tokens=tokens(puller.receive()), reason="rusak")
    other = Puller(uji, FREE)
    a_dead_letter(uji, other)
    body = {"subscription": puller.name, "failure": "rejected", "rate": 100}
    started = uji.post("/v1/redrives", json=body)
    assert started.status_code == 202
    redrive = started.json()
    assert redrive["total"] == 30
    path = f"/v1/redrives/{redrive['id']}"
    shown = eventually(lambda: (s := uji.get(path).json())["state"] == "finished" and s)
    assert (shown["sent"], shown["failed"]) == (30, 0)
    assert set(ids(puller.receive())) >= set(sent)
    assert uji.post(f"{path}/cancel").status_code == 409
    assert other.receive(wait=0.3) == []


def test_what_has_no_subscription_any_more_stays_dead(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    number = a_dead_letter(uji, puller)["number"]
    uji.delete(f"/v1/subscriptions/{puller.name}")
    assert uji.post(f"/v1/dead-letters/{number}/redrive").status_code == 409
    redrive = uji.post("/v1/redrives", json={"subscription": puller.name}).json()
    path = f"/v1/redrives/{redrive['id']}"
    shown = eventually(lambda: (s := uji.get(path).json())["state"] == "finished" and s)
    assert (shown["sent"], shown["failed"]) == (0, 1)
    assert "ended" in shown["last_error"]
    uji.post(f"/v1/dead-letters/{number}/discard", json={"reason": "berakhir"})


@pytest.mark.parametrize("delivery", ["amqp", "pull"])
def test_a_redrive_ends_where_the_journal_has_none_of_its_events(
    bus: Bus, uji: Actor, delivery: str
) -> None:
    if delivery == "pull":
        puller = Puller(uji, FREE)
        name, dead_letter = puller.name, a_dead_letter(uji, puller)
    else:
        subscribed = uji.subscribe(FREE)
        uji.published()
        reject(subscribed)
        name, (dead_letter,) = subscribed.name, eventually(lambda: dead(uji, subscribed.name))
    position = dead_letter["shard"], dead_letter["sequence"]
    delete = "DELETE FROM journal_rows WHERE shard = $1 AND sequence = $2"
    forge(bus.database_url, delete, *position)
    path = f"/v1/dead-letters/{dead_letter['number']}/redrive"
    assert uji.post(path).status_code == 410
    redrive = uji.post("/v1/redrives", json={"subscription": name}).json()
    path = f"/v1/redrives/{redrive['id']}"
    shown = eventually(lambda: (s := uji.get(path).json())["state"] == "finished" and s)
    assert (shown["sent"], shown["failed"]) == (0, 1)
    assert dead(uji, name)[0]["state"] == "dead"


def test_dead_letters_are_ones_own(bus: Bus, uji: Actor) -> None:
    puller = Puller(uji, FREE)
    number = a_dead_letter(uji, puller)["number"]
    lain = bus.actor("lain")
    assert dead(lain, puller.name) == []
    for method, path, body in (
        ("GET", f"/v1/dead-letters/{number}", None),
        ("POST", f"/v1/dead-letters/{number}/redrive", None),
        ("POST", f"/v1/dead-letters/{number}/discard", {"reason": "x"}),
    ):
        assert lain.call(method, path, json=body).status_code == 404
    operator = bus.admin.get("/v1/dead-letters", params={"subscription": puller.name})
    assert [item["number"] for item in operator.json()["items"]] == [number]


def test_the_ledger_says_where_an_event_stands(bus: Bus, uji: Actor) -> None:
    subscribed, puller = uji.subscribe(FREE), Puller(uji, FREE)
    filtered = Puller(uji, FREE, terms={"filters": [{"exact": {"subject": "lain"}}]})
    receipt = uji.publish(a_document()).json()
    path = f"/v1/events/{receipt['shard']}/{receipt['sequence']}/deliveries"

    def stages(actor: Actor = uji) -> dict[str, str]:
        items = actor.get(path).json()["items"]
        return {item["subscription"]: item["stage"] for item in items}

    assert stages()[puller.name] == "waiting"
    assert eventually(lambda: stages()[subscribed.name] == "queued")
    held = puller.receive()
    assert stages()[puller.name] == "in-hands"
    puller.call("release", tokens=tokens(held), delay=60)
    assert stages()[puller.name] == "open"
    filtered.receive(wait=0)
    assert stages()[filtered.name] == "filtered"
    lag = uji.get(f"/v1/subscriptions/{puller.name}/lag")
    assert lag.json()["events"] >= 1, lag.text
    subscribed.take(1)
    assert eventually(lambda: stages()[subscribed.name] == "drained")
    assert not {puller.name, subscribed.name} & set(stages(bus.actor("lain")))


def test_the_ledger_tells_the_endings(uji: Actor) -> None:
    puller = Puller(uji, FREE)
    receipts = [uji.publish(a_document()).json() for _ in range(2)]
    got = puller.receive()
    puller.acknowledge(got[:1])
    puller.call("reject", tokens=tokens(got[1:]))
    found = set()
    for receipt in receipts:
        path = f"/v1/events/{receipt['shard']}/{receipt['sequence']}/deliveries"
        for item in uji.get(path).json()["items"]:
            if item["subscription"] == puller.name:
                found.add((item["stage"], item["at"] is not None))
    assert found == {("acknowledged", True), ("dead", True)}
