from typing import Any

import jsonschema_rs
import pytest

from gateway.contracts.compatibility import closed_form

TEXT = {"type": "string"}
NAMED = {"type": "object", "properties": {"a": TEXT}}


def _accepts(schema: Any, document: Any) -> bool:
    return jsonschema_rs.validator_for(closed_form(schema), offline=True).is_valid(document)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (NAMED, {"a": "x"}, {"a": "x", "b": 1}),
        ({"properties": {"p": NAMED}}, {"p": {"a": "x"}}, {"p": {"b": 1}}),
        ({"items": NAMED}, [{"a": "x"}], [{"b": 1}]),
        ({"prefixItems": [NAMED]}, [{"a": "x"}], [{"b": 1}]),
        ({"additionalProperties": NAMED}, {"z": {"a": "x"}}, {"z": {"b": 1}}),
        ({"patternProperties": {"^p": NAMED}}, {"p": {"a": "x"}}, {"p": {"b": 1}}),
        ({"patternProperties": {"^p": TEXT}}, {"p1": "x"}, {"q": "x"}),
        (
            {"allOf": [NAMED, {"properties": {"b": TEXT}}]},
            {"a": "x", "b": "x"},
            {"a": "x", "c": "x"},
        ),
        (
            {"anyOf": [{"required": ["a"], **NAMED}, {"properties": {"b": TEXT}}]},
            {"a": "x", "b": "x"},
            {"c": "x"},
        ),
        (
            {"oneOf": [NAMED | {"required": ["a"]}, {"properties": {"b": TEXT, "a": False}}]},
            {"b": "x"},
            {"a": "x", "b": "x"},
        ),
        ({"$ref": "#/$defs/x", "$defs": {"x": NAMED}}, {"a": "x"}, {"b": "x"}),
        (
            {"$ref": "#/$defs/x", "properties": {"b": TEXT}, "$defs": {"x": NAMED}},
            {"a": "x", "b": "x"},
            {"c": "x"},
        ),
        (
            {"if": {"required": ["a"]}, "then": NAMED, "else": {"properties": {"b": TEXT}}},
            {"b": "x"},
            {"a": "x", "b": "x"},
        ),
        (
            {"properties": {"a": TEXT}, "dependentSchemas": {"a": {"properties": {"b": TEXT}}}},
            {"a": "x", "b": "x"},
            {"b": "x"},
        ),
        (
            {"oneOf": [{"properties": {"p": NAMED}, "required": ["p"]}, TEXT]},
            {"p": {"a": "x"}},
            {"p": {"b": 1}},
        ),
    ],
)
def test_only_what_is_named_may_be_sent(schema: Any, good: Any, bad: Any) -> None:
    assert _accepts(schema, good)
    assert not _accepts(schema, bad)
    assert jsonschema_rs.validator_for(schema).is_valid(bad)


@pytest.mark.parametrize(
    "schema",
    [
        NAMED | {"additionalProperties": True},
        NAMED | {"unevaluatedProperties": True},
        {"allOf": [NAMED, {"additionalProperties": True}]},
        {"type": "object"},
        {},
        {"not": NAMED | {"required": ["a"]}},
        {"properties": {"p": {}}, "additionalProperties": {"type": "integer"}},
    ],
)
def test_what_is_explicit_or_free_stays_open(schema: Any) -> None:
    assert _accepts(schema, {"b": 1})


def test_a_closed_object_stays_as_it_is() -> None:
    schema = NAMED | {"additionalProperties": False}
    assert closed_form(schema) | {"$schema": ""} == schema | {"$schema": ""}


def test_a_recursive_schema_is_closed_at_every_depth() -> None:
    tree = {"properties": {"anak": {"type": "array", "items": {"$ref": "#"}}}}
    assert _accepts(tree, {"anak": [{"anak": []}]})
    assert not _accepts(tree, {"anak": [{"anak": [{"lain": 1}]}]})


def test_the_branches_of_one_of_are_still_counted_as_written() -> None:
    """Closing a branch must not let a document through that two branches accept."""
    inner = {"properties": {"x": TEXT}}
    schema = {"oneOf": [{"properties": {"p": inner}}, {"required": ["p"]}]}
    both = {"p": {"lain": 1}}
    assert not jsonschema_rs.validator_for(schema).is_valid(both)
    assert not _accepts(schema, both)


def test_a_boolean_has_nothing_to_close() -> None:
    assert closed_form(True) is True
    assert closed_form(False) is False


def test_references_that_fan_out_are_closed_quickly() -> None:
    """Forty definitions, each of which leads to the next one twice."""
    definitions: dict[str, Any] = {
        f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)
    }
    definitions["d40"] = NAMED
    schema = {"$ref": "#/$defs/d0", "$defs": definitions}
    assert closed_form(schema)["$defs"]["d0:location"]["unevaluatedProperties"] is False
