"""Quotas hold across two api processes, as each of them and the administrator sees them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import http_sf
import httpx
import pytest

from deploy.local.ports import LOOPBACK, free_port
from tests.builders import FOREIGN, FREE, QUESTIONS, a_document, a_name, a_question
from tests.bus import BATCHED, STRUCTURED, Actor, Bus, MakeBus
from tests.integration.quota_calls import Api, in_force, publish, put_quotas, usage
from tests.problems import problem_of
from tests.waiting import eventually

PROCESSES = 2


@pytest.fixture(scope="module")
def busy(make_bus: MakeBus) -> Iterator[tuple[Bus, list[Api]]]:
    """A bus with two api processes, and a client of each."""
    ports = [free_port() for _ in range(PROCESSES)]
    with make_bus() as bus, ExitStack() as stack:
        for port in ports:
            bus.start("api", NUSABUS_PORT=str(port))
        bus.run("api", "relay")  # the third one serves the administrator
        apis = [
            stack.enter_context(httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=60))
            for port in ports
        ]
        for api in apis:
            eventually(partial(ready, api))
        yield bus, apis


def ready(api: Api) -> bool:
    try:
        return api.get("/health/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@pytest.fixture
def bus(busy: tuple[Bus, list[Api]]) -> Iterator[Bus]:
    yield busy[0]
    for organisation in ("uji", "lain"):
        put_quotas(busy[0], organisation, {})


@pytest.fixture
def apis(busy: tuple[Bus, list[Api]]) -> list[Api]:
    return busy[1]


def items(field: str) -> list[tuple[str, dict[str, Any]]]:
    """The policies of a field with their parameters, as a library of another author reads them."""
    found: Any = http_sf.parse(field.encode(), tltype="list")
    return [(name, dict(more)) for name, more in found]


def test_a_rate_holds_across_processes(bus: Bus, apis: list[Api]) -> None:
    """In T seconds no more than rate x T, twice the burst, and one call that each has begun."""
    rate, uji = 20, bus.actor("uji")
    put_quotas(bus, "uji", {"events": rate})
    in_force(apis, uji, "events", rate)
    began = time.monotonic()

    def hammer(api: Api) -> int:
        accepted = 0
        while time.monotonic() - began < 6:
            answer = publish(api, uji)
            if answer.status_code == httpx.codes.ACCEPTED:
                accepted += 1
            else:
                problem = problem_of(answer, 429, "quota-exceeded")
                assert problem["violated-policies"] == ["events"]
                assert int(answer.headers["retry-after"]) >= 1
        return accepted

    with ThreadPoolExecutor(PROCESSES) as pool:
        accepted = list(pool.map(hammer, apis))
    took = time.monotonic() - began
    assert sum(accepted) <= rate * took + 2 * rate + PROCESSES
    assert min(accepted) > 0
    shown = usage(uji, "events")
    assert shown["limit"] == rate
    eventually(lambda: usage(uji, "events")["refused"] > 0)


def test_a_neighbour_is_not_limited(bus: Bus, apis: list[Api]) -> None:
    put_quotas(bus, "uji", {"events": 1})
    uji, lain = bus.actor("uji"), bus.actor("lain")
    in_force(apis, uji, "events", 1)
    eventually(lambda: publish(apis[0], uji).status_code == 429)
    event = a_document(source="/lain", type=FOREIGN)
    answer = apis[0].post("/v1/events", json=event, headers={**lain.headers, **STRUCTURED})
    assert answer.status_code == httpx.codes.ACCEPTED


def test_a_batch_is_accepted_or_refused_as_a_whole(bus: Bus, apis: list[Api]) -> None:
    """What it takes beyond the limit is paid off before the next."""
    put_quotas(bus, "uji", {"events": 2})
    uji = bus.actor("uji")
    in_force(apis, uji, "events", 2)

    def batch(size: int) -> httpx.Response:
        events = [a_document() for _ in range(size)]
        return apis[0].post("/v1/events", json=events, headers={**uji.headers, **BATCHED})

    # Something may be left to pay off of the test before.
    first = eventually(lambda: found if (found := batch(40)).status_code == 207 else None)
    assert first is not None
    assert first.json()["accepted"] == 40
    refused = batch(2)
    problem_of(refused, 429, "quota-exceeded")
    assert int(refused.headers["retry-after"]) >= 10
    eventually(lambda: publish(apis[1], uji).status_code == 429)  # the other one learns of it


def test_bytes_and_refusals_are_limited(bus: Bus, apis: list[Api]) -> None:
    uji = bus.actor("uji")
    put_quotas(bus, "uji", {"bytes": 10})
    in_force(apis, uji, "bytes", 10)
    eventually(lambda: publish(apis[0], uji).status_code == httpx.codes.ACCEPTED)
    refused = publish(apis[0], uji)
    assert problem_of(refused, 429, "quota-exceeded")["violated-policies"] == ["bytes"]
    put_quotas(bus, "uji", {"refusals": 1})
    in_force(apis, uji, "refusals", 1)
    headers = {**uji.headers, **STRUCTURED}

    def refuse() -> httpx.Response:
        return apis[0].post("/v1/events", content=b"nonsense", headers=headers)

    eventually(lambda: refuse().status_code == 400)
    stopped = [refuse(), refuse()][-1]
    assert problem_of(stopped, 429, "quota-exceeded")["violated-policies"] == ["refusals"]


def test_requests_and_replies_count_as_events(bus: Bus, apis: list[Api]) -> None:
    uji = bus.actor("uji")
    put_quotas(bus, "uji", {"events": 1})
    in_force(apis, uji, "events", 1)
    question = a_question(QUESTIONS[0], source="/uji")
    headers = {**uji.headers, **STRUCTURED}

    def ask() -> int:
        path = "/v1/requests?no_responder=wait"
        answer = apis[0].post(path, json=question, headers=headers)
        return answer.status_code

    eventually(lambda: ask() == 202)
    assert 429 in [ask() for _ in range(3)]
    reply = f"/v1/requests/{32 * '0'}/reply"
    eventually(lambda: apis[0].post(reply, headers=headers).status_code == 429)


def test_the_fields_parse(bus: Bus, apis: list[Api]) -> None:
    """RateLimit-Policy and RateLimit are lists of strings with parameters."""
    uji = bus.actor("uji")
    put_quotas(bus, "uji", {"events": 7}, **{uji.id: {"events": 5}})
    in_force(apis, uji, "events", 7)
    answers: list[httpx.Response] = []

    def accepted() -> bool:
        answers.append(publish(apis[0], uji))
        return answers[-1].status_code == httpx.codes.ACCEPTED

    eventually(accepted)  # something may be left to pay off of the test before
    answer = answers[-1]
    policies = items(answer.headers["ratelimit-policy"])
    assert [(name, each["q"], each["w"]) for name, each in policies][:2] == [
        ("events", 7, 1),
        ("events", 5, 1),
    ]
    left = dict(items(answer.headers["ratelimit"]))
    assert 0 <= left["events"]["r"] <= 7
    assert left["events"]["t"] >= 1
    assert left["bytes"]["r"] > 1000


def test_streams_of_one_organisation_leave_room(bus: Bus, apis: list[Api]) -> None:
    uji, lain = bus.actor("uji"), bus.actor("lain")
    put_quotas(bus, "uji", {"streams": 4})
    in_force(apis, uji, "streams", 4)
    names = {}
    for actor in (uji, lain):
        names[actor.organisation] = a_name()
        made = actor.put_subscription(names[actor.organisation], FREE, delivery="stream")
        assert made.status_code == 201, made.text
    with ExitStack() as stack:

        def follow(api: Api, actor: Actor) -> int:
            path = f"/v1/subscriptions/{names[actor.organisation]}/stream"
            answer = stack.enter_context(api.stream("GET", path, headers=actor.headers))
            return int(answer.status_code)

        def full() -> bool:
            return {follow(api, uji) for api in apis} == {429}

        eventually(full)
        eventually(lambda: usage(uji, "streams")["used"] >= 4)
        assert usage(uji, "streams")["used"] <= 4 + PROCESSES
        assert follow(apis[0], lain) == 200
    eventually(lambda: usage(uji, "streams")["used"] == 0)
    with ExitStack() as stack:
        assert follow(apis[0], uji) == 200


def test_long_polls_are_limited(bus: Bus, apis: list[Api]) -> None:
    uji, name = bus.actor("uji"), a_name()
    put_quotas(bus, "uji", {"long_polls": 1})
    in_force(apis, uji, "long_polls", 1)
    assert uji.put_subscription(name, FREE, delivery="pull").status_code == 201

    def receive(wait: float) -> int:
        path = f"/v1/subscriptions/{name}/receive"
        return apis[0].post(path, json={"wait": wait}, headers=uji.headers).status_code

    with ThreadPoolExecutor(3) as pool:
        found = sorted(pool.map(receive, [3.0, 3.0, 3.0]))
    assert found[0] == 200
    assert found[-1] == 429
    assert receive(0) == 200  # does not wait


def test_what_is_counted_is_refused_beyond_the_quota(bus: Bus) -> None:
    uji = bus.actor("uji")
    have = {each: int(usage(uji, each)["used"]) for each in ("clients", "grants", "subscriptions")}
    put_quotas(bus, "uji", {each: max(1, count) for each, count in have.items()})
    body = {"organisation": "uji", "title": "Satu lagi", "roles": ["publisher"]}
    if not have["grants"]:
        bus.grant("uji", "subscribe", "id.go.lain.satu.*")
    if not have["subscriptions"]:
        assert uji.put_subscription(a_name(), FREE, delivery="pull").status_code == 201
    problem_of(bus.admin.post("/v1/clients", json=body), 409, "quota-reached")
    grant = {"action": "subscribe", "type": "id.go.lain.dua.*"}
    problem_of(bus.admin.post("/v1/organisations/uji/grants", json=grant), 409, "quota-reached")
    eventually(lambda: usage(uji, "subscriptions")["limit"] == max(1, have["subscriptions"]))
    problem_of(uji.put_subscription(a_name(), FREE, delivery="pull"), 409, "quota-reached")


def test_the_administrator_alone_changes_quotas(bus: Bus) -> None:
    path = "/v1/organisations/uji/quotas"
    uji = bus.actor("uji", "admin")
    shown = uji.get(path)
    tag = shown.headers["etag"]
    assert uji.get(path, headers={"if-none-match": tag}).status_code == 304
    problem_of(uji.call("PUT", path, json={}, headers={"if-match": tag}), 403, "forbidden")
    problem_of(bus.actor("lain", "auditor").get(path), 403, "forbidden")
    problem_of(bus.actor("lain", "auditor").get(f"{path[:-7]}/usage"), 403, "forbidden")
    problem_of(bus.admin.call("PUT", path, json={}), 428, "precondition-required")
    body = {"quotas": {"events": 9}, "clients": {uji.id: {"in_flight": 3}}}
    changed = bus.admin.call("PUT", path, json=body, headers={"if-match": tag})
    assert changed.json() == body
    again = bus.admin.call("PUT", path, json=body, headers={"if-match": tag})
    problem_of(again, 412, "precondition-failed")
    foreign = {"clients": {bus.admin.id: {"events": 1}}}
    events = ({"events": value} for value in (0, -1, 1.5, 10**13, "many"))
    wrong = [foreign, {"quotas": {"unknown": 1}}, *({"quotas": each} for each in events)]
    for each in wrong:
        answer = bus.admin.call("PUT", path, json=each, headers={"if-match": "*"})
        problem_of(answer, 422, "invalid")
