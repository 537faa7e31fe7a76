"""Validation of data: what violations show, and what they never show."""

import json
from typing import Any

import jsonschema_rs
import pytest

from gateway.base import strict_json
from gateway.base.errors import ContractViolation
from gateway.contracts.schema_limits import DIALECT
from gateway.contracts.validation import COUNTED, LISTED, Validator, pointer
from tests.builders import NIK


def a_validator(**schema: Any) -> Validator:
    return Validator("id.go.uji.bebas.dicatat.v1", 3, {"$schema": DIALECT, **schema})


def test_good_data_pass_and_bad_data_are_explained() -> None:
    validator = a_validator(type="object", required=["a"], properties={"b": {"type": "integer"}})
    validator.require({"a": 1})
    with pytest.raises(ContractViolation) as caught:
        validator.require({"b": "x"})
    error = caught.value
    assert (error.type, error.version, error.total) == ("id.go.uji.bebas.dicatat.v1", 3, 2)
    assert {(v.pointer, v.keyword) for v in error.violations} == {("", "required"), ("/b", "type")}


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ({"pattern": "^[a-z]+$"}, NIK),
        ({"const": "x"}, NIK),
        ({"enum": ["x", "y"]}, "SITI"),
        ({"maxLength": 3}, "SITI"),
        ({"type": "integer"}, "SITI"),
        ({"format": "date"}, "SITI"),
        ({"not": {}}, "SITI"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, "SITI"),
        ({"additionalProperties": False}, {NIK: "SITI"}),
        ({"propertyNames": {"maxLength": 2}}, {NIK: "SITI"}),
        ({"items": {"minimum": 5}}, [3273014105900001 - 10**17]),
        ({"uniqueItems": True}, ["SITI", "SITI"]),
        ({"contains": {"const": 1}}, ["SITI"]),
        ({"dependentRequired": {NIK: ["a"]}}, {NIK: 1}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_no_value_is_told(schema: dict[str, Any], data: Any) -> None:
    violations, total = a_validator(**schema).explain(data)
    assert total >= 1
    shown = json.dumps([[v.pointer, v.keyword, v.message] for v in violations])
    for value in (NIK, "SITI", "96726985894099999"):
        assert value not in shown


@pytest.mark.parametrize(
    "keys", [{"x-pii": "nama"}, {"$ref": "#/$defs/k"}, {"allOf": [{"x-pii": "nama"}]}]
)
def test_names_that_are_personal_are_not_told(keys: dict[str, Any]) -> None:
    validator = a_validator(
        properties={"warga": {"propertyNames": {"x-pii": "nama", **keys}, "maxProperties": 1,
                              "additionalProperties": {"additionalProperties": False}}},
        **{"$defs": {"k": {"maxLength": 9}}},
    )  # fmt: skip
    violations, total = validator.explain({"warga": {"SITI": {"BUDI": 1}, "ANI": {}}})
    assert total == 2
    shown = json.dumps([[v.pointer, v.keyword, v.message] for v in violations])
    assert {v.pointer for v in violations} == {"/warga", "/warga/…"}
    assert not any(name in shown for name in ("SITI", "BUDI", "ANI"))


def test_the_list_is_short_and_the_count_is_bounded() -> None:
    validator = a_validator(items={"type": "string"})
    violations, total = validator.explain([1] * 30)
    assert (len(violations), total) == (LISTED, 30)
    violations, total = validator.explain([1] * 3 * COUNTED)
    assert (len(violations), total) == (LISTED, COUNTED)


def test_exact_numbers_are_validated_exactly() -> None:
    validator = a_validator(type="integer", maximum=9007199254740993)
    assert validator.accepts(strict_json.parse(b"9007199254740993"))
    assert not validator.accepts(strict_json.parse(b"9007199254740994"))
    assert validator.accepts(strict_json.parse(b"1.0"))
    assert not validator.accepts(strict_json.parse(b"1.5"))
    assert a_validator(multipleOf=0.01).accepts(strict_json.parse(b"1234567.89"))


def test_formats_count() -> None:
    assert not a_validator(format="date-time").accepts("yesterday")
    assert a_validator(format="nothing-known").accepts("anything")


@pytest.mark.parametrize("reference", ["https://example.org/x", "file:///etc/passwd", "#/nowhere"])
def test_nothing_is_fetched(reference: str) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        a_validator(**{"$ref": reference})


def test_patterns_run_in_linear_time() -> None:
    assert not a_validator(pattern="^(a+)+$").accepts("a" * 50_000 + "b")


def test_pointers() -> None:
    assert pointer([]) == ""
    assert pointer(["a/b", 0, "~"]) == "/a~1b/0/~0"
    assert pointer(["x", NIK]) == "/x/…"


@pytest.mark.parametrize("draft", ["draft-06", "draft-07"])
def test_the_encoding_of_a_text_is_an_annotation_in_every_draft(draft: str) -> None:
    """As in 2019-09 and newer, and as in the other validators of these drafts."""
    dialect = f"http://json-schema.org/{draft}/schema#"
    schema = {"$schema": dialect, "contentEncoding": "base64", "contentMediaType": "text/html"}
    assert Validator("id.go.uji.bebas.dicatat.v1", 1, schema).accepts("%%%")
    within = {"$schema": dialect, "items": [schema], "properties": {"contentEncoding": False}}
    validator = Validator("id.go.uji.bebas.dicatat.v1", 1, within)
    assert validator.accepts(["%%%"])
    assert not validator.accepts({"contentEncoding": 1})
