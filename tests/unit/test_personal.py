"""Personal data are masked wherever a schema marks them."""

from typing import Any

import pytest

from gateway.contracts import mask_personal_data

NIK = {"type": "string", "x-pii": "nik"}


@pytest.mark.parametrize(
    ("schema", "data", "shown"),
    [
        ({}, {"a": [1]}, {"a": [1]}),
        ({"properties": {"nik": NIK}}, {"nik": "1", "b": 2}, {"nik": "…", "b": 2}),
        ({"properties": {"nik": {"x-pii": False}}}, {"nik": "1"}, {"nik": "1"}),
        ({"x-pii": "nama"}, "Siti", "…"),
        ({"items": NIK}, ["1"], ["…"]),
        ({"prefixItems": [NIK], "items": {}}, ["1", "2"], ["…", "2"]),
        ({"items": [NIK], "additionalItems": {}}, ["1", "2"], ["…", "2"]),
        ({"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": NIK}}, {"a": "1"}, {"a": "…"}),
        ({"$ref": "urn:x#/$defs/n", "$defs": {"y": {"$id": "urn:x", "$defs": {"n": NIK}}}}, 1, "…"),
        ({"$ref": "urn:gone"}, {"a": 1}, "…"),
        ({"anyOf": [{"properties": {"a": NIK}}, {}]}, {"a": 1}, {"a": "…"}),
        ({"if": {}, "then": {"properties": {"a": NIK}}}, {"a": 1}, {"a": "…"}),
        ({"patternProperties": {"^n": NIK}}, {"n1": 1}, {"n1": "…"}),
        ({"additionalProperties": NIK}, {"n1": 1}, {"n1": "…"}),
        ({"dependentSchemas": {"b": {"properties": {"a": NIK}}}}, {"a": 1}, {"a": "…"}),
        (True, {"a": 1}, {"a": 1}),
        (
            {"propertyNames": NIK, "properties": {"a": {}}},
            {"a": 1, "31": 2},
            {"a": 1, "…2": 2},
        ),
    ],
)
def test_what_is_shown(schema: Any, data: Any, shown: Any) -> None:
    assert mask_personal_data(schema, data) == shown


def test_a_recursive_schema_ends_with_the_data() -> None:
    schema = {"properties": {"anak": {"$ref": "#"}, "nik": NIK}}
    data: dict[str, Any] = {"nik": "1"}
    for _ in range(30):
        data = {"nik": "1", "anak": data}
    assert "1" not in repr(mask_personal_data(schema, data))


D = "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}, {"items": {"$ref": "#/$defs/a"}}]},
                   "b": {"items": {"properties": {"q": NIK}}}}, "$ref": "#/$defs/a"},
        {"patternProperties": {f"^({n}a+)+$": {"properties": {"z": NIK}} for n in range(490)}},
        {"items": {"anyOf": [{"items": {"properties": {f"p{n}": NIK}}} for n in range(400)]}},
    ],
    ids=["recursive", "patterns", "alternatives"],
)  # fmt: skip
def test_beyond_its_bound_everything_is_masked(schema: dict[str, Any]) -> None:
    """1 MiB each. The bound counts steps, so it holds on every machine."""
    nested: Any = 1
    for level in range(50):
        nested = [nested, nested] if level > 38 else [nested]
    for data in (list(range(150_000)), nested, [{"a": 1} for _ in range(120_000)]):
        assert mask_personal_data({"$schema": D, **schema}, data) == "…"
