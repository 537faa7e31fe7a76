"""The client library's calls of the registry."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from adapters.client import Contracts, Problem
from tests.unit.client_gateway import Gateway, a_problem

TYPE = "id.go.bmkg.gempa.terdeteksi.v1"
PATH = f"/v1/contracts/{TYPE}"


async def sent(call: str, *arguments: Any, **named: Any) -> httpx.Request:
    """The one request that a call makes."""
    gateway = Gateway(httpx.Response(200, json={"items": [], "next": None}))
    async with gateway.bus() as bus:
        await getattr(Contracts(bus), call)(*arguments, **named)
    (request,) = gateway.requests
    return request


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("find", (), ("GET", "/v1/contracts", None)),
        ("show", (TYPE,), ("GET", PATH, None)),
        ("versions", (TYPE,), ("GET", f"{PATH}/versions", None)),
        ("history", (TYPE,), ("GET", f"{PATH}/history", None)),
        ("register", ({"type": TYPE},), ("POST", "/v1/contracts", None)),
        ("try_version", (TYPE, {}), ("POST", f"{PATH}/compatibility", None)),
        ("add_version", (TYPE, {}), ("POST", f"{PATH}/versions", "*")),
        ("change", (TYPE, {"title": "T"}), ("PATCH", PATH, "*")),
        ("approve", (TYPE, 2), ("POST", f"{PATH}/versions/2/approval", "*")),
        ("reinstate", (TYPE, 2), ("POST", f"{PATH}/versions/2/reinstatement", "*")),
        ("deprecate", (TYPE, 2), ("POST", f"{PATH}/versions/2/deprecation", "*")),
        ("deprecate", (TYPE,), ("POST", f"{PATH}/deprecation", "*")),
        ("would_retire", (TYPE, 2), ("POST", f"{PATH}/versions/2/retirement", None)),
        ("retire", (TYPE,), ("POST", f"{PATH}/retirement", "*")),
    ],
)
async def test_calls(call: str, arguments: tuple[Any, ...], expected: tuple[str, ...]) -> None:
    request = await sent(call, *arguments)
    assert (request.method, request.url.path, request.headers.get("if-match")) == expected


async def test_a_change_names_what_it_changes() -> None:
    request = await sent("add_version", TYPE, {"schema": {}}, revision=7)
    assert request.headers["if-match"] == '"7"'
    assert json.loads(request.content) == {"schema": {}}


async def test_a_deprecation_has_its_date() -> None:
    request = await sent("deprecate", TYPE, sunset=datetime(2031, 1, 2, tzinfo=UTC))
    assert json.loads(request.content)["sunset"] == "2031-01-02T00:00:00+00:00"


async def test_what_breaks_somebody_says_whom() -> None:
    impact = {"subscriptions": [], "publishers": [{"organisation": "bnpb"}]}
    gateway = Gateway(a_problem(409, "incompatible", impact=impact))
    async with gateway.bus() as bus:
        with pytest.raises(Problem) as caught:
            await Contracts(bus).add_version(TYPE, {"schema": {}})
    assert caught.value.code == "incompatible"
    assert caught.value.document["impact"] == impact
