"""The OpenAPI document as a stranger reads it: names, statuses, examples, errors."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.base import errors
from gateway.http import problems
from tests.openapi import openapi_document

PROBLEM = {"$ref": "#/components/schemas/Problem"}
# No access token is needed.
OPEN = {"issueToken", "getJwks", "getAuthorizationServer", "getLiveness", "getReadiness"}
TOKEN_ERRORS = {"400", "401", "413", "429"}  # of RFC 6749, section 5.2


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in openapi_document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


OPERATIONS = dict(operations())


def parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document."""
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from parts(each)


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**openapi_document(), **schema})


def test_operations_are_named_in_camel_case_and_each_once() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(ids) == len(set(ids))
    assert [each for each in ids if not re.fullmatch("[a-z]+([A-Z][a-z]+)*", each)] == []
    assert {"publishEvent", "createSubscription", "receiveEvents", "sendRequest"} <= set(ids)


def test_tags_are_described() -> None:
    tags = {tag["name"] for tag in openapi_document()["tags"] if tag["description"]}
    assert tags == {tag for operation in OPERATIONS.values() for tag in operation["tags"]}


def test_schemas_have_names_of_the_domain() -> None:
    """No Python path, no pair for input and output, no name that a framework made up."""
    names = set(openapi_document()["components"]["schemas"])
    assert [name for name in names if not re.fullmatch("([A-Z][a-z]+)+", name)] == []
    made_up = {"HTTPValidationError", "ValidationError"}
    assert [name for name in names if name in made_up or name.endswith("Body")] == []
    assert {"Subscription", "SubscriptionPage", "NewSubscription", "DeadLetter"} <= names


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_documents_its_errors_as_problems(name: str) -> None:
    operation = OPERATIONS[name]
    is_token = operation["operationId"] == "issueToken"
    responses: dict[str, Any] = operation["responses"]
    for status, response in responses.items():
        if status < "400" or (is_token and status in TOKEN_ERRORS):
            continue
        content = response["content"][problems.MEDIA_TYPE]
        assert content["schema"] == PROBLEM
        assert content["example"]["status"] == int(status)
    assert "500" in responses
    if operation["operationId"] not in OPEN:
        assert "401" in responses
        assert operation["security"]
    if "requestBody" in operation:
        assert {"400", "408", "413"} <= set(responses)


@pytest.mark.parametrize(
    "name", [name for name, each in OPERATIONS.items() if "requestBody" in each]
)
def test_every_body_has_an_example_that_is_valid(name: str) -> None:
    for media_type, content in OPERATIONS[name]["requestBody"]["content"].items():
        if media_type == "*/*":
            continue  # the data of an event in binary mode
        reference = content["schema"].get("$ref") or content["schema"]["anyOf"][0]["$ref"]
        schema = openapi_document()["components"]["schemas"][reference.rpartition("/")[2]]
        examples = [content["example"]] if "example" in content else schema["examples"]
        for example in examples:
            validator({"$ref": reference}).validate(example)


def test_what_may_answer_304_says_by_which_header() -> None:
    conditional = {
        name
        for name, operation in OPERATIONS.items()
        if any(each["name"] == "If-None-Match" for each in operation.get("parameters", ()))
    }
    assert len(conditional) >= 8
    assert conditional == {
        name for name, operation in OPERATIONS.items() if "304" in operation["responses"]
    }


def test_nothing_in_it_is_left_to_a_default_of_the_framework() -> None:
    text = str(openapi_document())
    assert "HTTPValidationError" not in text
    assert "__" not in " ".join(openapi_document()["components"]["schemas"])
    assert [each for each in parts(openapi_document()) if each.get("description") == ""] == []


@pytest.mark.parametrize("status", sorted({*problems.STATUS.values()} - {424}))
def test_every_status_of_the_error_tree_can_be_documented(status: int) -> None:
    documented = problems.documented(status)
    validator(PROBLEM).validate(documented["content"][problems.MEDIA_TYPE]["example"])


def test_problems_are_what_the_schema_says() -> None:
    violation = errors.Violation("/nik", "pattern", "the value does not match")
    found: list[errors.NusabusError] = [
        errors.ContractViolation("id.go.uji.x.dicatat.v1", 1, [violation], 1),
        errors.Malformed("x", pointer="/a~1b/0", byte=3),
        errors.Invalid("x", parameter="cursor"),
        errors.NoReply("x", {"request": "1", "refused_replies": []}),
    ]
    for error in found:
        validator(PROBLEM).validate(problems.describe(error))
