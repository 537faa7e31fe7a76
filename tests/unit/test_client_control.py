"""The client library's other calls: subscriptions, lists, and what administrators do."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from adapters.client import Administration, Problem
from tests.unit.client_gateway import Gateway, a_problem

SUBSCRIPTION: dict[str, Any] = {
    "name": "kependudukan",
    "types": ["id.go.kemendagri.*"],
    "ordered": True,
    "state": "active",
    "queue": "sub.dukcapil.kependudukan",
    "amqp_url": "amqp://sub.dukcapil.kependudukan:hidden@127.0.0.1/",
}


def listing(*items: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={"items": items, "next": None})


async def test_a_subscription_is_asked_for_and_keeps_its_password_out_of_logs() -> None:
    held = httpx.Response(200, json={"discarded_messages": 3})
    gateway = Gateway(
        httpx.Response(201, json=SUBSCRIPTION), httpx.Response(200, json=SUBSCRIPTION), held
    )
    async with gateway.bus() as bus:
        start = datetime(2023, 11, 5, tzinfo=UTC)
        made = await bus.subscribe("kependudukan", SUBSCRIPTION["types"], ordered=True, start=start)
        assert await bus.renew("kependudukan") == made
        assert await bus.unsubscribe("kependudukan") == 3
    assert made.amqp_url == SUBSCRIPTION["amqp_url"]
    assert made.active
    assert "hidden" not in repr(made)
    put, post, delete = gateway.requests
    assert json.loads(put.content) == {
        "types": ["id.go.kemendagri.*"],
        "ordered": True,
        "start": "2023-11-05T00:00:00+00:00",
    }
    path = "/v1/subscriptions/kependudukan"
    assert (put.method, put.url.path) == ("PUT", path)
    assert (post.method, post.url.path) == ("POST", f"{path}/credentials")
    assert (delete.method, delete.url.path) == ("DELETE", path)


async def test_subscriptions_are_shown_one_or_all() -> None:
    gateway = Gateway(httpx.Response(200, json=SUBSCRIPTION), listing(SUBSCRIPTION))
    async with gateway.bus() as bus:
        assert [await bus.subscription("kependudukan")] == await bus.subscriptions()
    paths = [request.url.path for request in gateway.requests]
    assert paths == ["/v1/subscriptions/kependudukan", "/v1/subscriptions"]


async def test_lists_are_read_to_their_end() -> None:
    gateway = Gateway(
        httpx.Response(200, json={"items": [{"n": 1}], "next": "c1"}),
        httpx.Response(200, json={"items": [{"n": 2}], "next": None}),
    )
    async with gateway.bus() as bus:
        assert await bus.all("/v1/clients", organisation="bi") == [{"n": 1}, {"n": 2}]
    assert [request.url.query for request in gateway.requests] == [
        b"organisation=bi",
        b"organisation=bi&cursor=c1",
    ]


async def test_a_client_of_the_same_title_is_found_again() -> None:
    others = {"id": "bi-1", "title": "Another", "state": "active"}
    disabled = {"id": "bi-2", "title": "Demo", "state": "disabled"}
    ours = {"id": "bi-3", "title": "Demo", "state": "active"}
    made = httpx.Response(201, json={"id": "bi-4"})
    gateway = Gateway(listing(others, disabled, ours), listing(others, disabled), made)
    async with gateway.bus() as bus:
        admin = Administration(bus)
        assert await admin.provide_client("bi", "Demo", ["publisher"]) == "bi-3"
        assert await admin.provide_client("bi", "Demo", ["publisher"]) == "bi-4"


async def test_a_third_secret_takes_the_place_of_the_oldest() -> None:
    made = httpx.Response(201, json={"id": "s3", "secret": "nbs_new"})
    gateway = Gateway(listing({"id": "s1"}, {"id": "s2"}), httpx.Response(204), made)
    async with gateway.bus() as bus:
        assert await Administration(bus).add_secret("bi-1") == "nbs_new"
    assert [(request.method, request.url.path) for request in gateway.requests] == [
        ("GET", "/v1/clients/bi-1/secrets"),
        ("DELETE", "/v1/clients/bi-1/secrets/s1"),
        ("POST", "/v1/clients/bi-1/secrets"),
    ]


async def test_a_grant_that_exists_is_as_good_as_a_new_one() -> None:
    gateway = Gateway(httpx.Response(201, json={}), a_problem(409, "conflict"), a_problem(404, "x"))
    async with gateway.bus() as bus:
        admin = Administration(bus)
        await admin.grant("bi", "subscribe", "id.go.bps.*")
        await admin.grant("bi", "subscribe", "id.go.bps.*")
        with pytest.raises(Problem, match="404"):
            await admin.grant("nobody", "subscribe", "id.go.bps.*")


async def test_a_source_prefix_is_assigned() -> None:
    gateway = Gateway(httpx.Response(201, json={}), a_problem(409, "conflict"))
    async with gateway.bus() as bus:
        admin = Administration(bus)
        await admin.assign_source_prefix("bi", "https://bi.go.id/")
        with pytest.raises(Problem, match="409"):
            await admin.assign_source_prefix("bps", "https://bi.go.id/x")
    (first, _) = gateway.requests
    assert (first.method, first.url.path) == ("POST", "/v1/organisations/bi/sources")
    assert first.content == b'{"prefix":"https://bi.go.id/"}'
