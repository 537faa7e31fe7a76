"""TypeScript types, construct by construct."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.base.errors import Invalid
from gateway.contracts.code import class_name, typescript_type

TYPE = "id.go.uji.warga.dicatat.v1"


def body(schema: Any) -> str:
    """The definition of the root type, with white space collapsed."""
    text = typescript_type(TYPE, 1, schema)
    declared = text.partition("export type WargaDicatatV1 = ")[2].partition(";\n\n")[0]
    return " ".join(declared.removesuffix(";\n").split())


CLOSED: dict[str, Any] = {"type": "object", "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (True, "unknown"),
        (False, "never"),
        ({}, "unknown"),
        ({"type": "string", "pattern": "^a$"}, "string"),
        ({"type": "integer"}, "number"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"const": "a"}, '"a"'),
        ({"enum": ["a", 1, Decimal("1.5"), None, True]}, '"a" | 1 | 1.5 | null | true'),
        ({"enum": [[1]]}, "unknown"),
        ({"const": 2**60}, "number"),
        ({"type": "array"}, "unknown[]"),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "(string | null)[]"),
        ({"items": {"type": "string"}}, "string[]"),
        (
            {"type": "array", "minItems": 1, "items": False,
             "prefixItems": [{"type": "string"}, {"type": "number"}]},
            "[string, number?]",
        ),
        ({"type": "array", "prefixItems": [{}]}, "[unknown?, ...unknown[]]"),
        (
            {"type": "array", "items": [{"type": "string"}], "additionalItems": False},
            "[string?]",
        ),
        (CLOSED, "Record<string, never>"),
        ({"type": "object"}, "{ [name: string]: unknown; }"),
        (
            {"type": "object", "additionalProperties": {"type": "number"}},
            "{ [name: string]: number; }",
        ),
        (
            {**CLOSED, "required": ["a"], "properties": {"b-c": {}, "a": {"type": "string"}}},
            '{ "b-c"?: unknown; a: string; }',
        ),
        (
            {"type": "object", "required": ["x"], "properties": {"a": {"type": "null"}}},
            "{ a?: null; x: unknown; [name: string]: unknown; }",
        ),
        ({**CLOSED, "patternProperties": {"^x": {}}}, "{ [name: string]: unknown; }"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"oneOf": [{"type": "string"}, {}]}, "unknown"),
        (
            {"allOf": [{"anyOf": [{"type": "string"}, {"type": "null"}]}, {"minLength": 1}]},
            "string | null",
        ),
        (
            {"type": "string", "anyOf": [{"const": "a"}, {"const": "b"}]},
            'string & ("a" | "b")',
        ),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}, "enum": ["x"]},
            'A & "x"',
        ),
    ],
)  # fmt: skip
def test_a_construct(schema: Any, expected: str) -> None:
    assert body(schema) == expected


def test_parts_that_are_referred_to_get_names() -> None:
    text = typescript_type(
        TYPE,
        2,
        {
            "type": "object",
            "title": "Tree */ of\n things",
            "additionalProperties": False,
            "properties": {
                "anak": {"type": "array", "items": {"$ref": "#"}},
                "nama": {"$ref": "#/$defs/nama_orang", "title": "Name"},
                "lain": {"$ref": "#/$defs/nama-orang"},
            },
            "$defs": {
                "nama_orang": {"type": "string", "maxLength": 60},
                "nama-orang": {"type": "null"},
                "sisa": {"type": "string"},
            },
        },
    )
    assert text == (
        "// id.go.uji.warga.dicatat.v1 version 2, made from its JSON Schema.\n"
        "// Left to the schema: maxLength.\n"
        "\n"
        "/** Tree * / of things */\n"
        "export type WargaDicatatV1 = {\n"
        "  anak?: WargaDicatatV1[];\n"
        "  /** Name */\n"
        "  nama?: NamaOrang2;\n"
        "  lain?: NamaOrang;\n"
        "};\n"
        "\n"
        "export type NamaOrang = null;\n"
        "\n"
        "export type NamaOrang2 = string;\n"
    )


def test_names_are_identifiers() -> None:
    assert class_name("id.go.dukcapil.ktp.dicetak.v1") == "KtpDicetakV1"
    assert class_name("id.go.bps.2fa.di-ubah.v10") == "T2faDiUbahV10"


def test_a_reference_to_what_draft_7_ignores_is_refused_in_a_sentence() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": "#/definitions/a",
        "definitions": {"a": {"items": {"$ref": "#/properties/b"}}},
        "properties": {"b": {"type": "string"}},
    }
    with pytest.raises(Invalid, match="refers to #/properties/b, which its dialect ignores"):
        typescript_type(TYPE, 1, schema)


def test_what_draft_7_defines_beside_a_reference_has_its_type() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": "#/definitions/Warga",
        "definitions": {"Warga": {"type": "object", "properties": {"nama": {"type": "string"}}}},
    }
    assert body(schema) == "Warga"
    assert "nama?: string;" in typescript_type(TYPE, 1, schema)
