"""What the client library makes of answers, of canned ones and of those of a real gateway."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import httpx
import pytest

from adapters.client import Nusabus, Problem, Requests, Streams
from adapters.legacy_cobol.transfer.sender import ONCE
from consumers.reporting import Reporter
from tests.builders import CITIZEN, FREE, QUESTION, a_citizen, a_document, a_name
from tests.bus import Actor
from tests.unit.client_gateway import (
    Answer,
    Gateway,
    a_problem,
    a_request_view,
    a_stream,
    accepted,
)
from tests.unit.consumers.test_reporting import Gateway as ReportedGateway

VIOLATION = {"pointer": "/data/nik", "keyword": "pattern", "message": "is too short"}

Connect = Callable[..., Nusabus]
"""A connection to a gateway that gives these answers, or to a real one that finds them itself."""


@pytest.fixture(params=["canned", "real"])
def connect(request: pytest.FixtureRequest) -> Connect:
    if request.param == "canned":
        return lambda *answers: Gateway(*answers).bus(ONCE)
    actor = request.getfixturevalue("shared_bus").actor("uji")

    def connect(*_: Answer) -> Nusabus:
        return Nusabus(str(actor.bus.http.base_url), actor.id, actor.secret, retry=ONCE)

    return connect


async def test_a_receipt_says_where_the_event_is_stored(connect: Connect) -> None:
    async with connect(accepted()) as bus:
        receipt = await bus.publish(a_document())
    assert isinstance(receipt.id, str)
    assert receipt.source.startswith("/")
    assert receipt.shard >= 0
    assert receipt.sequence >= 1
    assert datetime.fromisoformat(receipt.recordedtime).tzinfo is not None
    assert len(bytes.fromhex(receipt.digest)) == 32
    assert receipt.duplicate is False


def require_problem(problem: Problem, status: int, code: str) -> None:
    assert (problem.status, problem.code) == (status, code)
    assert problem.type == f"https://nusabus.go.id/problems/{code}"
    assert problem.title
    assert problem.detail.endswith(".")


async def test_an_error_has_a_code_and_says_what_to_do(connect: Connect) -> None:
    async with connect(a_problem(404, "not-found")) as bus:
        with pytest.raises(Problem) as caught:
            await bus.subscription(a_name())
    require_problem(caught.value, 404, "not-found")


async def test_an_error_lists_the_violations(connect: Connect) -> None:
    refusal = a_problem(422, "contract-violation", violations=[VIOLATION], total=1)
    async with connect(refusal) as bus:
        with pytest.raises(Problem) as caught:
            await bus.publish(a_document(type=CITIZEN, data=a_citizen(nik="1")))
    require_problem(caught.value, 422, "contract-violation")
    (violation,) = caught.value.violations
    assert violation.pointer.endswith("/nik")
    assert violation.keyword == "pattern"
    assert violation.message


async def test_a_request_that_waits_has_a_deadline(connect: Connect) -> None:
    async with connect(a_request_view("waiting", 202), a_request_view("waiting")) as bus:
        requests = Requests(bus)
        question = a_document(type=QUESTION, subject=None)
        asked = await requests.ask(question, wait=0, needs_responder=False)
        shown = await requests.show(asked.id)
    for view in (asked, shown):
        assert (view.state, view.reply, list(view.refused_replies)) == ("waiting", None, [])
        assert len(bytes.fromhex(view.id)) == 16
        assert datetime.fromisoformat(view.deadline).tzinfo is not None
        assert {"shard", "sequence"} <= view.request.keys()


async def test_a_request_that_nobody_can_answer_is_refused(connect: Connect) -> None:
    async with connect(a_problem(503, "no-responder")) as bus:
        with pytest.raises(Problem) as caught:
            await Requests(bus).ask(a_document(type=QUESTION, subject=None))
    require_problem(caught.value, 503, "no-responder")


async def test_a_stream_gives_events_with_their_positions(connect: Connect) -> None:
    name, document = a_name(), a_document()
    subscribed = {**SUBSCRIPTION, "name": name}
    frame = f"id: 5\ndata: {json.dumps(document)}"
    async with connect(a_json(subscribed), accepted(), a_stream(frame)) as bus:
        await bus.subscribe(name, [FREE], delivery="stream")
        await bus.publish(document)
        async for event in Streams(bus, ONCE).follow(name):
            if event.document["id"] == document["id"]:  # the bus has other publishers
                break
    assert event.position
    assert event.document["type"] == FREE


SUBSCRIPTION = {
    "types": [FREE], "ordered": False, "state": "active", "queue": None, "amqp_url": None,
}  # fmt: skip


def a_json(body: object) -> Answer:
    return httpx.Response(200, json=body)


@dataclass
class Reports:
    """Where a consumer reports to."""

    report: Callable[[Sequence[str]], Any]
    refusing: Callable[[Sequence[str]], Any]
    """One that never takes a report."""


@pytest.fixture(params=["callable", "real"])
def reports(request: pytest.FixtureRequest) -> Reports:
    if request.param == "callable":
        refusing = ReportedGateway()
        refusing.failure = Problem(404, "not-found", "No such subscription")
        return Reports(ReportedGateway(), refusing)
    actor: Actor = request.getfixturevalue("shared_bus").actor("uji")
    subscribed = actor.subscribe(FREE)

    async def report(name: str, sequences: Sequence[str]) -> None:
        bus = Nusabus(str(actor.bus.http.base_url), actor.id, actor.secret, retry=ONCE)
        async with bus:
            await bus.acknowledged(name, sequences)

    return Reports(partial(report, subscribed.name), partial(report, a_name()))


async def test_a_report_is_taken(reports: Reports) -> None:
    reporter = Reporter(reports.report)
    reporter.settled("00-0000000000000001")
    reporter.finish()
    await reporter.run()
    assert (reporter.reported, reporter.lost) == (1, 0)


async def test_a_refused_report_is_not_repeated(reports: Reports) -> None:
    reporter = Reporter(reports.refusing)
    reporter.settled("00-0000000000000001")
    reporter.finish()
    await reporter.run()
    assert (reporter.reported, reporter.lost) == (0, 1)
