"""The form of a schema that stands alone: proven by the official suite, masked, and bounded."""

import json
from typing import Any

import pytest

from gateway.base import strict_json
from gateway.base.errors import Invalid
from gateway.contracts import Library, Validator, admit, mask_personal_data
from gateway.contracts.compatibility.normal_form import normal_form
from gateway.contracts.compilation import compile_schema
from gateway.contracts.schema_limits import DEFINITIONS, DIALECT
from gateway.contracts.standalone import standalone
from gateway.contracts.values import Version
from tests import json_schema_suite
from tests.builders import a_schema, a_submission

DRAFT7 = "http://json-schema.org/draft-07/schema#"
DRAFT2019 = "https://json-schema.org/draft/2019-09/schema"
NIK = {"type": "string", "x-pii": "nik"}


def alone(schema: dict[str, Any], others: dict[str, Any] | None = None) -> dict[str, Any]:
    dialect = str(schema["$schema"]).rstrip("#")
    return standalone(schema, DEFINITIONS[dialect], lambda _: False, others)


DRAFTS = ["draft2020-12", "draft2019-09", "draft7", "draft6"]


@pytest.mark.parametrize("draft", DRAFTS)
def test_the_official_suite_finds_no_difference(draft: str) -> None:
    suite = json_schema_suite.found()
    others, rewritten = json_schema_suite.remotes(suite), 0
    for name, schema, tests in json_schema_suite.cases(suite, draft):
        made = alone(schema, others)
        if made is schema:
            continue
        rewritten += 1
        normal_form(made)
        compiled = compile_schema("t", 1, json.dumps(made).encode(), Library())
        for test in tests:
            data = test["data"]
            answers = (compiled.validator.accepts(data), compiled.reference.is_valid(data))
            assert answers == (test["valid"],) * 2, f"{name}: {test['description']}"
    assert rewritten > 20


def test_what_stands_alone_is_not_rewritten() -> None:
    schema = {"$schema": DIALECT, "$id": "https://a.example/b", "properties": {
        "a": {"$ref": "#/$defs/a"}, "b": {"$ref": "#b"}, "c": {"$ref": "#/$defs/a~1%25"}},
        "$defs": {"a": {"$anchor": "b"}, "a/%": True}, "const": {"$ref": "urn:x"}}  # fmt: skip
    assert alone(schema) is schema


def test_places_keep_their_pointers() -> None:
    schema = {
        "$schema": DIALECT,
        "$id": "https://a.example/satu",
        "properties": {"a": {"$ref": "dua"}, "b": {"$ref": "https://a.example/satu#/$defs/b"}},
        "$defs": {
            "x": {"$id": "dua", "properties": {"e": {"$ref": "#c"}}, "$defs": {
                "c": {"$anchor": "c", "type": "string"}}},
            "b": {"$anchor": "b", "type": "integer"},
        },
    }  # fmt: skip
    assert alone(schema) == {
        "$schema": DIALECT,
        "$id": "https://a.example/satu",
        "properties": {"a": {"$ref": "#/$defs/x"}, "b": {"$ref": "#/$defs/b"}},
        "$defs": {
            "x": {"properties": {"e": {"$ref": "#/$defs/x/$defs/c"}}, "$defs": {
                "c": {"type": "string"}}},
            "b": {"$anchor": "b", "type": "integer"},
        },
    }  # fmt: skip


def test_a_target_that_no_keyword_holds_becomes_a_definition() -> None:
    schema = {"$schema": DRAFT7, "properties": {"a": {"$ref": "#/definitions/kinds/one"}},
              "definitions": {"kinds": {"one": {"items": {"$ref": "#/definitions/kinds/one"}}},
                              "one": True}}  # fmt: skip
    made = alone(schema)
    assert made["properties"] == {"a": {"$ref": "#/definitions/one-2"}}
    assert made["definitions"]["one-2"] == {"items": {"$ref": "#/definitions/one-2"}}


def test_a_dynamic_reference_has_a_definition_for_each_scope() -> None:
    tree = {"$id": "tree", "$dynamicAnchor": "node", "properties": {
        "children": {"items": {"$dynamicRef": "#node"}}}}  # fmt: skip
    strict = {"$id": "strict", "$dynamicAnchor": "node", "$ref": "tree", "unevaluatedProperties":
              False}  # fmt: skip
    made = alone({"$schema": DIALECT, "properties": {"open": {"$ref": "tree"}, "closed": {
        "$ref": "strict"}}, "$defs": {"tree": tree, "strict": strict}})  # fmt: skip
    validator = Validator("t", 1, made)
    inner = {"children": [{"children": [{"x": 1}]}]}
    assert validator.accepts({"open": inner})
    assert not validator.accepts({"closed": inner})
    assert "$dynamic" not in json.dumps(made)


