"""What the registry gives to programmers: code, an example event, AsyncAPI, lint."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.builders import CITIZEN, FOREIGN, FREE, QUESTION
from tests.bus import Actor, Bus
from tests.problems import problem_of

OFFICIAL = Path(__file__).resolve().parents[1] / "resources" / "asyncapi-3.0.0.json"
VERSION = f"/v1/contracts/{CITIZEN}/versions/1"


@pytest.fixture(scope="module")
def uji(bus: Bus) -> Actor:
    """A publisher and subscriber of the organisation that owns most types."""
    return bus.actor("uji")


def test_a_pydantic_model(uji: Actor) -> None:
    answer = uji.get(f"{VERSION}/pydantic")
    assert answer.status_code == 200
    assert "class WargaDicatatV1(BaseModel):" in answer.text
    assert answer.headers["content-type"] == "text/x-python; charset=utf-8"
    etag = answer.headers["etag"]
    again = uji.get(f"{VERSION}/pydantic", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")


def test_a_typescript_type(uji: Actor) -> None:
    answer = uji.get(f"{VERSION}/typescript")
    assert "export type WargaDicatatV1 = {" in answer.text
    assert answer.headers["content-type"] == "text/x-typescript; charset=utf-8"


@pytest.mark.parametrize("kind", ["pydantic", "typescript"])
def test_code_of_a_reply(uji: Actor, kind: str) -> None:
    path = f"/v1/contracts/{QUESTION}/versions/1/{kind}"
    assert "TanyaDiajukanV1Reply" in uji.get(path, params={"part": "reply"}).text
    none = uji.get(f"{VERSION}/{kind}", params={"part": "reply"})
    problem_of(none, 404, "not-found")


def test_an_example_event_is_accepted(uji: Actor) -> None:
    answer = uji.get(f"{VERSION}/example")
    assert answer.headers["content-type"] == "application/cloudevents+json"
    published = uji.publish(answer.content)
    assert published.status_code == 202, published.text


@pytest.mark.parametrize("kind", ["pydantic", "typescript", "example"])
def test_what_one_may_not_see_is_not_there(bus: Bus, kind: str) -> None:
    stranger = bus.actor("lain")
    problem_of(stranger.get(f"{VERSION}/{kind}"), 404, "not-found")
    problem_of(bus.actor("uji").get(f"/v1/contracts/{FREE}/versions/9/{kind}"), 404, "not-found")


def test_the_catalogue_as_one_may_see_it(bus: Bus, uji: Actor) -> None:
    document = uji.get("/asyncapi.json").json()
    jsonschema.Draft7Validator(json.loads(OFFICIAL.read_bytes())).validate(document)
    assert {FREE, CITIZEN, QUESTION} <= set(document["channels"])
    assert f"publish.{FREE}" in document["operations"]
    theirs = bus.actor("lain").get("/asyncapi.json").json()
    assert CITIZEN not in theirs["channels"]
    assert f"receive.{FREE}" in theirs["operations"]
    assert f"publish.{FREE}" not in theirs["operations"]
    owned = uji.get("/asyncapi.json", params={"owner": "lain"}).json()
    assert list(owned["channels"]) == []


def test_the_document_of_one_contract(bus: Bus, uji: Actor) -> None:
    document = uji.get(f"/v1/contracts/{QUESTION}/asyncapi.json").json()
    assert list(document["channels"]) == [QUESTION, f"{QUESTION}.reply", "publish"]
    assert document["channels"][QUESTION]["bindings"]["amqp"]["exchange"]["name"] == "bus.requests"
    problem_of(uji.get(f"/v1/contracts/{FOREIGN}/asyncapi.json"), 404, "not-found")


def test_nobody_reads_it_without_a_token(bus: Bus) -> None:
    problem_of(bus.http.get("/asyncapi.json"), 401, "not-authenticated")


def a_question(**changes: Any) -> dict[str, Any]:
    contract = {
        "type": "id.go.uji.warga.dicatat.v1",
        "owner": "uji",
        "title": "Citizen",
        "description": "For tests.",
        "pattern": "publish-subscribe",
        "classification": "internal",
        "ordering": {"key": "subject", "description": "The citizen."},
    }
    schema = {"title": "Citizen", "description": "One.", "type": "object"}
    return {"contract": contract, "schema": schema, **changes}


def test_lint(uji: Actor) -> None:
    answer = uji.post("/v1/contracts/lint", json=a_question())
    assert answer.status_code == 200, answer.text
    [found] = answer.json()["findings"]
    assert (found["rule"], found["level"], found["document"], found["pointer"]) == (
        "openness", "warning", "schema", "",
    )  # fmt: skip
    raised = uji.post("/v1/contracts/lint", json=a_question(levels={"openness": "error"}))
    assert raised.json()["findings"][0]["level"] == "error"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[", 400, "malformed"),
        (b'{"a": 1, "a": 2}', 400, "malformed"),
        (b"{}", 422, "invalid"),
        (json.dumps(a_question(levels={"openness": "info"})).encode(), 422, "invalid"),
        (json.dumps(a_question(more=1)).encode(), 422, "invalid"),
    ],
)
def test_lint_refuses_what_it_cannot_read(uji: Actor, body: bytes, status: int, code: str) -> None:
    problem_of(uji.post("/v1/contracts/lint", content=body), status, code)
