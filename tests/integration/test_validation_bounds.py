"""Events that are expensive to validate: bounded, one by one and in batches, beside all others.

Their contracts are registered where a minute of CPU is allowed for an event, and used where a
quarter of a second is.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from gateway.contracts.schema_limits import DIALECT
from tests.builders import FOREIGN, a_document, write_contract
from tests.bus import Actor, Bus, MakeBus
from tests.problems import problem_of
from tests.waiting import eventually

EXPENSIVE = "id.go.uji.mahal.dicatat.v1"
ASKED = "id.go.uji.mahal.ditanya.v1"
BRANCHES = [{"multipleOf": 7 + n, "minimum": 10**9 + n} for n in range(200)]
SCHEMA = {
    "$schema": DIALECT,
    "type": "array",
    "items": {"type": "number", "anyOf": [*BRANCHES, {"type": "number"}]},
}
EXAMPLES: dict[str, Any] = {
    "examples/invalid/array": None,
    "examples/valid/empty": [1],
    "examples/invalid/text": {
        "reason": "a text", "keyword": "type", "pointer": "/0", "data": ["x"],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def bounded(make_bus: MakeBus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    folder = tmp_path_factory.mktemp("mahal")
    _write_contracts(folder)
    with make_bus(NUSABUS_VALIDATION_SECONDS="60") as bus:
        bus.folder.mkdir(exist_ok=True)
        bus.carry_out("contracts", str(folder))
        bus.environ["NUSABUS_VALIDATION_SECONDS"] = "0.25"
        yield bus.run("api", "relay")


def _write_contracts(folder: Path) -> None:
    write_contract(folder, EXPENSIVE, **{"versions/1": SCHEMA, **EXAMPLES})
    write_contract(
        folder,
        ASKED,
        contract={"pattern": "request-reply"},
        **{
            "versions/1": SCHEMA,
            "versions/1.reply": SCHEMA,
            **EXAMPLES,
            **{name.replace("/", "/reply/", 1): each for name, each in EXAMPLES.items()},
        },
    )


@pytest.fixture
def uji(bounded: Bus) -> Actor:
    return bounded.actor("uji")


def numbers(count: int) -> list[float]:
    return [1.5] * count


def expensive(**changes: Any) -> dict[str, Any]:
    """Valid, with ten seconds of work."""
    return a_document(**{"type": EXPENSIVE, "data": numbers(200_000), **changes})


def moderate(**changes: Any) -> dict[str, Any]:
    """Too much for the event loop, and far below the limit."""
    return a_document(**{"type": EXPENSIVE, "data": numbers(1000), **changes})


def test_an_event_above_the_limit_is_refused_with_what_to_do(bounded: Bus, uji: Actor) -> None:
    event = expensive()
    problem = problem_of(uji.publish(event), 422, "too-expensive")
    assert (
        f"{EXPENSIVE} version 1 takes more CPU or memory than allowed (0.5 s)" in problem["detail"]
    )
    assert "Send smaller data" in problem["detail"]
    assert bounded.query("SELECT 1 FROM journal_entries WHERE id = $1", event["id"]) == []
    refused = bounded.actor("uji", "auditor").get("/v1/refusals").json()["items"]
    assert [each["reason"] for each in refused if each["id"] == event["id"]] == ["too-expensive"]
    assert '"validation.worker_ended"' in bounded.logs()
    assert 'nusabus_worker_validations_total{outcome="too-expensive"}' in bounded.metrics()


def test_what_is_moderate_is_stored_and_what_is_wrong_is_explained(uji: Actor) -> None:
    assert uji.publish(moderate()).status_code == httpx.codes.ACCEPTED
    wrong = moderate(data=[*numbers(1000), "x"])
    problem = problem_of(uji.publish(wrong), 422, "contract-violation")
    assert [each["pointer"] for each in problem["violations"]] == ["/1000"]
    too_big = json.dumps({**moderate(), "data": numbers(1000)}).replace("1.5]", "1e999]")
    problem = problem_of(uji.publish(too_big.encode()), 400, "malformed")
    assert problem["pointer"] == "/data/999"


def test_one_expensive_event_of_a_batch_is_refused_alone(uji: Actor) -> None:
    batch = [moderate(), expensive(data=numbers(180_000)), a_document(), moderate(data=["x"])]
    results = uji.publish_batch(batch).json()["results"]
    assert [each["status"] for each in results] == [202, 422, 202, 422]
    assert results[1]["problem"]["type"].endswith("/too-expensive")


def test_an_atomic_batch_with_an_expensive_event_stores_nothing(bounded: Bus, uji: Actor) -> None:
    batch = [a_document(), expensive(data=numbers(180_000)), moderate()]
    answer = uji.publish_batch(batch, atomic=True)
    assert answer.status_code == 422
    assert [each["status"] for each in answer.json()["results"]] == [424, 422, 424]
    ids = [each["id"] for each in batch]
    assert bounded.query("SELECT 1 FROM journal_entries WHERE id = ANY($1)", ids) == []


def test_an_expensive_request_is_refused_and_so_is_an_expensive_reply(uji: Actor) -> None:
    question = a_document(type=ASKED, subject=None, data=numbers(200_000))
    problem_of(uji.ask(question, query="?no_responder=wait"), 422, "too-expensive")
    subscription = uji.subscribe(ASKED, delivery="pull")
    asked = uji.ask(a_document(type=ASKED, subject=None, data=numbers(1000)))
    id = asked.headers["location"].rpartition("/")[2]
    reply = {"type": f"{ASKED}.reply", "source": "/uji/penjawab", "subject": None}
    answer = uji.answer(id, a_document(**reply, data=numbers(200_000)))
    problem_of(answer, 422, "too-expensive")
    assert uji.answer(id, a_document(**reply, data=numbers(1000))).is_success
    uji.delete(f"/v1/subscriptions/{subscription.name}")


def test_others_are_served_while_expensive_events_are_refused(bounded: Bus, uji: Actor) -> None:
    done = threading.Event()
    answers: set[int] = set()
    headers = {**uji.headers, "content-type": "application/cloudevents+json"}

    def attack() -> None:
        with httpx.Client(base_url=bounded.http.base_url, timeout=120) as http:
            while not done.is_set():
                answers.add(http.post("/v1/events", json=expensive(), headers=headers).status_code)

    threads = [threading.Thread(target=attack) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        lain = bounded.actor("lain")
        eventually(lambda: 422 in answers)
        for _ in range(10):
            event = a_document(source="/lain", type=FOREIGN)
            assert lain.publish(event).status_code == httpx.codes.ACCEPTED
            assert bounded.answers("/health/live") == httpx.codes.OK
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert answers <= {422, 429, 503}


def test_a_worker_that_is_killed_is_replaced(bounded: Bus, uji: Actor) -> None:
    assert uji.publish(moderate()).status_code == httpx.codes.ACCEPTED
    api = psutil.Process(bounded.processes[0].pid)
    workers = [each for each in api.children() if "validation_pool" in " ".join(each.cmdline())]
    assert workers
    for worker in workers:
        worker.kill()
    assert uji.publish(moderate()).status_code == httpx.codes.ACCEPTED


def test_no_worker_outlives_its_gateway(make_bus: MakeBus) -> None:
    with make_bus() as bus:
        bus.run("api")
        uji = bus.actor("uji")
        large = a_document(data={"x": "y" * 100_000})
        assert uji.publish(large).status_code == httpx.codes.ACCEPTED
        workers = psutil.Process(bus.processes[0].pid).children()
        assert workers
        bus.processes[0].kill()
        eventually(lambda: not any(worker.is_running() for worker in workers))