@pytest.mark.parametrize(
    ("schema", "message", "pointer"),
    [
        ({"items": {"$ref": "#/$defs/none"}}, "has no target", "/items/$ref"),
        ({"items": {"$ref": "other.json"}}, "nothing is fetched", "/items/$ref"),
        ({"$dynamicRef": "other.json#a"}, "nothing is fetched", "/$dynamicRef"),
        ({"$recursiveRef": "#"}, "2019-09 only", "/$recursiveRef"),
        ({"$defs": {"a": {"$id": "x"}, "b": {"$id": "x"}}}, "have the \\$id", "/$defs/b/$id"),
        ({"$defs": {"a": {"$schema": DRAFT7}}}, "another \\$schema", "/$defs/a/$schema"),
        ({"$ref": "old"}, "which has another \\$schema", None),
        ({"$defs": {f"d{n}": {"$dynamicAnchor": f"a{n}"} for n in range(101)}}, "100 names", None),
        ({"$id": "x", "items": {"anyOf": [{"items": {}}] * 4001}}, "4000 subschemas", None),
    ],
)  # fmt: skip
def test_what_cannot_stand_alone_says_what_to_do(
    schema: dict[str, Any], message: str, pointer: str | None
) -> None:
    with pytest.raises(Invalid, match=message) as caught:
        alone(
            {"$schema": DIALECT, **schema},
            {"https://nusabus.go.id/schemas/old": {"$schema": DRAFT7}},
        )
    assert pointer is None or caught.value.pointer == pointer


def test_scopes_do_not_multiply_without_end() -> None:
    """Each resource refers to all others, and each may begin the scope of each name."""
    names = [f"r{n}" for n in range(24)]
    defs = {
        name: {"$id": name, "$defs": {n: {"$dynamicAnchor": n} for n in names[index:]},
               "anyOf": [{"$ref": each} for each in names], "not": {"anyOf": [
                   {"$dynamicRef": f"{name}#{each}"} for each in names[index:]]}}
        for index, name in enumerate(names)
    }  # fmt: skip
    with pytest.raises(Invalid, match="more than 10000"):
        alone({"$schema": DIALECT, "$ref": "r23", "$defs": defs})


REFERENCES: dict[str, dict[str, Any]] = {
    "own id": {"$id": "https://a.example/b", "properties": {"a": {
        "$ref": "https://a.example/b#/$defs/n"}}, "$defs": {"n": NIK}},
    "relative id": {"$id": "b.json", "properties": {"a": {"$ref": "b.json#/$defs/n"}},
                    "$defs": {"n": NIK}},
    "nested id": {"properties": {"a": {"$ref": "n"}}, "$defs": {"n": {"$id": "n", **NIK}}},
    "anchor in a nested id": {"properties": {"a": {"$ref": "n#x"}}, "$defs": {"n": {
        "$id": "n", "$defs": {"deep": {"$anchor": "x", **NIK}}}}},
    "no position of a schema": {"properties": {"a": {"$ref": "#/x-kinds/n"}},
                                "x-kinds": {"n": NIK}},
    "dynamic": {"properties": {"a": {"$ref": "t"}}, "$defs": {
        "t": {"$id": "t", "$dynamicRef": "#v", "$defs": {"v": {"$dynamicAnchor": "v"}}},
        "n": {"$dynamicAnchor": "v", **NIK}}},
    "recursive": {"$schema": DRAFT2019, "$recursiveAnchor": True, "anyOf": [NIK, {
        "type": "object", "properties": {"a": {"$ref": "t"}}}], "$defs": {"t": {
            "$id": "t", "$recursiveAnchor": True, "anyOf": [
                {"type": "integer"}, {"$recursiveRef": "#"}]}}},
    "draft 7, an id that is an anchor": {"$schema": DRAFT7, "properties": {"a": {
        "$ref": "http://a.example/n#x"}}, "definitions": {"n": {
            "$id": "http://a.example/n", "definitions": {"y": {"$id": "#x", **NIK}}}}},
}  # fmt: skip


@pytest.mark.parametrize("form", REFERENCES)
def test_personal_data_are_masked_through_every_form_of_reference(form: str) -> None:
    text = a_schema(**{"type": ["object", "string"], **REFERENCES[form]})
    bundle = Library().bundle(text)
    assert bundle is not None
    assert Validator("t", 1, strict_json.parse(bundle)).accepts({"a": "3273011203900001"})
    shown = mask_personal_data(strict_json.parse(bundle), {"a": "3273011203900001"})
    assert "3273" not in repr(shown)


def test_such_a_schema_is_admitted() -> None:
    text = a_schema(**{"$id": "https://a.example/b", "additionalProperties": {
        "$ref": "https://a.example/b#/$defs/n"}, "$defs": {"n": NIK}})  # fmt: skip
    admit(a_submission(versions=(Version(1, text),)))
