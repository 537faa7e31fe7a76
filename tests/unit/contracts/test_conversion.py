"""What is made of schemas that others have published: files become one, and draft 4 draft 7."""

import json
from typing import Any

import pytest

from gateway.base import strict_json
from gateway.base.errors import Invalid, Malformed
from gateway.contracts import Library
from gateway.contracts.compilation import compile_schema
from gateway.contracts.conversion import DRAFT4, DRAFT7, Conversion, convert
from gateway.contracts.schema_limits import DIALECT
from tests import json_schema_suite


def converted(schema: dict[str, Any], others: dict[str, Any] | None = None) -> Conversion:
    return convert(schema, others or {}, lambda uri: uri.startswith("urn:nusabus"))


def test_the_official_suite_finds_no_difference_in_draft_4() -> None:
    suite = json_schema_suite.found()
    others, count = json_schema_suite.remotes(suite), 0
    for name, schema, tests in json_schema_suite.cases(suite, "draft4"):
        if name.startswith("zeroTerminatedFloats"):  # 1.0 is an integer since draft 6
            continue
        text = json.dumps(converted(schema, others).schema).encode()
        compiled = compile_schema("t", 1, text, Library())
        for test in tests:
            try:
                data = strict_json.parse(json.dumps(test["data"]).encode())
            except Malformed:  # a number beyond a double
                continue
            answers = (compiled.validator.accepts(data), compiled.reference.is_valid(data))
            assert answers == (test["valid"],) * 2, f"{name}: {test['description']}"
            count += 1
    assert count > 500


def test_what_draft_4_writes_otherwise_is_shown() -> None:
    found = converted(
        {
            "$schema": f"{DRAFT4}#",
            "id": "http://a.example/b",
            "properties": {
                "id": {"type": "string"},
                "a": {"minimum": 1, "exclusiveMinimum": True},
                "b": {"maximum": 2, "exclusiveMaximum": False},
                "c": {"const": 3},
            },
        }
    )
    assert found.schema == {
        "$schema": DRAFT7,
        "$id": "http://a.example/b",
        "properties": {
            "id": {"type": "string"},
            "a": {"exclusiveMinimum": 1},
            "b": {"maximum": 2},
            "c": {"const": 3},
        },
    }
    assert [pointer for pointer, _ in found.changes] == [
        "/$schema", "/properties/a/exclusiveMinimum", "/properties/b", "/properties/c/const",
        "/$id",
    ]  # fmt: skip


def test_files_are_found_by_name_and_by_id() -> None:
    found = converted(
        {"$schema": DIALECT, "$id": "https://a.example/x/main.json", "properties": {
            "a": {"$ref": "parts/a.json#/$defs/deep"}, "b": {"$ref": "https://b.example/b"},
            "c": {"$ref": "urn:nusabus:contract:id.go.uji.a.b.v1:1"}}},
        {"parts/a.json": {"$defs": {"deep": {"items": {"$ref": "../c.json"}}}},
         "whatever.json": {"$id": "https://b.example/b", "$ref": "c.json"},
         "c.json": {"type": "string"}, "b/c.json": {},
         "../c.json": {"$id": "https://b.example/c.json", "type": "integer"},
         "unused.json": {"$ref": "gone.json"}},
    )  # fmt: skip
    assert found.schema["properties"] == {
        "a": {"$ref": "#/$defs/deep"},
        "b": {"$ref": "#/$defs/b"},
        "c": {"$ref": "urn:nusabus:contract:id.go.uji.a.b.v1:1"},
    }
    assert found.schema["$defs"] == {
        "deep": {"items": {"$ref": "#/$defs/c.json-2"}},
        "b": {"$ref": "#/$defs/c.json"},
        "c.json": {"type": "integer"},
        "c.json-2": {"type": "string"},
    }
    assert [each for each, _ in found.changes] == [
        "/$defs/b", "/$defs/c.json", "/$defs/c.json-2", "/$defs/deep", "",
    ]  # fmt: skip


def test_files_of_draft_4_refer_to_the_main_one() -> None:
    """As FHIR does: the root has an id beside a `$ref`, and `$schema` is missing."""
    a = {"$id": "http://h/A", "$ref": "#/definitions/A", "definitions": {"A": {"properties": {
        "b": {"$ref": "B#/definitions/B"}}}}}  # fmt: skip
    b = {"id": "http://h/B", "definitions": {"B": {"items": {"$ref": "http://h/A#/definitions/A"},
         "minimum": 1, "exclusiveMinimum": True}}}  # fmt: skip
    made = convert(a, {"B.json": b}, lambda _: False, f"{DRAFT4}#").schema
    assert made["$schema"] == DRAFT7
    assert made["definitions"]["A"]["properties"]["b"] == {"$ref": "#/definitions/B"}
    assert made["definitions"]["B"] == {
        "items": {"$ref": "#/definitions/A"}, "exclusiveMinimum": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "others", "pointer"),
    [
        ({}, {}, "/schema/$schema"),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, {}, "/schema/$schema"),
        ({"$schema": DIALECT, "items": {"$ref": "gone.json"}}, {"a.json": {}}, "/items/$ref"),
        ({"$schema": DIALECT, "$ref": "a.json"}, {"a.json": {"$schema": DRAFT7}}, None),
    ],
)
def test_what_cannot_be_converted(
    schema: dict[str, Any], others: dict[str, Any], pointer: str | None
) -> None:
    with pytest.raises(Invalid) as caught:
        converted(schema, others)
    assert caught.value.pointer == pointer
