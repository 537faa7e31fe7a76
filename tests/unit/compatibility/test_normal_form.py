from typing import Any

import pytest

from gateway.contracts.compatibility.dialects import DIALECT, UnreadableSchema
from gateway.contracts.compatibility.normal_form import normal_form

DRAFT6 = {"$schema": "http://json-schema.org/draft-06/schema#"}
DRAFT7 = {"$schema": "http://json-schema.org/draft-07/schema#"}
DRAFT2019 = {"$schema": "https://json-schema.org/draft/2019-09/schema"}


def _body(schema: Any) -> Any:
    return {key: value for key, value in normal_form(schema).items() if key != "$schema"}


def test_the_normal_form_names_its_dialect() -> None:
    assert normal_form({})["$schema"] == DIALECT
    assert normal_form(True) is True


def test_annotations_and_unknown_keywords_go() -> None:
    assert _body({"type": "string", "title": "x", "x-pii": "nik", "default": 1}) == {
        "type": "string"
    }


def test_draft_7_ignores_what_stands_beside_a_reference() -> None:
    schema = {**DRAFT7, "$ref": "#/definitions/a", "type": "array", "definitions": {"a": True}}
    assert _body(schema) == {"$ref": "#/$defs/a", "$defs": {"a": True}}


def test_2019_09_does_not() -> None:
    schema = {**DRAFT2019, "$ref": "#/$defs/a", "type": "array", "$defs": {"a": True}}
    assert _body(schema)["type"] == "array"


def test_tuples_are_renamed() -> None:
    schema = {**DRAFT7, "items": [{"type": "string"}], "additionalItems": False}
    assert _body(schema) == {"prefixItems": [{"type": "string"}], "items": False}


def test_dependencies_are_split() -> None:
    schema = {**DRAFT7, "dependencies": {"a": ["b"], "c": {"required": ["d"]}}}
    assert _body(schema) == {
        "dependentRequired": {"a": ["b"]},
        "dependentSchemas": {"c": {"required": ["d"]}},
    }


def test_an_embedded_resource_may_have_a_dialect_of_its_own() -> None:
    inner = {**DRAFT7, "$id": "urn:dalam", "items": [True], "definitions": {"a": {}}}
    schema = {"properties": {"x": {"$ref": "urn:dalam"}}, "$defs": {"i": inner}}
    assert _body(schema)["$defs"]["urndalam"] == {"prefixItems": [True]}


def test_references_are_resolved_against_the_resource_that_they_stand_in() -> None:
    inner = {"$id": "urn:dalam", "$ref": "#/$defs/b", "$defs": {"b": {"type": "integer"}}}
    schema = {"$ref": "urn:dalam", "$defs": {"dalam": inner, "b": {"type": "string"}}}
    found = _body(schema)
    assert found["$defs"]["b"] == {"type": "integer"}


def test_two_definitions_of_one_word_keep_apart() -> None:
    schema = {
        "properties": {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/$defs/b/$defs/a"}},
        "$defs": {"a": {"type": "string"}, "b": {"$defs": {"a": {"type": "integer"}}}},
    }
    assert sorted(_body(schema)["$defs"]) == ["a", "a-2"]


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:9/skema.json",
        "https://nusabus.go.id/skema",
        "file:///etc/passwd",
        "//host/share",
        "lain.json",
        "#/$defs/tidak-ada",
        "#tidak-ada",
        "http://[::1",
    ],
)
def test_nothing_is_fetched(reference: str) -> None:
    with pytest.raises(UnreadableSchema, match="nothing is fetched"):
        normal_form({"properties": {"a": {"$ref": reference}}})


def test_a_reference_to_no_schema() -> None:
    with pytest.raises(UnreadableSchema, match="not a schema"):
        normal_form({"required": ["a"], "properties": {"a": {"$ref": "#/required"}}})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"not": {"anyOf": [{"$ref": "#/$defs/a"}]}, "$defs": {"a": {"if": {"$ref": "#/$defs/a"}}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"dependentSchemas": {"a": {"$ref": "#"}}},
    ],
)
def test_a_schema_that_leads_to_itself_is_not_read(schema: Any) -> None:
    with pytest.raises(UnreadableSchema, match="to itself"):
        normal_form(schema)


def test_a_dynamic_reference_with_two_targets_is_not_read() -> None:
    schema = {
        "$dynamicRef": "#t",
        "$defs": {
            "a": {"$dynamicAnchor": "t", "type": "string"},
            "b": {"$id": "urn:b", "$dynamicAnchor": "t", "type": "integer"},
        },
    }
    with pytest.raises(UnreadableSchema, match="depends on the dynamic scope"):
        normal_form(schema)


def test_a_recursive_reference_with_two_targets_is_not_read() -> None:
    inner = {"$id": "urn:b", "$recursiveAnchor": True, "items": {"$recursiveRef": "#"}}
    schema = {**DRAFT2019, "$recursiveAnchor": True, "$ref": "urn:b", "$defs": {"b": inner}}
    with pytest.raises(UnreadableSchema, match="depends on the dynamic scope"):
        normal_form(schema)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"$schema": "https://example.go.id/dialek"}, "unknown dialect"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "unknown dialect"),
        ({"$schema": 7}, "unknown dialect"),
        ({**DRAFT6, "format": "date"}, "does not define the format date"),
        ({**DRAFT2019, "contains": {}, "unevaluatedItems": False}, "another meaning in 2019-09"),
        ({"$ref": "#/$defs/a", "$dynamicRef": "#/$defs/a", "$defs": {"a": {}}}, "two kinds"),
    ],
)
def test_what_has_no_one_meaning_is_not_read(schema: Any, reason: str) -> None:
    with pytest.raises(UnreadableSchema, match=reason):
        normal_form(schema)
