"""Every route of the OpenAPI document for every role: what is not in the table is denied."""

import json
from typing import Any

import pytest

from gateway.http.entrance import PUBLIC
from tests.bus import Bus
from tests.integration.access import ACCESS, ANYONE, EVERY

VALUES = {
    "name": "tidak-ada",
    "shard": "0",
    "sequence": "999999",
    "number": "999999",
    "version": "1",
    "id": "0" * 32,
    "secret": "x",
    "kid": "x",
    "type": "id.go.tidak.ada.sama.v1",
}


def routes(bus: Bus) -> dict[str, Any]:
    document = bus.http.get("/openapi.json").json()
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def call(bus: Bus, route: str, headers: dict[str, str]) -> int:
    method, _, path = route.partition(" ")
    for name, value in VALUES.items():
        path = path.replace(f"{{{name}}}", value)
    body: dict[str, str] | None = {} if method in ("POST", "PUT", "PATCH") else None
    return bus.http.request(method, path, headers=headers, json=body).status_code


def test_every_route_is_in_the_table(bus: Bus) -> None:
    assert set(routes(bus)) - set(ACCESS) == set()
    assert set(ACCESS) - set(routes(bus)) == set()


def test_without_a_token_every_route_is_denied(bus: Bus) -> None:
    for route, roles in ACCESS.items():
        status = call(bus, route, {})
        assert (status == 401) is (ANYONE not in roles), route
        forged = call(bus, route, {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."})
        assert (forged == 401) is (ANYONE not in roles), route


@pytest.mark.parametrize("role", EVERY)
def test_every_role_may_use_the_routes_of_its_table(bus: Bus, role: str) -> None:
    actor = bus.actor("uji", role)
    wrong = {}
    for route, roles in ACCESS.items():
        if ANYONE in roles:
            continue
        status = call(bus, route, actor.headers)
        refused = status in (401, 403)
        if status >= 500 or refused is (role in roles):
            wrong[route] = status
    assert wrong == {}


def test_only_these_paths_are_public(bus: Bus) -> None:
    pages = {"/docs", "/openapi.json"}
    public = {route.split()[1] for route, roles in ACCESS.items() if ANYONE in roles}
    assert public | pages | {"/metrics"} == PUBLIC
    assert bus.http.get("/tidak-ada").status_code == 401
    assert bus.http.post("/v1/events/", content=b"x").status_code == 401


def test_attempts_at_what_is_not_permitted_are_logged_and_do_not_fill_the_log(bus: Bus) -> None:
    actor = bus.actor("uji", "auditor", "subscriber")
    for _ in range(40):
        assert call(bus, "POST /v1/organisations/{name}/grants", actor.headers) == 403
    lines = [json.loads(line) for line in bus.logs().splitlines() if actor.id in line]
    found = [line for line in lines if line["event"] == "access.refused"]
    assert 20 <= len(found) < 40
    assert {line["path"] for line in found} == {"/v1/organisations/{name}/grants"}
    assert {(line["by"], line["organisation"]) for line in found} == {(actor.id, "uji")}
