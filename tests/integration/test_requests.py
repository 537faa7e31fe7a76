"""Asking and answering on a running bus: two api processes, a relay, a real broker."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.builders import NIK, QUESTION, QUESTIONS, a_document, a_name, a_question, a_reply
from tests.bus import Actor, Bus, MakeBus, Subscribed
from tests.problems import problem_of
from tests.responders import AmqpResponder
from tests.waiting import eventually

AMQP, PULL, WRONG, SILENT, RIGHTS, STOPPED = QUESTIONS[:6]


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    """Two api processes on one port, so that replies often come to the other one."""
    with make_bus() as bus:
        yield bus.run("api", "api", "relay")


@pytest.fixture(scope="module")
def lain(bus: Bus) -> Actor:
    """An organisation that may ask."""
    for type_ in (QUESTION, *QUESTIONS):
        bus.grant("lain", "publish", type_)
    return bus.actor("lain")


@pytest.fixture(scope="module")
def uji(bus: Bus) -> Actor:
    """The organisation that owns the types."""
    return bus.actor("uji")


@pytest.fixture(scope="module")
def stranger(bus: Bus) -> Actor:
    """An organisation without a grant."""
    body = {"name": "asing", "title": "Asing"}
    assert bus.admin.post("/v1/organisations", json=body).status_code == 201
    return bus.actor("asing")


@pytest.fixture(scope="module")
def over_amqp(uji: Actor) -> Subscribed:
    return uji.subscribe(AMQP)


@pytest.fixture(scope="module")
def silent(uji: Actor) -> str:
    """A pull subscription of whom requests of type SILENT are asked."""
    return pulling(uji, SILENT)


@pytest.fixture(scope="module")
def wrong(uji: Actor) -> str:
    """The same for WRONG."""
    return pulling(uji, WRONG)


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def pulling(by: Actor, type: str, **more: Any) -> str:
    name = a_name()
    assert by.put_subscription(name, type, delivery="pull", **more).status_code == 201
    return name


def received(by: Actor, name: str, wait: float = 10) -> list[dict[str, Any]]:
    answer = by.post(f"/v1/subscriptions/{name}/receive", json={"max": 10, "wait": wait})
    return [each["event"] for each in answer.raise_for_status().json()["events"]]


def test_the_reply_comes_in_the_same_response(lain: Actor, over_amqp: Subscribed, bus: Bus) -> None:
    with AmqpResponder(over_amqp.url, over_amqp.queue) as responder:
        for _ in range(20):
            question = a_question(AMQP, correlationid="alur-1")
            answer = lain.ask(question, wait=20)
            assert answer.status_code == 200, answer.text
            shown = answer.json()
            assert shown["state"] == "answered"
            assert answer.headers["location"] == f"/v1/requests/{shown['id']}"
            assert answer.headers["preference-applied"] == "wait=20"
            reply = shown["reply"]
            assert reply["data"] == {"hasil": "COCOK"}
            assert reply["causationid"] == question["id"]
            assert reply["correlationid"] == "alur-1"
            assert reply["requestid"] == shown["id"]
            assert reply["dataclassification"] == "confidential"
        asked = responder.asked[-1]
    assert asked["id"] == question["id"]
    assert asked["requestid"] == shown["id"]
    assert asked["expirytime"] == shown["deadline"]
    assert asked["data"] == question["data"]
    again = lain.ask(question)
    assert (again.status_code, again.json()) == (200, shown)
    assert lain.get(f"/v1/requests/{shown['id']}").json() == shown
    assert bus.query("SELECT count(*) FROM journal_entries WHERE id = $1", question["id"]) == [(1,)]


def test_a_requester_that_does_not_wait_polls(lain: Actor, uji: Actor) -> None:
    name = pulling(uji, PULL)
    answer = lain.ask(a_question(PULL))
    assert answer.status_code == 202, answer.text
    place, shown = answer.headers["location"], answer.json()
    assert (shown["state"], shown["reply"]) == ("waiting", None)
    (question,) = received(uji, name)
    assert question["requestid"] == shown["id"]
    assert lain.get(place, headers={"prefer": "wait=1"}).json() == shown
    reply = a_reply(question)
    first = uji.answer(shown["id"], reply)
    assert first.status_code == 201, first.text
    assert lain.get(place).json()["reply"]["id"] == reply["id"]
    same = uji.answer(shown["id"], reply)
    assert (same.status_code, same.json()["duplicate"]) == (200, True)
    problem_of(uji.answer(shown["id"], a_reply(question)), 409, "already-answered")
    assert lain.get(place).json()["reply"]["id"] == reply["id"]
    late_asker = lain.ask(a_question(PULL, id=question["id"], subject="another"))
    problem_of(late_asker, 409, "identifier-reused")


def test_a_deadline_passes(lain: Actor, uji: Actor, silent: str) -> None:
    question = a_question(SILENT, expirytime=soon(1.5))
    answer = lain.ask(question, wait=10)
    problem = problem_of(answer, 504, "no-reply")
    assert received(uji, silent, wait=1) == []
    late = uji.answer(problem["request"], a_reply(question))
    assert (late.status_code, late.json()["late"]) == (201, True)
    shown = lain.get(answer.headers["location"]).json()
    assert (shown["state"], shown["reply"]["data"]) == ("answered-late", {"hasil": "COCOK"})
    assert lain.ask(question).json()["state"] == "answered-late"


def test_a_request_that_expires_under_a_lock_is_not_handed_out_again(
    lain: Actor, uji: Actor, silent: str
) -> None:
    lain.ask(a_question(SILENT, expirytime=soon(3)))
    taken = uji.post(f"/v1/subscriptions/{silent}/receive", json={"wait": 2}).json()["events"]
    assert len(taken) == 1
    tokens = {"tokens": [taken[0]["token"]], "delay": 3.5}
    uji.post(f"/v1/subscriptions/{silent}/release", json=tokens).raise_for_status()
    assert received(uji, silent, wait=6) == []


def test_a_request_expires_in_its_queue(lain: Actor, uji: Actor, bus: Bus) -> None:
    subscribed = uji.subscribe(STOPPED)
    answer = lain.ask(a_question(STOPPED, expirytime=soon(2)), wait=4)
    problem_of(answer, 504, "no-reply")
    lain.ask(last := a_question(STOPPED))
    with AmqpResponder(subscribed.url, subscribed.queue) as responder:
        eventually(lambda: [each["id"] for each in responder.asked] == [last["id"]])
    subscribed.end()


def test_without_a_responder(lain: Actor, uji: Actor) -> None:
    question = a_question(QUESTION)
    answer = lain.ask(question, wait=5)
    problem_of(answer, 503, "no-responder")
    assert answer.headers["retry-after"]
    patient = lain.ask(question, query="?no_responder=wait")
    assert patient.status_code == 202, patient.text
    name = pulling(uji, QUESTION)
    (asked,) = received(uji, name)
    assert asked["id"] == question["id"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"data": {}}, "contract-violation"),
        ({"type": AMQP}, "invalid"),
        ({"requestid": "0" * 32}, "invalid"),
        ({"causationid": "another"}, "invalid"),
        ({"specversion": "0.3"}, "malformed"),
    ],
    ids=str,
)
def test_an_invalid_reply_is_refused_and_the_requester_learns_it(
    lain: Actor, uji: Actor, wrong: str, changes: dict[str, Any], code: str
) -> None:
    question = a_question(WRONG, expirytime=soon(2.5))
    place = lain.ask(question).headers["location"]
    received(uji, wrong)
    bad = uji.answer(place.rpartition("/")[2], a_reply(question, **changes))
    assert bad.json()["type"].endswith(code), bad.text
    problem = problem_of(lain.ask(question, wait=5), 504, "no-reply")
    assert [each["reason"] for each in problem["refused_replies"]] == [code]
    assert lain.get(place).json()["state"] == "expired"
    auditor = uji.bus.actor("uji", "auditor")
    assert auditor.get("/v1/refusals?limit=1").json()["items"][0]["reason"] == code


def test_an_invalid_reply_over_amqp_is_kept_as_a_refusal(
    lain: Actor, uji: Actor, over_amqp: Subscribed
) -> None:
    replies: dict[str, Any] = {"kosong": {"data": {}}, "rusak": b"\xff"}

    def answer(question: dict[str, Any]) -> Any:
        said = replies.get(question.get("subject", ""), {})
        return said if isinstance(said, bytes) else a_reply(question, **said)

    with AmqpResponder(over_amqp.url, over_amqp.queue, answer):
        for kind, code in (("kosong", "contract-violation"), ("rusak", "malformed")):
            question = a_question(AMQP, subject=kind, expirytime=soon(2))
            problem = problem_of(lain.ask(question, wait=5), 504, "no-reply")
            assert [each["reason"] for each in problem["refused_replies"]] == [code]
            assert "refused" in problem["detail"]
    assert NIK not in uji.bus.logs()


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"data": {}}, 422, "contract-violation"),
        ({"type": "id.go.uji.bebas.dicatat.v1"}, 403, "forbidden"),
        ({"type": "id.go.uji.tanya.tak.ada.v1"}, 403, "forbidden"),
        ({"expirytime": "2020-01-01T00:00:00Z"}, 422, "invalid"),
        ({"expirytime": "2999-01-01T00:00:00Z"}, 422, "invalid"),
        ({"expirytime": "soon"}, 422, "invalid"),
        ({"requestid": "0" * 32}, 400, "malformed"),
        ({"specversion": "0.3"}, 400, "malformed"),
    ],
    ids=str,
)
def test_invalid_requests(
    lain: Actor, over_amqp: Subscribed, changes: dict[str, Any], status: int, code: str
) -> None:
    problem_of(lain.ask(a_question(**{"type": AMQP, **changes}), wait=1), status, code)


def test_an_event_that_is_no_request_cannot_be_sent_as_one(uji: Actor) -> None:
    problem_of(uji.ask(a_document()), 422, "invalid")


def test_who_may_see_and_who_may_answer(bus: Bus, lain: Actor, uji: Actor, stranger: Actor) -> None:
    pulling(uji, RIGHTS)
    place = lain.ask(question := a_question(RIGHTS)).headers["location"]
    id = place.rpartition("/")[2]
    for forger in (stranger, lain):
        problem_of(forger.answer(id, a_reply(question)), 404, "not-found")
    problem_of(bus.actor("uji", "publisher").answer(id, a_reply(question)), 403, "forbidden")
    problem_of(stranger.ask(question), 403, "forbidden")
    assert uji.answer(id, a_reply(question)).status_code == 201
    for seer in (lain, uji, bus.actor("lain", "auditor")):
        assert seer.get(place).json()["reply"]["data"] == {"hasil": "COCOK"}
    problem_of(stranger.get(place), 404, "not-found")
    problem_of(bus.actor("asing", "auditor").get(place), 404, "not-found")
    problem_of(lain.get(f"/v1/requests/{'0' * 32}"), 404, "not-found")
    overseer = bus.actor("nusabus", "auditor").get(place).json()
    assert (overseer["state"], "data" in overseer["reply"]) == ("answered", False)
    reply = overseer["reply"]
    entry = f"/v1/events/{int(reply['sequence'][:2])}/{int(reply['sequence'][3:])}"
    assert uji.get(entry).json()["event"]["data"] == {"hasil": "COCOK"}
    assert lain.get(entry).json()["event"]["data"] == {"hasil": "COCOK"}
    problem_of(stranger.get(entry), 404, "not-found")


def test_another_organisation_cannot_take_over_a_request_by_repeating_it(
    lain: Actor, over_amqp: Subscribed
) -> None:
    question = a_question(AMQP)
    assert lain.ask(question).status_code == 202
    problem = problem_of(over_amqp.by.ask(question, wait=1), 403, "forbidden")
    assert problem["pointer"] == "/source"


def test_a_pattern_gets_neither_requests_nor_replies(
    lain: Actor, uji: Actor, over_amqp: Subscribed
) -> None:
    everything = uji.subscribe("id.go.uji.*")
    pulled = pulling(uji, "id.go.uji.*")
    with AmqpResponder(over_amqp.url, over_amqp.queue):
        assert lain.ask(a_question(AMQP), wait=10).status_code == 200
    sent = uji.published()
    assert [each.message_id for each in everything.take(1)] == [sent]
    assert [each["id"] for each in received(uji, pulled)] == [sent]


def test_metrics_count(lain: Actor, over_amqp: Subscribed, bus: Bus) -> None:
    with AmqpResponder(over_amqp.url, over_amqp.queue):
        assert lain.ask(a_question(AMQP), wait=20).status_code == 200
    wanted = {
        "nusabus_requests_accepted_total 1",
        "nusabus_request_duration_seconds_count 1",
        'nusabus_replies_total{outcome="in-time"} 1',
    }
    seen: set[str] = set()

    def all_seen() -> bool:  # each of the two processes counts for itself
        lines = bus.metrics().splitlines()
        seen.update(re.sub(r" [1-9][0-9]*\.0$", " 1", line) for line in lines)
        return wanted <= seen

    assert eventually(all_seen)
