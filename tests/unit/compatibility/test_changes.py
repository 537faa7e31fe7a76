from typing import Any

import pytest

from gateway.contracts.compatibility.changes import LISTED, changes
from gateway.contracts.compatibility.normal_form import normal_form

TEXT = {"type": "string"}


def _changes(old: Any, new: Any) -> list[str]:
    return [str(each) for each in changes(normal_form(old), normal_form(new))]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ({"type": "integer"}, {"type": "number"}, "numbers with a fraction are accepted now"),
        ({"type": "number"}, {"type": "integer"}, "numbers must be integers now"),
        (TEXT, {"type": ["string", "null"]}, "type null is accepted now"),
        ({"type": ["string", "null"]}, TEXT, "type null is no longer accepted"),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, 'no longer accepted: "b"'),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, 'accepted now: "b"'),
        ({"const": False}, {"const": 0}, "no longer accepted: false"),
        ({}, {"enum": ["a"]}, 'only these values are accepted now: ["a"]'),
        ({"const": 1}, {}, "any value is accepted now, instead of [1]"),
        ({"minimum": 1}, {"minimum": 2}, "minimum rose from 1 to 2 (narrower)"),
        ({"maximum": 1}, {"maximum": 2}, "maximum rose from 1 to 2 (wider)"),
        ({"maxLength": 9}, {"maxLength": 5}, "longest length fell from 9 to 5 (narrower)"),
        ({}, {"minItems": 1}, "least number of elements 1 was added"),
        ({"maxItems": 1}, {}, "greatest number of elements 1 was removed"),
        ({"pattern": "^a+$"}, {"pattern": "^a$"}, "pattern became narrower: from ^a+$ to ^a$"),
        ({"pattern": "^a$"}, {"pattern": "^a+$"}, "pattern became wider: from ^a$ to ^a+$"),
        ({"pattern": "^a"}, {"pattern": "b$"}, "pattern changed: from ^a to b$"),
        (TEXT, {**TEXT, "format": "date"}, 'format was added: "date"'),
        ({"uniqueItems": True}, {}, "uniqueItems was removed: true"),
        ({"multipleOf": 2}, {"multipleOf": 3}, "multipleOf changed: from 2 to 3"),
        ({"anyOf": [TEXT]}, {"anyOf": [TEXT, True]}, "anyOf has 2 branches; before, it had 1"),
        (
            {"additionalProperties": False},
            {},
            "members that are not described are accepted now",
        ),
        (
            {},
            {"additionalProperties": False},
            "members that are not described are no longer accepted",
        ),
    ],
)
def test_a_change_at_the_root(old: Any, new: Any, message: str) -> None:
    assert f"`(root)`: {message}" in _changes(old, new)


def test_members() -> None:
    old = {"properties": {"a": TEXT, "b": TEXT, "c": TEXT}, "required": ["b"]}
    new = {"properties": {"a": TEXT, "b": TEXT, "d": TEXT, "e": TEXT}, "required": ["a", "e"]}
    assert _changes(old, new) == [
        "`/c`: is no longer described",
        "`/d`: was added as an optional member",
        "`/e`: was added as a required member",
        "`/a`: became required",
        "`/b`: is no longer required",
    ]


def test_places_are_pointers_into_the_data() -> None:
    old = {"properties": {"a/b": {"items": {"properties": {"c": {"minimum": 1}}}}}}
    new = {"properties": {"a/b": {"items": {"properties": {"c": {"minimum": 0}}}}}}
    assert _changes(old, new) == ["`/a~1b/*/c`: minimum fell from 1 to 0 (wider)"]


def test_tuples_are_compared_by_place() -> None:
    assert _changes({"prefixItems": [TEXT]}, {"prefixItems": [TEXT, TEXT]}) == [
        "`/1`: any value was accepted, now only some are"
    ]


def test_members_by_pattern_and_others() -> None:
    old = {"patternProperties": {"^x": {"minimum": 1}}, "additionalProperties": {"maximum": 1}}
    new = {"patternProperties": {"^x": {"minimum": 2}}, "additionalProperties": {"maximum": 2}}
    assert _changes(old, new) == [
        "`/*`: maximum rose from 1 to 2 (wider)",
        "`/{^x}`: minimum rose from 1 to 2 (narrower)",
    ]


def test_references_are_followed() -> None:
    old = {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"minimum": 1}}}
    new = {"properties": {"a": {"minimum": 2}}}
    assert _changes(old, new) == ["`/a`: minimum rose from 1 to 2 (narrower)"]


def test_recursion_ends() -> None:
    old = {"properties": {"n": {"$ref": "#"}, "v": {"minimum": 1}}}
    new = {"properties": {"n": {"$ref": "#"}, "v": {"minimum": 2}}}
    assert "`/v`: minimum rose from 1 to 2 (narrower)" in _changes(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (True, False, "no value is accepted any more"),
        (False, True, "values are accepted now; before, none were"),
        (TEXT, True, "any value is accepted now"),
    ],
)
def test_schemas_that_are_booleans(old: Any, new: Any, message: str) -> None:
    assert _changes(old, new) == [f"`(root)`: {message}"]


def test_the_same_schema_has_no_change() -> None:
    assert _changes({"properties": {"a": TEXT}}, {"properties": {"a": TEXT}}) == []


def test_the_list_ends() -> None:
    many = {f"m{n}": TEXT for n in range(LISTED + 9)}
    assert len(_changes({}, {"properties": many})) == LISTED


def test_long_values_are_cut() -> None:
    (message,) = _changes({"enum": ["a"]}, {"enum": ["a", "b" * 999]})
    assert len(message) < 150


def test_every_place_that_uses_a_changed_definition_is_named() -> None:
    places = {"a": {"$ref": "#/$defs/x"}, "b": {"$ref": "#/$defs/x"}}
    old = {"properties": places, "$defs": {"x": {"minimum": 1}}}
    new = {"properties": places, "$defs": {"x": {"minimum": 2}}}
    assert [each.partition(":")[0] for each in _changes(old, new)] == ["`/a`", "`/b`"]


def test_references_that_fan_out_are_explained_quickly() -> None:
    def bomb(last: Any) -> dict[str, Any]:
        definitions: dict[str, Any] = {
            f"d{n}": {
                "properties": {
                    "l": {"$ref": f"#/$defs/d{n + 1}"},
                    "r": {"$ref": f"#/$defs/d{n + 1}"},
                }
            }
            for n in range(35)
        }
        return {"$ref": "#/$defs/d0", "$defs": {**definitions, "d35": last}}

    assert _changes(bomb(TEXT), bomb(TEXT)) == []
    assert len(_changes(bomb(TEXT), bomb({"type": "integer"}))) == LISTED
