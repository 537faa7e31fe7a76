"""References of a bundle as pointers into it."""

from typing import Any

import pytest

from gateway.base.errors import Invalid
from gateway.contracts.references import localize_references

DRAFT7 = "http://json-schema.org/draft-07/schema#"


def test_pointers_stay() -> None:
    schema = {"properties": {"a": {"$ref": "#/$defs/a", "title": "A"}}, "$defs": {"a": {}}}
    assert localize_references(schema) == schema


def test_what_is_referred_to_by_id_or_anchor_becomes_a_pointer() -> None:
    schema = {
        "$id": "https://nusabus.go.id/schemas/satu",
        "properties": {
            "a": {"$ref": "dua"},
            "b": {"$ref": "https://nusabus.go.id/schemas/dua#/$defs/dalam"},
            "c": {"$ref": "dua#jangkar"},
            "d": {"$ref": "#"},
        },
        "$defs": {
            "x": {
                "$id": "dua",
                "properties": {"e": {"$ref": "#/$defs/dalam"}},
                "$defs": {"dalam": {"$anchor": "jangkar", "type": "string"}},
            }
        },
    }
    inner = "#/$defs/x/$defs/dalam"
    assert localize_references(schema) == {
        "properties": {
            "a": {"$ref": "#/$defs/x"},
            "b": {"$ref": inner},
            "c": {"$ref": inner},
            "d": {"$ref": "#"},
        },
        "$defs": {
            "x": {
                "properties": {"e": {"$ref": inner}},
                "$defs": {"dalam": {"type": "string"}},
            }
        },
    }


def test_what_only_looks_like_a_schema_is_left_alone() -> None:
    schema = {"const": {"$ref": "http://elsewhere"}, "examples": [{"$id": "x"}], "enum": [{}]}
    assert localize_references(schema) == schema


def test_old_dialects_ignore_what_stands_beside_a_reference() -> None:
    schema = {"$schema": DRAFT7, "items": {"$ref": "#foo", "maxLength": 3}, "definitions": {
        "foo": {"$id": "#foo", "type": "string"}}}  # fmt: skip
    assert localize_references(schema)["items"] == {"$ref": "#/definitions/foo"}


def test_what_is_defined_beside_a_reference_is_kept_in_old_dialects() -> None:
    warga = {"type": "object", "properties": {"nama": {"type": "string"}}}
    schema = {"$schema": DRAFT7, "$ref": "#/definitions/W", "definitions": {"W": warga}, "type": []}
    assert localize_references(schema) == {
        "$ref": "#/definitions/W", "definitions": {"W": warga}
    }  # fmt: skip


def test_a_boolean_is_a_schema() -> None:
    assert localize_references(True) is True


@pytest.mark.parametrize(
    "reference", ["https://elsewhere.example/a.json", "file:///etc/passwd", "dua", "#jangkar"]
)
def test_what_leads_away_is_refused(reference: str) -> None:
    schema: dict[str, Any] = {"properties": {"a": {"$ref": reference}}}
    with pytest.raises(Invalid, match="not part of it"):
        localize_references(schema)
