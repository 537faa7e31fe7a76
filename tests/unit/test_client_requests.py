"""The client library asks: how long it waits, what it repeats, and what it makes of the answers."""

import httpx
import pytest

from adapters.client import OutcomeUnknown, Problem, Requests
from tests.unit.client_gateway import (
    AT_ONCE,
    EVENT,
    REQUEST_ID,
    Answer,
    Gateway,
    a_problem,
    a_request_view,
)

PATH = f"/v1/requests/{REQUEST_ID}"


def calls(gateway: Gateway) -> list[tuple[str, str, str | None]]:
    return [
        (request.method, request.url.path, request.headers.get("prefer"))
        for request in gateway.requests
    ]


async def test_one_call_is_enough_where_the_reply_comes_in_time() -> None:
    gateway = Gateway(a_request_view())
    async with gateway.bus() as bus:
        found = await Requests(bus).ask(EVENT, wait=4.2)
    assert (found.state, found.reply) == ("answered", {"data": {"hasil": "COCOK"}})
    assert calls(gateway) == [("POST", "/v1/requests", "wait=5")]
    assert gateway.requests[0].headers["content-type"] == "application/cloudevents+json"
    assert gateway.bodies[0] == {"specversion": "1.0", "id": gateway.bodies[0]["id"], **EVENT}


async def test_a_long_wait_takes_several_calls() -> None:
    gateway = Gateway(
        a_request_view("waiting", 202),
        a_request_view("waiting"),
        httpx.ReadError("cut"),
        a_request_view(),
    )
    async with gateway.bus() as bus:
        assert (await Requests(bus).ask(EVENT, wait=90)).state == "answered"
    assert calls(gateway) == [
        ("POST", "/v1/requests", "wait=20"),
        *[("GET", PATH, "wait=20")] * 3,
    ]


async def test_who_does_not_wait_asks_once() -> None:
    gateway = Gateway(a_request_view("waiting", 202), a_request_view("waiting"))
    async with gateway.bus() as bus:
        requests = Requests(bus)
        found = await requests.ask(EVENT, wait=0, needs_responder=False)
        assert (await requests.show(found.id)).state == "waiting"
    assert calls(gateway) == [("POST", "/v1/requests", None), ("GET", PATH, None)]
    assert gateway.requests[0].url.query == b"no_responder=wait"


async def test_a_deadline_that_has_passed_is_no_error() -> None:
    refused = [{"organisation": "uji", "reason": "contract-violation", "recordedtime": "..."}]
    gateway = Gateway(
        a_problem(504, "no-reply", request=REQUEST_ID),
        a_request_view("expired", refused_replies=refused),
    )
    async with gateway.bus() as bus:
        found = await Requests(bus).ask(EVENT)
    assert (found.state, found.reply, found.refused_replies) == ("expired", None, refused)


async def test_that_nobody_answers_is_known_at_once() -> None:
    gateway = Gateway(a_problem(503, "no-responder"))
    async with gateway.bus() as bus:
        with pytest.raises(Problem) as caught:
            await Requests(bus).ask(EVENT)
    assert caught.value.code == "no-responder"


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("none"), a_problem(503, "unavailable")])
async def test_an_unknown_outcome_is_asked_again_with_the_same_id(failure: Answer) -> None:
    gateway = Gateway(failure, a_request_view(), *[failure] * AT_ONCE.attempts)
    async with gateway.bus() as bus:
        await Requests(bus).ask(EVENT)
        with pytest.raises(OutcomeUnknown) as caught:
            await Requests(bus).ask(EVENT)
    assert gateway.bodies[0] == gateway.bodies[1]
    assert caught.value.ids == [gateway.bodies[-1]["id"]]


async def test_a_reply_is_repeated_with_the_same_id() -> None:
    stored = httpx.Response(201, json={"request": REQUEST_ID, "late": False, "duplicate": False})
    gateway = Gateway(httpx.ReadError("cut"), stored)
    async with gateway.bus() as bus:
        assert not (await Requests(bus).answer(REQUEST_ID, EVENT))["late"]
    assert calls(gateway) == [("POST", f"{PATH}/reply", None)] * 2
    assert gateway.bodies[0] == gateway.bodies[1]


async def test_an_id_stays_in_its_place_of_the_path() -> None:
    gateway = Gateway(a_request_view())
    async with gateway.bus() as bus:
        await Requests(bus).show("../subscriptions")
    assert gateway.requests[0].url.raw_path == b"/v1/requests/..%2Fsubscriptions"
