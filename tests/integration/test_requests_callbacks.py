"""Callbacks: an organisation subscribes to the replies to its own requests."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import pytest

from tests.builders import FREE, QUESTION, QUESTIONS, a_name, a_question, a_reply
from tests.bus import Actor, Bus, MakeBus
from tests.dead_letters import dead, reject
from tests.problems import problem_of
from tests.pull_receiver import Puller, ids
from tests.readers import depth
from tests.responders import AmqpResponder
from tests.servers import forge
from tests.waiting import eventually

MANY, SINGLE, FORGED, LATE, RIGHTS, OLD = QUESTIONS[:6]
REPLY = "{}.reply".format
SEQUENCE = itemgetter("sequence")


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    with make_bus() as bus:
        bus.run("api", "api", "relay")
        made = bus.admin.post("/v1/organisations", json={"name": "asing", "title": "Asing"})
        assert made.status_code == 201
        for type_ in QUESTIONS:
            bus.grant("lain", "publish", type_)
        for type_ in (MANY, SINGLE, FORGED):
            bus.grant("asing", "publish", type_)
        yield bus


@pytest.fixture(scope="module")
def lain(bus: Bus) -> Actor:
    """An organisation that asks."""
    return bus.actor("lain")


@pytest.fixture(scope="module")
def asing(bus: Bus) -> Actor:
    """Another one that asks some of the same types."""
    return bus.actor("asing")


@pytest.fixture(scope="module")
def uji(bus: Bus) -> Actor:
    """The organisation that owns the types and answers."""
    return bus.actor("uji")


@pytest.fixture(scope="module")
def single(uji: Actor) -> Puller:
    """Of whom requests of type SINGLE are asked."""
    return Puller(uji, SINGLE)


def asked(by: Actor, type: str, **changes: Any) -> dict[str, Any]:
    """Ask, with somebody to take it later; the request as it stands."""
    answer = by.ask(
        a_question(type, source=f"/{by.organisation}", **changes), query="?no_responder=wait"
    )
    assert answer.status_code == 202, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def answered(responder: Puller, by: Actor, **changes: Any) -> dict[str, Any]:
    """Take one request and answer it; the reply's place."""
    (taken,) = responder.receive(1)
    question = taken["event"]
    answer = by.answer(question["requestid"], a_reply(question, **changes))
    assert answer.status_code == 201, answer.text
    responder.acknowledge([taken])
    place: dict[str, Any] = answer.json()["reply"]
    return place


def deliveries(by: Actor, place: dict[str, Any]) -> Any:
    return by.get(f"/v1/events/{place['shard']}/{place['sequence']}/deliveries")


def test_each_requester_gets_the_replies_to_its_own_requests(
    uji: Actor, lain: Actor, asing: Actor
) -> None:
    askers = {each.organisation: each for each in (lain, asing, uji)}
    pulled = {name: Puller(each, REPLY(MANY)) for name, each in askers.items()}
    queued = {name: each.subscribe(REPLY(MANY)) for name, each in askers.items()}
    patterns = (Puller(uji, "id.go.uji.*"), uji.subscribe("id.go.uji.*"))
    expected = _interleaved(uji, [lain, asing], 20)
    for name, requests in expected.items():
        got = [each["event"] for each in _all_of(pulled[name])]
        assert {each["requestid"]: each["data"]["hasil"] for each in got} == requests
        assert {each["requestedby"] for each in got} == {name}
        assert {each["dataclassification"] for each in got} == {"confidential"}
        late = askers[name].subscribe(REPLY(MANY), start="beginning")
        for subscribed in (queued[name], late):
            found = [each.document for each in subscribed.take(len(got))]
            assert sorted(found, key=SEQUENCE) == sorted(got, key=SEQUENCE)
    sent = uji.published()
    assert ids(patterns[0].receive()) == [sent]
    assert [each.message_id for each in patterns[1].take(1)] == [sent]
    for subscribed in (*queued.values(), patterns[1]):
        assert depth(subscribed.url, subscribed.queue) == 0
    assert pulled["uji"].receive(wait=0) == []


def _interleaved(uji: Actor, askers: list[Actor], each: int) -> dict[str, dict[str, str]]:
    """Ask in turns and have all answered: the events asked, by the id of the request."""
    subscribed = uji.subscribe(MANY)
    expected: dict[str, dict[str, str]] = {asker.organisation: {} for asker in askers}
    with AmqpResponder(
        subscribed.url, subscribed.queue, lambda q: a_reply(q, data={"hasil": q["id"]})
    ):
        for _ in range(each):
            for asker in askers:
                request = asked(asker, MANY)
                expected[asker.organisation][request["id"]] = request["request"]["id"]
        for asker in askers:
            for id in expected[asker.organisation]:
                path, patient = f"/v1/requests/{id}", {"prefer": "wait=20"}
                assert asker.get(path, headers=patient).json()["state"] == "answered"
    return expected


