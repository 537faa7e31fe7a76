"""`/v1/contracts` on a running bus: registered, found, changed, listed."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.builders import FREE
from tests.bus import Actor, Bus
from tests.integration.contracts.registration import (
    a_json_schema,
    a_registration,
    a_type,
    a_version,
    add,
    register,
    wider,
)
from tests.problems import problem_of


def test_a_contract_is_registered_and_found_again(admin: Actor) -> None:
    type = a_type()
    made = register(admin, type)
    assert made.headers["location"] == f"/v1/contracts/{type}/versions/1"
    body = made.json()
    assert (body["contract"]["state"], body["contract"]["active_version"]) == ("active", 1)
    assert body["version"]["schema"] == a_json_schema()
    again = admin.post("/v1/contracts", json=a_registration(type))
    assert again.status_code == 200
    assert again.json()["version"]["digest"] == body["version"]["digest"]
    changed = admin.post("/v1/contracts", json=a_registration(type, title="Another"))
    problem_of(changed, 409, "conflict")
    shown = admin.get(f"/v1/contracts/{type}")
    assert shown.json() == body["contract"]
    assert shown.headers["etag"] == f'"{body["contract"]["revision"]}"'


def test_a_schema_is_kept_to_the_last_digit(admin: Actor) -> None:
    type = a_type()
    schema = json.dumps(a_json_schema())[:-1] + ', "$comment" : "é\\u00e9", "minProperties": 1.0 }'
    body = json.dumps({**a_registration(type), "schema": 0})
    content = body.replace('"schema": 0', f'"schema": {schema}').encode()
    headers = {"content-type": "application/json"}
    assert admin.post("/v1/contracts", content=content, headers=headers).status_code == 201
    shown = admin.get(f"/v1/contracts/{type}/versions/1")
    assert schema.encode() in shown.content
    assert admin.get(f"/v1/contracts/{type}/versions/1/schema").content == schema.encode()


def test_the_same_schema_is_the_same_version(admin: Actor) -> None:
    type = a_type()
    register(admin, type)
    same = add(admin, type, schema=dict(reversed(a_json_schema().items())))
    assert (same.status_code, same.json()["version"]["version"]) == (200, 1)
    two = add(admin, type, schema=wider())
    assert (two.status_code, two.json()["version"]["version"]) == (201, 2)
    assert two.json()["compatibility"]["outcome"] == "compatible"
    assert add(admin, type, match='"1"').status_code == 200, "a repeat needs no precondition"
    listed = admin.get(f"/v1/contracts/{type}/versions", params={"limit": "1"}).json()
    assert [each["version"] for each in listed["items"]] == [1]
    rest = admin.get(f"/v1/contracts/{type}/versions", params={"cursor": listed["next"]}).json()
    assert [each["version"] for each in rest["items"]] == [2]
    assert rest["next"] is None


def test_changes_need_the_present_etag(admin: Actor) -> None:
    type = a_type()
    first = register(admin, type).headers["etag"]
    path = f"/v1/contracts/{type}"
    missing = admin.call("PATCH", path, json={"title": "Baru"})
    problem_of(missing, 428, "precondition-required")
    done = admin.call("PATCH", path, json={"title": "Baru"}, headers={"if-match": first})
    assert (done.status_code, done.json()["title"]) == (200, "Baru")
    lost = admin.call("PATCH", path, json={"title": "Lain"}, headers={"if-match": first})
    problem_of(lost, 412, "precondition-failed")
    problem_of(add(admin, type, match=first, schema=wider()), 412, "precondition-failed")
    problem_of(add(admin, type, match=None, schema=wider()), 428, "precondition-required")
    for bad in ("1", '""', '"x"', 'W/"1"', f'"{"9" * 30}"'):
        answer = admin.call("PATCH", path, json={}, headers={"if-match": bad})
        problem_of(answer, 412, "precondition-failed")
    now = done.headers["etag"]
    assert add(admin, type, match=now, schema=wider()).status_code == 201
    seen = admin.get(path, headers={"if-none-match": now})
    assert seen.status_code == 200
    assert admin.get(path, headers={"if-none-match": seen.headers["etag"]}).status_code == 304


def test_two_administrators_at_once_do_not_lose_a_version(admin: Actor, other: Actor) -> None:
    type = a_type()
    tag = register(admin, type).headers["etag"]
    bodies = [wider(), wider(description="Another.")]

    def race(match: str) -> list[httpx.Response]:
        with ThreadPoolExecutor() as pool:
            return list(
                pool.map(
                    lambda pair: add(pair[0], type, match=match, schema=pair[1]),
                    zip((admin, other), bodies, strict=True),
                )
            )

    assert sorted(each.status_code for each in race(tag)) == [201, 412]
    assert sorted(each.status_code for each in race("*")) == [200, 201]
    numbers = [each["version"] for each in admin.get(f"/v1/contracts/{type}").json()["versions"]]
    assert numbers == [1, 2, 3]


def test_one_of_two_that_register_one_type_wins(admin: Actor, other: Actor) -> None:
    type = a_type()
    bodies = [a_registration(type), a_registration(type, title="Another")]
    with ThreadPoolExecutor() as pool:
        answers = list(
            pool.map(
                lambda pair: pair[0].post("/v1/contracts", json=pair[1]),
                zip((admin, other), bodies, strict=True),
            )
        )
    assert sorted(each.status_code for each in answers) == [201, 409]


def test_whoever_registers_the_very_same_at_once_finds_it(admin: Actor) -> None:
    body = a_registration(a_type())
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: admin.post("/v1/contracts", json=body), range(6)))
    assert sorted(each.status_code for each in answers) == [200] * 5 + [201]


def test_of_many_versions_for_one_state_one_is_registered(admin: Actor) -> None:
    """Each would break what the other says; still all but one hear that they were too late."""
    type = a_type()
    tag = register(admin, type).headers["etag"]
    n = a_json_schema()["properties"]["n"]
    schemas = [a_json_schema(properties={"n": n, f"m{i}": {"type": "string"}}) for i in range(6)]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda each: add(admin, type, match=tag, schema=each), schemas))
    assert sorted(each.status_code for each in answers) == [201] + [412] * 5


def test_only_administrators_of_the_owner_write(bus: Bus, admin: Actor) -> None:
    type = a_type()
    register(admin, type)
    stranger = bus.actor("lain", "admin")
    path = f"/v1/contracts/{type}"
    for answer in (
        stranger.get(path),
        stranger.get(f"{path}/versions"),
        stranger.get(f"{path}/versions/1"),
        stranger.get(f"{path}/versions/1/schema"),
        stranger.get(f"{path}/history"),
        stranger.get(f"{path}/impact"),
        stranger.call("PATCH", path, json={}, headers={"if-match": "*"}),
        add(stranger, type),
        stranger.post(f"{path}/compatibility", json=a_version()),
        stranger.post(f"{path}/retirement", params={"dryrun": "true"}),
    ):
        problem_of(answer, 404, "not-found")
    bus.grant("lain", "subscribe", type)
    assert stranger.get(path).status_code == 200
    problem_of(add(stranger, type), 403, "forbidden")
    problem_of(stranger.get(f"{path}/history"), 403, "forbidden")
    publisher = bus.actor("uji", "publisher")
    assert publisher.get(path).status_code == 200
    problem_of(add(publisher, type), 403, "forbidden")
    foreign = stranger.post("/v1/contracts", json=a_registration(a_type()))
    problem_of(foreign, 403, "forbidden")
    operators = bus.admin.post("/v1/contracts", json=a_registration(a_type()))
    assert operators.status_code == 201


def test_contracts_are_searched_and_listed_in_pieces(bus: Bus, admin: Actor) -> None:
    types = sorted(a_type() for _ in range(3))
    word = f"bandwidth{types[0].split('.')[3]}"
    register(admin, types[0], title=f"100% {word}", classification="secret")
    register(admin, types[1], description=f"the {word.upper()}_x", classification="secret")
    register(admin, types[2], title=word, classification="public")

    def listed(by: Actor, **query: str) -> list[str]:
        answer = by.get("/v1/contracts", params=query)
        assert answer.status_code == 200, answer.text
        return [each["type"] for each in answer.json()["items"]]

    assert listed(admin, text=word) == types
    assert listed(admin, text=f"100% {word}") == types[:1]
    assert listed(admin, text=f"{word}_") == types[1:2]
    assert listed(admin, text=word, classification="public") == types[2:]
    assert listed(admin, text=word, owner="lain") == []
    assert listed(admin, text=word, pattern="request-reply") == []
    assert listed(admin, text=word, state="active") == types
    assert listed(admin, text=word, state="retired") == []
    assert listed(bus.actor("lain"), text=word) == types[2:]
    assert listed(bus.admin, text=word) == types
    first = admin.get("/v1/contracts", params={"text": word, "limit": "2"}).json()
    rest = admin.get("/v1/contracts", params={"text": word, "cursor": first["next"]}).json()
    assert [each["type"] for each in first["items"] + rest["items"]] == types
    assert FREE in listed(admin, limit="200")


def test_who_did_what_is_kept(bus: Bus, admin: Actor, other: Actor) -> None:
    type = a_type()
    register(admin, type)
    headers = {"if-match": "*"}
    other.call("PATCH", f"/v1/contracts/{type}", json={"title": "Baru"}, headers=headers)
    add(admin, type, schema=wider())
    items = admin.get(f"/v1/contracts/{type}/history").json()["items"]
    assert [(each["action"], each["version"], each["client"]) for each in items] == [
        ("created", None, admin.id),
        ("version", 1, admin.id),
        ("changed", None, other.id),
        ("version", 2, admin.id),
    ]
    assert items[2]["detail"] == {"title": "Baru"}
    for statement in (
        "DELETE FROM contract_history",
        "UPDATE contract_history SET client = 'nobody'",
        "DELETE FROM contract_versions",
        "UPDATE contract_versions SET text = '{}'",
        "DELETE FROM contracts",
    ):
        with pytest.raises(Exception, match="not allowed"):
            bus.query(statement)


def test_defaults_hold_where_a_contract_says_nothing(bus: Bus) -> None:
    by = bus.actor("uji", "admin")
    path = "/v1/organisations/uji/contract-defaults"
    before = by.get(path)
    request: dict[str, Any] = {"compatibility": {"mode": "none", "policy": "strict"}, "lint": {}}
    stale = by.call("PUT", path, json=request, headers={"if-match": '"99"'})
    problem_of(stale, 412, "precondition-failed")
    headers = {"if-match": before.headers["etag"]}
    assert by.call("PUT", path, json=request, headers=headers).json() == request
    try:
        type = a_type()
        register(by, type)
        narrow = a_json_schema(properties={"n": {"type": "integer", "maximum": 5}})
        assert add(by, type, schema=narrow).status_code == 201
    finally:
        by.call("PUT", path, json=before.json(), headers={"if-match": "*"})
    request["compatibility"] = {"mode": "backward", "policy": "optional-friendly"}
    answer = by.call("PUT", path, json=request, headers={"if-match": "*"})
    problem_of(answer, 422, "invalid")
    problem_of(by.get("/v1/organisations/tiada/contract-defaults"), 404, "not-found")
    foreign = "/v1/organisations/lain/contract-defaults"
    answer = by.call("PUT", foreign, json=before.json(), headers={"if-match": "*"})
    problem_of(answer, 403, "forbidden")
