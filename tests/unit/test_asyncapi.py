"""The AsyncAPI document: valid by the official schema, and true to the contracts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT7

from gateway.contracts.asyncapi import DocumentedContract, ServerInfo, document
from gateway.contracts.asyncapi.schemas import as_component
from gateway.contracts.values import Pattern
from tests.asyncapi import SITE, offers_of
from tests.builders import FREE, QUESTION, a_contract

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
OFFICIAL = Path(__file__).resolve().parents[1] / "resources" / "asyncapi-3.0.0.json"
URL = "https://bus.example.go.id/v1/contracts/x/versions/1/schema"


def made(*offers: DocumentedContract) -> Any:
    """The document as a client gets it."""
    encode = msgspec.json.Encoder(decimal_format="number").encode
    return json.loads(encode(document(offers, SITE)))


def an_offer(**changes: Any) -> DocumentedContract:
    return replace(DocumentedContract(a_contract(), 1, URL, {}), **changes)


@pytest.fixture(scope="module")
def catalogue() -> Any:
    return made(*offers_of(SCHEMAS))


@pytest.fixture(scope="module")
def official() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(OFFICIAL.read_bytes()))


def test_our_catalogue_is_valid(catalogue: Any, official: jsonschema.Draft7Validator) -> None:
    official.validate(catalogue)
    assert len(catalogue["components"]["messages"]) == 23


def test_nothing_at_all_is_valid(official: jsonschema.Draft7Validator) -> None:
    official.validate(made())


def test_payloads_validate_the_examples_as_the_contracts_do(catalogue: Any) -> None:
    registry = Registry().with_resource("urn:document", DRAFT7.create_resource(catalogue))
    for name, message in catalogue["components"]["messages"].items():
        if "examples" in message:
            reference = {"$ref": f"urn:document#/components/messages/{name}/payload"}
            validator = jsonschema.Draft7Validator(reference, registry=registry)
            [example] = message["examples"]
            validator.validate(example["payload"])
            assert not validator.is_valid({**example["payload"], "data": None})
            assert not validator.is_valid({**example["payload"], "type": "id.go.a.b.c.v1"})


def test_a_caller_gets_operations_for_what_it_may_do() -> None:
    nothing = made(an_offer())
    assert (nothing["operations"], list(nothing["channels"])) == ({}, [FREE])
    document = made(an_offer(may_publish=True, may_receive=True))
    assert list(document["channels"]) == [FREE, "publish"]
    actions = {name: each["action"] for name, each in document["operations"].items()}
    assert actions == {f"publish.{FREE}": "send", f"receive.{FREE}": "receive"}


def test_a_channel_names_the_exchange_of_its_pattern() -> None:
    bindings = made(an_offer())["channels"][FREE]["bindings"]["amqp"]
    assert bindings["exchange"] == {
        "name": "bus.events",
        "type": "topic",
        "durable": True,
        "autoDelete": False,
    }


def test_a_question_has_a_reply() -> None:
    contract = a_contract(type=QUESTION, pattern=Pattern.REQUEST_REPLY)
    document = made(an_offer(contract=contract, reply={"type": "object"}, may_publish=True))
    operation = document["operations"][f"publish.{QUESTION}"]
    assert operation["reply"]["channel"] == {"$ref": f"#/channels/{QUESTION}.reply"}
    assert document["channels"][f"{QUESTION}.reply"]["address"] is None
    assert document["channels"][QUESTION]["bindings"]["amqp"]["exchange"]["name"] == "bus.requests"


def test_a_deprecated_contract_says_so() -> None:
    message = made(an_offer(state="deprecated"))["components"]["messages"][FREE]
    assert (message["deprecated"], message["x-state"]) == (True, "deprecated")
    assert "deprecated" not in made(an_offer())["components"]["messages"][FREE]


def test_the_broker_is_shown_without_a_password() -> None:
    site = ServerInfo("https://bus/x", "amqps://user:secret@broker:5671/vhost", "1", SITE.exchanges)
    servers = document([], site)["servers"]
    assert (servers["broker"]["host"], servers["broker"]["protocol"]) == ("broker:5671", "amqps")
    assert servers["gateway"]["pathname"] == "/x"
    assert "secret" not in json.dumps(servers)


@pytest.mark.parametrize(
    ("schema", "component"),
    [
        (True, True),
        ({"$schema": "x", "$id": "https://a/b", "$comment": "c", "type": "null"}, {"type": "null"}),
        (
            {"$ref": "#/$defs/a", "title": "A", "$defs": {"a": {}}},
            {"title": "A", "definitions": {"a": {}}, "allOf": [{"$ref": "#/at/definitions/a"}]},
        ),
        ({"items": {"$ref": "#"}}, {"items": {"$ref": "#/at"}}),
        ({"prefixItems": [{}], "items": False}, {"items": [{}], "additionalItems": False}),
        (
            {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"type": "object"}}},
            {"dependencies": {"a": ["b"], "c": {"type": "object"}}},
        ),
        ({"unevaluatedProperties": False, "x-pii": "nik"}, {"x-pii": "nik"}),
        ({"allOf": [{"$ref": "#"}], "$ref": "#"}, {"allOf": [{"$ref": "#/at"}, {"$ref": "#/at"}]}),
    ],
)
def test_a_schema_becomes_draft_7(schema: Any, component: Any) -> None:
    assert as_component(schema, "/at") == component
