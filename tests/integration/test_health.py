"""What platforms, operators and tools read, and what every path answers to a wrong call."""

import httpx
import pytest
from jsonschema import Draft202012Validator

from gateway.http.entrance import PUBLIC
from tests.builders import a_document
from tests.bus import Bus


def is_problem(answer: httpx.Response, status: int) -> bool:
    media = answer.headers.get("content-type")
    return (answer.status_code, media) == (status, "application/problem+json")


def test_live_and_ready(bus: Bus) -> None:
    assert bus.http.get("/health/live").json() == {"status": "live"}
    ready = bus.http.get("/health/ready")
    assert ready.json()["status"] == "ready"
    assert isinstance(ready.json()["backlog"], int)


def test_metrics_count_what_happens(bus: Bus) -> None:
    def number(name: str) -> float:
        lines = bus.metrics().splitlines()
        found = [line for line in lines if line.startswith(f"{name} ")]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    accepted, refused = (
        "nusabus_events_accepted_total",
        'nusabus_events_refused_total{reason="forbidden"}',
    )
    before = number(accepted), number(refused)
    uji = bus.actor("uji")
    uji.publish(a_document())
    uji.publish_batch([a_document(), a_document(), a_document(type="id.go.tak.ada.sama.v1")])
    assert (number(accepted), number(refused)) == (before[0] + 3, before[1] + 1)
    assert "nusabus_backlog_entries" in bus.metrics()


def test_the_openapi_document(bus: Bus) -> None:
    document = bus.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    assert "post" in paths["/v1/events"]
    assert "get" in paths["/v1/events"]
    assert {"/v1/events/{shard}/{sequence}", "/v1/subscriptions/{name}", "/v1/refusals"} <= set(
        paths
    )
    ids = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    schemas = document["components"]["schemas"]
    for reference in references(document):
        kind, _, name = reference.removeprefix("#/components/").partition("/")
        assert name in document["components"][kind]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def references(node: object) -> list[str]:
    """Every `$ref` below a node."""
    if isinstance(node, list):
        return [each for item in node for each in references(item)]
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [each for item in node.values() for each in references(item)]
    return []


def test_receipts_and_problems_are_as_described(bus: Bus) -> None:
    document = bus.http.get("/openapi.json").json()
    uji = bus.actor("uji")
    answers = {
        "Receipt": uji.publish(a_document()),
        "Problem": uji.publish(a_document(data=[])),
        "BatchResult": uji.publish_batch([a_document(), 5]),
    }
    for name, answer in answers.items():
        schema = {**document, "$ref": f"#/components/schemas/{name}"}
        Draft202012Validator(schema).validate(answer.json())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/events/", 404),
        ("GET", "/v1/events/0/1/2", 404),
        ("GET", "/%00", 404),
        ("GET", "/v1/../../etc/passwd", 404),
        ("PUT", "/v1/events", 405),
        ("DELETE", "/v1/events", 405),
        ("PATCH", "/v1/subscriptions/x", 405),
        ("POST", "/health/live", 405),
        ("OPTIONS", "/v1/events", 405),
        ("TRACE", "/v1/refusals", 405),
    ],
)
def test_wrong_calls_are_told_as_problems(bus: Bus, method: str, path: str, status: int) -> None:
    answer = bus.actor("uji").call(method, path, follow_redirects=False)
    assert is_problem(answer, status), (answer.status_code, answer.headers, answer.text)
    stranger = bus.http.request(method, path, follow_redirects=False)
    assert is_problem(stranger, status if path in PUBLIC else 401)


def test_head_is_no_way_to_publish(bus: Bus) -> None:
    answer = bus.actor("uji").call("HEAD", "/v1/events", params={"source": "/uji", "id": "1"})
    assert answer.status_code == 405


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"types":["id.go.uji.*"],"start":"\\ud800"}',
        b'{"types":["' + b"x" * 70_000 + b'"]}',
        b"\xff",
        b"[" * 30_000,
        b"",
    ],
    ids=("cut", "surrogate", "large", "latin", "deep", "empty"),
)
def test_a_broken_body_is_never_a_defect(bus: Bus, body: bytes) -> None:
    answer = bus.actor("uji").call(
        "PUT", "/v1/subscriptions/x", content=body, headers={"content-type": "application/json"}
    )
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "http.request_crashed" not in bus.logs()


def test_metrics_are_for_who_has_their_token(bus: Bus) -> None:
    assert "nusabus_backlog_entries" in bus.metrics()
    for headers in ({}, {"authorization": "Bearer a token that is only for testz."}):
        assert is_problem(bus.http.get("/metrics", headers=headers), 401)
    admin = bus.admin.headers
    assert is_problem(bus.http.get("/metrics", headers=admin), 401)
