"""Schemas on a running bus: refused when they are harmful, put together, served for ever."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.builders import a_document
from tests.bus import Actor, Bus
from tests.integration.contracts.registration import (
    a_json_schema,
    a_registration,
    a_type,
    a_version,
    act,
    add,
    register,
)
from tests.problems import problem_of
from tests.waiting import eventually

JSON = {"content-type": "application/json"}


def test_references_make_no_connection(admin: Actor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        url = f"http://127.0.0.1:{canary.getsockname()[1]}/schema.json"
        schemas: tuple[dict[str, Any], ...] = (
            {"$ref": url},
            {"properties": {"a": {"$ref": f"{url}#/$defs/a"}}},
            {"$id": url, "$ref": "part.json"},
            {"$schema": url},
            {"$dynamicRef": url},
        )
        for schema in schemas:
            for path in ("", f"/{register(admin, a_type()).json()['contract']['type']}/versions"):
                body = a_registration(a_type()) if not path else a_version()
                body["schema"] = a_json_schema(**schema)
                answer = admin.post(f"/v1/contracts{path}", json=body, headers={"if-match": "*"})
                problem_of(answer, 422, "invalid")
        with pytest.raises(BlockingIOError):
            canary.accept()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed"),
        (b"[]", 422, "invalid"),
        (b'{"type":"a","type":"b"}', 400, "malformed"),
        (b'{"title":"\xff"}', 400, "malformed"),
        (b'{"title":"\\ud800"}', 400, "malformed"),
        (b'{"n":1e999}', 400, "malformed"),
        (b'{"n":NaN}', 400, "malformed"),
        (b'{"schema":' + b'{"not":' * 5000 + b"true" + b"}" * 5001, 400, "malformed"),
        (b'{"x":"' + b"a" * (10 << 20) + b'"}', 413, "too-large"),
        (b"", 422, "invalid"),
    ],
    ids=range(10),
)
def test_bodies_that_cannot_be(admin: Actor, body: bytes, status: int, code: str) -> None:
    answer = admin.post("/v1/contracts", content=body, headers=JSON)
    problem_of(answer, status, code)


def test_no_body_is_parsed_for_a_stranger(bus: Bus) -> None:
    answer = bus.http.post("/v1/contracts", content=b"{", headers=JSON)
    problem_of(answer, 401, "not-authenticated")


def test_duplicate_members_inside_a_schema_are_refused(admin: Actor) -> None:
    body = json.dumps(a_registration(a_type())).replace('"schema": {', '"schema": {"type": "null",')
    answer = admin.post("/v1/contracts", content=body.encode(), headers=JSON)
    assert problem_of(answer, 400, "malformed")["pointer"] == "/schema/type"


def test_numbers_of_examples_arrive_exactly(admin: Actor) -> None:
    schema = a_json_schema(properties={"n": {"const": 9007199254740993}})
    good, bad = ({"n": 9007199254740993}, {"n": 9007199254740992})
    examples = {
        "valid": [{"name": "satu", "data": good}],
        "invalid": [{"name": "lain", "keyword": "const", "pointer": "/n", "data": bad}],
    }
    register(admin, a_type(), schema=schema, examples=examples)


def test_what_does_not_end_leaves_the_gateway_responsive(bus: Bus, admin: Actor) -> None:
    pattern = a_json_schema(properties={"n": {"type": "string", "pattern": "^(a+)+$"}})
    slow = a_registration(a_type(), schema=pattern)
    slow["examples"]["valid"][0]["data"] = {"n": "a" * 60 + "!"}
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(lambda: admin.post("/v1/contracts", json=slow))
        slowest = 0.0
        while not answer.done():
            started = time.monotonic()
            assert bus.answers("/health/live") == 200
            slowest = max(slowest, time.monotonic() - started)
    assert "longer than" in problem_of(answer.result(), 422, "invalid")["detail"]
    assert slowest < 2
    register(admin, a_type())


def test_a_schema_uses_another_one_by_its_id(bus: Bus, admin: Actor) -> None:
    used, type = a_type(), a_type()
    reference = register(admin, used).json()["version"]
    for each in (reference["id"], reference["dataschema"]):
        schema = a_json_schema(properties={"n": {"$ref": each}})
        examples = {
            "valid": [{"name": "satu", "data": {"n": {"n": 1}}}],
            "invalid": [
                {"name": "lain", "keyword": "type", "pointer": "/n/n", "data": {"n": {"n": "x"}}}
            ],
        }
        register(admin, type := a_type(), schema=schema, examples=examples)
    answer = admin.get(f"/v1/contracts/{type}/versions/1/schema").json()
    assert reference["id"] not in json.dumps(answer)
    assert list(answer["$defs"]) == [f"{used}-1"]
    assert admin.get(f"/v1/contracts/{type}/versions/1").json()["schema"] == schema
    uji = bus.actor("uji")
    eventually(lambda: uji.publish(a_document(type=type, data={"n": {"n": 1}})).status_code == 202)
    refused = uji.publish(a_document(type=type, data={"n": {"n": "x"}}))
    problem = problem_of(refused, 422, "contract-violation")
    assert problem["violations"][0]["pointer"] == "/n/n"
    act(admin, f"{used}/retirement", confirm="true")
    answer = admin.post("/v1/contracts", json=a_registration(a_type(), schema=schema))
    problem_of(answer, 422, "invalid")


def test_a_secret_schema_is_not_used_by_strangers(bus: Bus, admin: Actor) -> None:
    secret = register(admin, a_type(), classification="secret").json()["version"]["id"]
    stranger = bus.actor("lain", "admin")
    schema = a_json_schema(properties={"n": {"$ref": secret}})
    answer = stranger.post("/v1/contracts", json=a_registration(a_type("lain"), schema=schema))
    assert "not a version that you may use" in problem_of(answer, 422, "invalid")["detail"]


def test_a_schema_is_served_to_be_kept(admin: Actor) -> None:
    type, public = a_type(), a_type()
    register(admin, type)
    register(admin, public, classification="public")
    path = f"/v1/contracts/{type}/versions/1/schema"
    answer = admin.get(path)
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    again = admin.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == answer.headers["cache-control"]
    open_one = admin.get(f"/v1/contracts/{public}/versions/1/schema")
    assert open_one.headers["cache-control"].startswith("public")
    problem_of(admin.get(f"/v1/contracts/{type}/versions/2/schema"), 404, "not-found")
    problem_of(admin.get(f"/v1/contracts/{type}/versions/1/reply-schema"), 404, "not-found")
    problem_of(admin.get(f"/v1/contracts/{type}/versions/0/schema"), 422, "invalid")


def test_lint_advises_and_may_be_raised(bus: Bus) -> None:
    by = bus.actor("lain", "admin")
    bare = a_json_schema(title=None, description=None)
    type = a_type("lain")
    made = register(by, type, schema=bare)
    rules = {each["rule"] for each in made.json()["advice"]}
    assert rules
    path = "/v1/organisations/lain/contract-defaults"
    before = by.get(path).json()
    raised = {**before, "lint": dict.fromkeys(rules, "error")}
    assert by.call("PUT", path, json=raised, headers={"if-match": "*"}).status_code == 200
    try:
        answer = by.post("/v1/contracts", json=a_registration(a_type("lain"), schema=bare))
        assert "lint" in problem_of(answer, 422, "invalid")["detail"]
        assert add(by, type, schema=bare).status_code == 200
    finally:
        by.call("PUT", path, json=before, headers={"if-match": "*"})
    unknown = {**before, "lint": {"nothing-known": "error"}}
    problem_of(by.call("PUT", path, json=unknown, headers={"if-match": "*"}), 422, "invalid")


def test_draft_4_and_several_schemas_are_converted(admin: Actor) -> None:
    body: dict[str, Any] = {
        "schema": {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object",
                   "properties": {"n": {"$ref": "n.json"}}},
        "schemas": {"n.json": {"minimum": 1.50, "exclusiveMinimum": True}},
    }  # fmt: skip
    answer = admin.post("/v1/contracts/convert", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["schema"] == {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"n": {"$ref": "#/definitions/n.json"}},
        "definitions": {"n.json": {"exclusiveMinimum": 1.5}},
    }
    assert "/definitions/n.json" in [each["pointer"] for each in answer.json()["changes"]]
    body["schema"]["properties"]["n"]["$ref"] = "gone.json"
    refused = problem_of(admin.post("/v1/contracts/convert", json=body), 422, "invalid")
    assert refused["pointer"] == "/properties/n/$ref"


def test_a_schema_of_others_is_registered_and_stands_alone(admin: Actor) -> None:
    type = a_type()
    body = a_registration(type)
    body["schema"] = a_json_schema(**{"$id": "https://a.example/b", "properties": {
        "n": {"$ref": "https://a.example/c"}}, "$defs": {"c": {
            "$id": "https://a.example/c", "type": "integer"}}})  # fmt: skip
    answer = admin.post("/v1/contracts", json=body)
    assert answer.status_code == 201, answer.text
    bundle = admin.get(f"/v1/contracts/{type}/versions/1/schema").json()
    assert bundle["properties"] == {"n": {"$ref": "#/$defs/c"}}
    written = admin.get(f"/v1/contracts/{type}/versions/1").json()["schema"]
    assert written["properties"] == {"n": {"$ref": "https://a.example/c"}}
