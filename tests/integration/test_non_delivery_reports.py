"""Reports of non-delivery: one event for each dead letter, for the owner of its type."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.contracts import Failure
from gateway.contracts.schema_limits import DIALECT
from tests.bus import Actor, Bus, MakeBus
from tests.dead_letters import dead, locked
from tests.integration.contracts.registration import a_json_schema, a_type, act, add, register
from tests.pull_receiver import Puller
from tests.waiting import eventually

REPORT: dict[str, Any] = {
    "$schema": DIALECT,
    "title": "Non-delivery",
    "description": "A delivery that died.",
    "type": "object",
    "additionalProperties": False,
    "required": ["dead_letter", "organisation", "subscription", "shard", "sequence"],
    "properties": {
        **{
            name: {"type": "integer", "title": name, "description": name, "minimum": 0}
            for name in ("dead_letter", "shard", "sequence", "attempts")
        },
        **{
            name: {"type": "string", "title": name, "description": name, "maxLength": 512}
            for name in ("organisation", "subscription", "source", "id", "type", "failure", "died")
        },
    },
}
DATA = {"dead_letter": 1, "organisation": "uji", "subscription": "s", "shard": 0, "sequence": 1}
EXAMPLES = {
    "valid": [{"name": "satu", "data": DATA}],
    "invalid": [{"name": "kosong", "keyword": "required", "data": {}}],
}


def a_report_type(bus: Bus, owner: str = "uji", **changes: Any) -> str:
    type = a_type(owner)
    register(bus.admin, type, **{"schema": REPORT, "examples": EXAMPLES, **changes})
    return type


def a_reported_type(bus: Bus, report: str) -> str:
    type = a_type()
    register(bus.admin, type, classification="public", non_delivery_report=report)
    return type


def changed(bus: Bus, type: str, **facts: Any) -> tuple[int, str]:
    path, match = f"/v1/contracts/{type}", {"if-match": "*"}
    answer = bus.admin.call("PATCH", path, json=facts, headers=match)
    return answer.status_code, answer.text


def a_lost_event(bus: Bus, publisher: Actor, type: str) -> dict[str, Any]:
    lain = bus.actor("lain")
    puller = Puller(lain, type)
    eventually(lambda: publisher.get(f"/v1/contracts/{type}").status_code == 200)
    publisher.published(type=type, data={"n": 1}, subject="3273014105900001")
    puller.call("reject", tokens=[puller.receive(1)[0]["token"]], reason="tidak dikenal")
    return dead(lain, puller.name)[0]


def test_the_owner_gets_one_report_of_a_dead_letter(bus: Bus) -> None:
    uji = bus.actor("uji")
    report = a_report_type(bus)
    reports = Puller(uji, report)
    type = a_reported_type(bus, report)
    dead_letter = a_lost_event(bus, uji, type)
    (got,) = reports.receive(10, wait=20)
    event = got["event"]
    assert event["data"] == {
        "dead_letter": dead_letter["number"],
        "organisation": "lain",
        "subscription": dead_letter["subscription"],
        "shard": dead_letter["shard"],
        "sequence": dead_letter["sequence"],
        "source": "/uji",
        "id": dead_letter["event_id"],
        "type": type,
        "failure": Failure.REJECTED.value,
        "attempts": 1,
        "died": dead_letter["died"],
    }
    assert (event["source"], event["time"]) == ("/nusabus/non-delivery", dead_letter["died"])
    assert "3273014105900001" not in str(event)
    shown = uji.get(f"/v1/dead-letters/{dead_letter['number']}").json()
    assert (
        f"{shown['report_position']['shard']:02}-{shown['report_position']['sequence']:016}"
        == event["sequence"]
    )
    refused = bus.actor("lain").put_subscription("laporan", report, delivery="pull")
    assert refused.status_code == 403
    dead_report = a_dead_letter_of(reports, got)
    assert dead_report["report_position"] is None
    assert reports.receive(10, wait=2) == []


def a_dead_letter_of(puller: Puller, got: dict[str, Any]) -> dict[str, Any]:
    puller.call("reject", tokens=[got["token"]], reason="tidak dikenal")
    return dead(puller.actor, puller.name)[0]


def test_what_no_contract_wants_is_not_reported(bus: Bus) -> None:
    uji = bus.actor("uji")
    report = a_report_type(bus)
    type = a_reported_type(bus, report)
    reports = Puller(uji, report)
    assert changed(bus, type, non_delivery_report=None)[0] == 200
    before = a_lost_event(bus, uji, type)
    state = "SELECT report FROM dead_letters WHERE number = $1"
    eventually(lambda: bus.query(state, before["number"])[0][0] == "none")
    assert changed(bus, type, non_delivery_report=report)[0] == 200
    after = a_lost_event(bus, uji, type)
    (got,) = reports.receive(10, wait=20)
    assert got["event"]["data"]["dead_letter"] == after["number"]


def test_a_report_type_must_take_every_report(bus: Bus) -> None:
    small = {**REPORT, "properties": {**REPORT["properties"], "failure": {"const": "rejected"}}}
    report, narrow = a_report_type(bus), a_report_type(bus, schema=small)
    foreign, question = a_report_type(bus, "lain"), "id.go.uji.tanya.diajukan.v1"
    type = a_reported_type(bus, report)
    assert bus.admin.get(f"/v1/contracts/{type}").json()["non_delivery_report"] == report
    for named, says in (
        (narrow, "must accept every non-delivery report"),
        (foreign, "has no contract"),
        (question, "publish-subscribe"),
        (type, "has reports itself"),
        ("id.go.uji.tidak.ada.v1", "has no contract"),
        ("x", "has no contract"),
    ):
        status, text = changed(bus, type, non_delivery_report=named)
        assert (status, says in text) == (422, True), text
    status, text = changed(bus, report, non_delivery_report=narrow)
    assert (status, "cannot have reports itself" in text) == (422, True), text
    answer = add(bus.admin, report, schema=a_json_schema(), breaking=True)
    assert (answer.status_code, "must accept every non-delivery report" in answer.text) == (
        422,
        True,
    )
    history = bus.admin.get(f"/v1/contracts/{type}/history").json()["items"]
    assert history[0]["detail"]["non_delivery_report"] == report


def test_a_retired_report_type_is_logged_and_blocks_nothing(bus: Bus) -> None:
    uji = bus.actor("uji")
    report = a_report_type(bus)
    type = a_reported_type(bus, report)
    assert act(bus.admin, f"{report}/retirement", confirm="true").status_code == 200
    dead_letter = a_lost_event(bus, uji, type)
    state = "SELECT report FROM dead_letters WHERE number = $1"
    eventually(lambda: bus.query(state, dead_letter["number"])[0][0] == "refused")
    assert "non_delivery_report.refused" in bus.logs()


@pytest.fixture
def alone(make_bus: MakeBus) -> Iterator[Bus]:
    """Processes that may be killed."""
    with make_bus() as bus:
        yield bus.run("api", "relay")


def test_killed_between_the_two_writes_it_is_reported_once(alone: Bus) -> None:
    uji = alone.actor("uji")
    report = a_report_type(alone)
    type = a_reported_type(alone, report)
    stored = "SELECT count(*) FROM journal_entries WHERE type = $1"
    lock = "LOCK TABLE dead_letters IN SHARE MODE"  # read, not written
    alone.processes[1].kill()
    dead_letter = a_lost_event(alone, uji, type)
    with locked(alone.database_url, lock):
        relay = alone.start("relay")
        eventually(lambda: alone.query(stored, report)[0][0] == 1)
        relay.kill()
    state = "SELECT report FROM dead_letters WHERE number = $1"
    assert alone.query(state, dead_letter["number"])[0][0] == "open"
    alone.start("relay")
    eventually(lambda: alone.query(state, dead_letter["number"])[0][0] == "sent")
    assert alone.query(stored, report)[0][0] == 1