def _all_of(puller: Puller) -> list[dict[str, Any]]:
    """What there is, acknowledged."""
    found: list[dict[str, Any]] = []
    while taken := puller.receive(wait=0):
        puller.acknowledge(taken)
        found += taken
    return found


def test_a_callback_as_a_stream(uji: Actor, lain: Actor, asing: Actor, single: Puller) -> None:
    name = a_name()
    assert lain.put_subscription(name, REPLY(SINGLE), delivery="stream").status_code == 201
    asked(asing, SINGLE)
    answered(single, uji)
    mine = asked(lain, SINGLE)
    answered(single, uji)
    path = f"/v1/subscriptions/{name}/stream"
    with lain.bus.http.stream("GET", path, headers=lain.headers, timeout=20) as answer:
        first = next(line for line in answer.iter_lines() if line.startswith("data: "))
    assert mine["id"] in first


def test_a_rejected_callback_is_a_dead_letter_of_its_requester(
    uji: Actor, lain: Actor, asing: Actor, single: Puller
) -> None:
    callback = lain.subscribe(REPLY(SINGLE))
    mine = asked(lain, SINGLE, id="angka-1")  # its requestid looks as if a national id were in it
    answered(single, uji)
    reject(callback)
    (letter,) = eventually(lambda: dead(lain, callback.name))
    path = f"/v1/dead-letters/{letter['number']}"
    inspected = lain.get(path).json()
    assert (inspected["event"]["requestid"], inspected["data"]) == (mine["id"], {"hasil": "COCOK"})
    problem_of(asing.get(path), 404, "not-found")
    assert lain.post(f"{path}/redrive").json() == {"changed": True}
    assert [each.document["requestid"] for each in callback.take(1)] == [mine["id"]]


def test_a_responder_that_reads_a_stream(uji: Actor) -> None:
    name = a_name()
    assert uji.put_subscription(name, QUESTION, delivery="stream").status_code == 201
    request = asked(uji, QUESTION)
    path = f"/v1/subscriptions/{name}/stream"
    with uji.bus.http.stream("GET", path, headers=uji.headers, timeout=20) as answer:
        line = next(line for line in answer.iter_lines() if line.startswith("data: "))
    question = json.loads(line.removeprefix("data: "))
    assert question["requestid"] == request["id"]
    assert uji.answer(question["requestid"], a_reply(question)).status_code == 201
    assert uji.get(f"/v1/requests/{request['id']}").json()["state"] == "answered"


def test_a_forged_requester_is_refused(uji: Actor, lain: Actor, asing: Actor) -> None:
    stolen, right = Puller(asing, REPLY(FORGED)), Puller(lain, REPLY(FORGED))
    subscribed = uji.subscribe(FORGED)
    with AmqpResponder(
        subscribed.url, subscribed.queue, lambda q: a_reply(q, requestedby="asing")
    ) as responder:
        request = asked(lain, FORGED)
        refused = "SELECT reason FROM refused_replies WHERE request = $1"
        eventually(lambda: uji.bus.query(refused, bytes.fromhex(request["id"])) == [("invalid",)])
    (question,) = responder.asked
    forged = uji.answer(request["id"], a_reply(question, requestedby="asing"))
    assert problem_of(forged, 422, "invalid")["pointer"] == "/requestedby"
    said = a_reply(question, requestedby="lain")
    assert uji.answer(request["id"], said).status_code == 201
    assert ids(right.receive()) == [said["id"]]
    assert stolen.receive(wait=0) == []


@pytest.mark.parametrize("name", ["requestedby", "requestexpiry"])
def test_a_requester_cannot_set_requestedby(lain: Actor, name: str) -> None:
    problem = problem_of(lain.ask(a_question(FORGED, **{name: "asing"})), 400, "malformed")
    assert problem["pointer"] == f"/{name}"


def test_a_late_reply_is_marked(uji: Actor, lain: Actor) -> None:
    callback, responder = Puller(lain, REPLY(LATE)), Puller(uji, LATE)
    until = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    request = asked(lain, LATE, expirytime=until)
    (taken,) = responder.receive(1)
    path = f"/v1/requests/{request['id']}"
    eventually(lambda: lain.get(path).json()["state"] == "expired")
    assert uji.answer(request["id"], a_reply(taken["event"])).json()["late"]
    ((late,), shown) = callback.receive(), lain.get(path).json()
    assert shown["state"] == "answered-late"
    assert late["event"] == shown["reply"]
    assert late["event"]["requestexpiry"] == shown["deadline"] < late["event"]["recordedtime"]


