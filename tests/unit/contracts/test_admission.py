"""What a contract must prove before it is registered."""

from typing import Any

import pytest

from gateway.base.errors import Invalid
from gateway.contracts import Contract, Pattern, admit
from gateway.contracts.schema_limits import SCHEMA_LIMIT
from gateway.contracts.values import InvalidExample, Ordering, Version
from tests.builders import QUESTION, a_contract, a_schema, a_submission

BAD = InvalidExample("array", "no object", "type", "", [])


def test_a_sound_contract_is_admitted() -> None:
    admit(a_submission())
    admit(a_submission(versions=(Version(1, b"[]"[:0] + a_schema()), Version(2, a_schema()))))


def test_a_question_needs_a_reply() -> None:
    contract = a_contract(type=QUESTION, pattern=Pattern.REQUEST_REPLY)
    asked = {"contract": contract, "valid_replies": {"empty": {}}, "invalid_replies": (BAD,)}
    admit(a_submission(versions=(Version(1, a_schema(), a_schema()),), **asked))
    with pytest.raises(Invalid, match="reply"):
        admit(a_submission(**asked))
    with pytest.raises(Invalid, match="reply"):
        admit(a_submission(versions=(Version(1, a_schema(), a_schema()),)))


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        (a_contract(type="id.go.uji.bebas"), "invalid event type"),
        (a_contract(owner="lain"), "third segment"),
        (
            a_contract(type=f"id.go.uji.{'x' * 231}.diajukan.v1", pattern=Pattern.REQUEST_REPLY),
            "too long, because the type of its replies ends in .reply",
        ),
        (a_contract(ordering=Ordering("source", "")), "the ordering key must be one of"),
    ],
)
def test_a_contract_is_named_by_its_owner(contract: Contract, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        admit(a_submission(contract=contract))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "not JSON"),
        (b'{"a":1,"a":2}', "twice"),
        (b"true", "an object with"),
        (b"{}", "an object with"),
        (a_schema(**{"$schema": "http://json-schema.org/draft-04/schema#"}), "an object with"),
        (a_schema(**{"$schema": ["x"]}), "an object with"),
        (a_schema(type="thing"), "not a valid JSON Schema"),
        (a_schema(pattern="("), "JSON Schema|compile"),
        (a_schema(pattern="(?=x)"), "compile"),
        (a_schema(pattern="(a)\\1"), "compile"),
        (a_schema(**{"$ref": "https://example.org/"}), "nothing is fetched"),
        (a_schema(**{"$ref": "#/$defs/none"}), "has no target"),
        (a_schema(description="x" * SCHEMA_LIMIT), "bytes"),
        (b'{"not":' * 40 + b"{}" + b"}" * 40, "nests deeper"),
    ],
    ids=range(14),
)
def test_what_is_no_schema(text: bytes, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        admit(a_submission(versions=(Version(1, text),)))


@pytest.mark.parametrize("name", ["int32", "double", "password", "color", "uuid"])
@pytest.mark.parametrize("draft", ["draft-06", "draft-07"])
def test_a_format_that_the_draft_does_not_define_is_an_annotation(draft: str, name: str) -> None:
    dialect = f"http://json-schema.org/{draft}/schema#"
    schema = a_schema(**{"$schema": dialect, "properties": {"a": {"format": name}}})
    admit(a_submission(versions=(Version(1, schema),)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"valid": {}}, "at least one valid"),
        ({"invalid": ()}, "at least one valid"),
        ({"valid": {"bad": []}}, "valid example bad is invalid"),
        (
            {"invalid": (InvalidExample("good", "", "type", "", {}),)},
            "invalid example good is valid",
        ),
        ({"invalid": (InvalidExample("other", "", "required", "", []),)}, "claims required"),
        ({"invalid": (InvalidExample("other", "", "type", "/a", []),)}, "claims type at /a"),
    ],
)
def test_examples_prove_the_schema(change: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        admit(a_submission(**change))