def test_the_ledger_of_a_pair_is_for_requester_and_responder(
    bus: Bus, uji: Actor, lain: Actor, asing: Actor, single: Puller
) -> None:
    callback, others = Puller(lain, REPLY(SINGLE)), Puller(asing, REPLY(SINGLE))
    request = asked(lain, SINGLE)
    place = answered(single, uji)
    callback.acknowledge(callback.receive())
    assert others.receive(wait=0) == []
    for seer in (lain, uji, bus.actor("lain", "auditor"), bus.actor("nusabus", "auditor")):
        items = deliveries(seer, place).raise_for_status().json()["items"]
        stages = {(each["organisation"], each["subscription"]): each["stage"] for each in items}
        assert stages["lain", callback.name] == "acknowledged"
        assert {organisation for organisation, _ in stages} == {"lain"}
        (of_request,) = deliveries(seer, request["request"]).json()["items"]
        assert (of_request["subscription"], of_request["stage"]) == (single.name, "acknowledged")
    impact = bus.admin.get(f"/v1/contracts/{SINGLE}/impact").json()["subscriptions"]
    assert {"organisation": "lain", "name": callback.name} in impact
    entry = f"/v1/events/{place['shard']}/{place['sequence']}"
    for stranger in (asing, bus.actor("asing", "auditor")):
        problem_of(deliveries(stranger, place), 404, "not-found")
        problem_of(stranger.get(entry), 404, "not-found")
    assert lain.get(entry).json()["event"]["data"] == {"hasil": "COCOK"}


@pytest.mark.parametrize(
    ("types", "status", "code"),
    [
        ([REPLY(OLD)], 403, "forbidden"),
        ([REPLY(FREE)], 403, "forbidden"),
        ([REPLY("id.go.uji.tanya.tak-ada.v1")], 403, "forbidden"),
        (["id.go.uji.*.reply"], 422, "invalid"),
        ([REPLY(REPLY(MANY))], 422, "invalid"),
        ([REPLY(MANY), FREE], 422, "invalid"),
    ],
    ids=str,
)
def test_replies_that_nobody_may_subscribe_to(
    asing: Actor, types: list[str], status: int, code: str
) -> None:
    problem_of(asing.put_subscription(a_name(), *types, delivery="pull"), status, code)


def test_neither_auditors_nor_the_operator_subscribe_to_replies(bus: Bus) -> None:
    auditors = [bus.actor(organisation, "auditor") for organisation in ("lain", "uji", "nusabus")]
    operators = [bus.actor("nusabus"), bus.actor("nusabus", "auditor", "subscriber")]
    for actor in auditors + operators:
        answer = actor.put_subscription(a_name(), REPLY(MANY), delivery="pull")
        problem_of(answer, 403, "forbidden")


def test_callbacks_end_with_the_right_to_send_requests(bus: Bus, uji: Actor, asing: Actor) -> None:
    grant = bus.grant("asing", "publish", RIGHTS)
    callback, responder = Puller(asing, REPLY(RIGHTS)), Puller(uji, RIGHTS)
    queued = asing.subscribe(REPLY(RIGHTS))
    asked(asing, RIGHTS)
    bus.admin.delete(grant).raise_for_status()
    queued.wait("suspended")
    answered(responder, uji)
    receive = f"/v1/subscriptions/{callback.name}/receive"
    eventually(lambda: asing.post(receive, json={"wait": 0}).status_code == 403)
    assert depth(queued.url, queued.queue) == 0
    bus.grant("asing", "publish", RIGHTS)
    queued.wait("active")
    assert [each["event"] for each in callback.receive()] == [queued.take(1)[0].document]


def test_replies_of_a_time_before_callbacks_are_polled(bus: Bus, uji: Actor, lain: Actor) -> None:
    responder = Puller(uji, OLD)
    old, place = asked(lain, OLD), answered(responder, uji)
    forge(
        bus.database_url,
        "UPDATE journal_rows SET attributes = $3 WHERE shard = $1 AND sequence = $2",
        place["shard"],
        place["sequence"],
        '{"datacontenttype":"application/json"}',
    )
    new = asked(lain, OLD)
    answered(responder, uji)
    callback = Puller(lain, REPLY(OLD), start="beginning")
    assert [each["event"]["requestid"] for each in callback.receive()] == [new["id"]]
    assert lain.get(f"/v1/requests/{old['id']}").json()["state"] == "answered"
