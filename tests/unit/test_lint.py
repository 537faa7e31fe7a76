"""Lint: each rule on a schema that breaks it and on one that does not."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.base import strict_json
from gateway.base.errors import Invalid
from gateway.contracts import Classification, Contract, Pattern, submissions
from gateway.contracts.lint import Finding, Level, lint, national
from gateway.contracts.values import Ordering
from tests.builders import a_contract

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
SAFE = 2**53 - 1
TYPE = "id.go.uji.catatan.dibuat.v1"


def good(**changes: Any) -> Contract:
    return a_contract(**{"type": TYPE, "classification": Classification.CONFIDENTIAL, **changes})


def a_field(**keywords: Any) -> dict[str, Any]:
    return {"title": "Field", "description": "What it is.", "maxLength": 9, **keywords}


def an_object(**fields: Any) -> dict[str, Any]:
    """A schema without a fault, with these fields."""
    return {
        "title": "Uji",
        "description": "For tests.",
        "type": "object",
        "additionalProperties": False,
        "properties": fields,
    }


def about(schema: Any, **contract: Any) -> list[tuple[str, str]]:
    return [(each.rule, each.pointer) for each in lint(good(**contract), schema)]


def test_a_good_contract_has_no_findings() -> None:
    assert about(an_object(nomor=a_field(type="string"))) == []


def test_a_finding_says_what_is_wrong_and_what_to_do() -> None:
    [found] = lint(good(), an_object(nomor={"description": "x", "type": "boolean"}))
    assert found == Finding(
        "title",
        Level.WARNING,
        "schema",
        "/properties/nomor",
        "nomor has no title",
        "Add a title of a few words.",
    )


FIELDS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("nomor", {"type": "boolean", "title": ""}, ["title"]),
    ("nomor", {"type": "boolean", "description": " "}, ["description"]),
    ("isi", {"type": "object"}, ["openness"]),
    ("isi", {"type": "object", "unevaluatedProperties": False}, []),
    ("isi", {"properties": {}, "additionalProperties": True}, []),
    ("harga", {"type": "number", "description": "In rupiah."}, ["money"]),
    ("hargaSatuan", {"type": ["number", "null"], "description": "Per kg."}, ["money"]),
    ("hargaSatuan", {"type": ["number", "null"], "x-unit": "IDR"}, []),
    ("amount", {"type": "number", "x-unit": "see currency"}, []),
    ("amount", {"type": "number", "x-unit": " "}, ["money", "unit"]),
    ("price_ratio", {"type": "number", "x-unit": "1"}, []),
    ("budgetScore", {"type": "number", "x-unit": "1"}, []),
    ("cost_average", {"type": "number", "description": "In percent."}, []),
    ("rasio_biaya", {"type": "number", "description": "Of rupiah spent, in percent."}, []),
    ("jumlah", {"type": "number", "description": "Amount in rupiah."}, ["money"]),
    ("harga", {"type": "string", "description": "Decimal text, in rupiah."}, []),
    ("harga", {"type": "integer", "minimum": 0, "maximum": 9}, ["unit"]),
    ("harga", {"type": "integer", "minimum": 0, "maximum": 9, "x-unit": "IDR"}, []),
    ("suhu", {"type": "number"}, ["unit"]),
    ("suhu", {"type": "number", "description": "In degrees Celsius."}, []),
    ("jarak_km", {"type": "number"}, []),
    ("rasio", {"type": "number", "x-unit": "1"}, []),
    ("urutan", {"type": "integer", "minimum": 1, "maximum": SAFE}, []),
    ("urutan", {"type": "integer", "minimum": 1, "exclusiveMaximum": SAFE + 1}, []),
    ("urutan", {"type": "integer", "minimum": 1, "maximum": SAFE + 1}, ["integer-range"]),
    ("urutan", {"type": "integer", "minimum": 1}, ["integer-range"]),
    ("urutan", {"type": "integer", "maximum": 1}, ["integer-range"]),
    ("urutan", {"type": "integer", "maximum": 1, "exclusiveMinimum": -SAFE - 1}, []),
    ("urutan", {"type": "integer", "enum": [1, 2]}, []),
    ("urutan", {"const": SAFE + 1}, ["integer-range"]),
    ("kode", {"type": "string", "pattern": "^[a-z]+$"}, []),
    ("kode", {"type": "string", "pattern": "^(?<tahun>[0-9]{4})$"}, []),
    ("kode", {"type": "string", "pattern": "^(?P<tahun>[0-9]{4})$"}, ["pattern"]),
    ("kode", {"type": "string", "pattern": "^a++$"}, ["pattern"]),
    ("kode", {"type": "string", "pattern": r"^\A$"}, ["pattern"]),
    ("kode", {"type": "string", "pattern": "a"}, ["pattern-anchored"]),
    ("kode", {"type": "string", "maxLength": None}, []),
    ("kode", {"type": "string", "maxLength": 9, "format": "password"}, ["format"]),
    ("kode", {"type": "string", "maxLength": 36, "format": "uuid"}, []),
    ("daftar", {"type": "array", "items": {"type": "boolean"}}, ["bounds"]),
    ("nik", {"type": "string"}, ["personal-data"]),
    ("nik_ayah", {"type": "string"}, ["personal-data"]),
    ("nikAyah", {"type": "string"}, ["personal-data"]),
    ("tanggalLahir", {"type": "string"}, ["personal-data"]),
    ("telepon", {"type": "array", "maxItems": 2, "items": {"type": "boolean"}}, ["personal-data"]),
    ("nik", {"type": "string", "x-pii": "nik"}, []),
    ("nama", {"type": "string", "x-pii": False}, []),
    ("nama_paket", {"type": "string"}, []),
    ("nama", {"type": "boolean"}, []),
    ("nama", {"enum": ["A"]}, []),
    ("nik", {"type": "string", "x-pii": "rahasia"}, ["personal-data-kind"]),
    ("nik", {"type": "string", "x-pii": ["nik"]}, ["personal-data-kind"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "keywords", "rules"), FIELDS)
def test_a_field(name: str, keywords: dict[str, Any], rules: list[str]) -> None:
    assert [rule for rule, _ in about(an_object(**{name: a_field(**keywords)}))] == rules


def test_national_ids_in_texts_and_names() -> None:
    nik = "3273014105900001"
    contract = good(title=f"Of {nik}", ordering=Ordering("subject", "The NIK of the citizen."))
    schema = an_object(isi=a_field(type="boolean", examples=["0812-3456-7890"], default=nik))
    schema["properties"][nik] = a_field(type="boolean")
    found = {(each.rule, each.document, each.pointer) for each in lint(contract, schema)}
    assert found == {
        ("national-id", "contract", "/title"),
        ("personal-key", "contract", "/ordering"),
        ("national-id", "schema", "/properties/isi/examples"),
        ("national-id", "schema", "/properties/isi/default"),
        ("national-id", "schema", f"/properties/{nik}"),
    }
    hashed = good(ordering=Ordering("subject", "A keyed hash of the citizen."))
    assert lint(hashed, an_object()) == []


def test_text_of_any_length() -> None:
    field = {"title": "Field", "description": "What it is.", "type": "string"}
    assert about(an_object(isi=field)) == [("bounds", "/properties/isi")]


def test_a_reference_is_read_where_it_leads_and_told_once() -> None:
    schema = an_object(
        nik={"$ref": "#/$defs/nik"}, harga={"$ref": "#/$defs/uang", "title": "Price"}
    )
    schema["$defs"] = {
        "nik": a_field(type="string", **{"x-pii": "nik"}),
        "uang": {"title": "Money", "description": "In whole rupiah.", "type": "integer"},
    }
    assert about(schema) == [("integer-range", "/$defs/uang")]


def test_conditions_describe_nothing() -> None:
    schema = an_object(status=a_field(type="string"))
    schema["if"] = {"properties": {"status": {"const": "GAGAL"}}, "required": ["status"]}
    schema["then"] = {"required": ["alasan"], "properties": {"alasan": {"type": "object"}}}
    schema["anyOf"] = [{"properties": {"kode": {"const": 1}}}, {"required": ["status"]}]
    assert about(schema) == []


def test_fields_of_elements_and_alternatives_are_looked_at() -> None:
    inner = {"type": "object", "properties": {"nik": a_field(type="string")}}
    items = a_field(type="array", maxItems=2, items=inner)
    assert about(an_object(anggota=items)) == [
        ("openness", "/properties/anggota/items"),
        ("personal-data", "/properties/anggota/items/properties/nik"),
    ]
    alternative = an_object() | {"oneOf": [an_object(nik=a_field(type="string"))]}
    assert about(alternative) == [("personal-data", "/oneOf/0/properties/nik")]


def test_the_keys_of_pattern_properties_are_patterns() -> None:
    schema = an_object() | {"patternProperties": {"a/b": {"title": "x"}}}
    assert about(schema) == [("pattern-anchored", "/patternProperties/a~1b")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"title": " "}, [("title", "/title")]),
        ({"description": ""}, [("description", "/description")]),
        ({"type": "id.go.uji.catatan.update.v1"}, [("type-name", "/type"), ("fact-name", "/type")]),
        ({"type": "id.go.uji.catatan"}, [("type-name", "/type")]),
        ({"type": "id.go.uji.nik.validasi.v1"}, [("fact-name", "/type")]),
        ({"type": "id.go.uji.nik.validasi.v1", "pattern": Pattern.REQUEST_REPLY}, []),
        ({"ordering": Ordering("", "x")}, [("ordering", "/ordering/key")]),
        ({"ordering": Ordering("id", "x")}, [("ordering", "/ordering/key")]),
        ({"ordering": Ordering("id", "x"), "pattern": Pattern.REQUEST_REPLY}, []),
        ({"ordering": Ordering("subject", "")}, [("ordering", "/ordering/description")]),
    ],
)
def test_a_contract(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = lint(a_contract(**{"type": TYPE, **changes}), an_object())
    assert [(each.rule, each.pointer) for each in found] == expected
    assert all(each.document == "contract" for each in found)


def test_a_public_contract_carries_no_personal_data() -> None:
    schema = an_object(nik=a_field(type="string", **{"x-pii": "nik"}))
    assert about(schema, classification=Classification.CONFIDENTIAL) == []
    [found] = lint(good(classification=Classification.PUBLIC), schema)
    assert (found.rule, found.level, found.pointer) == (
        "classification", Level.ERROR, "/properties/nik",
    )  # fmt: skip


def test_the_gravest_comes_first_and_the_reply_is_looked_at() -> None:
    found = lint(
        good(), an_object(kode=a_field(type="string", pattern="a")), {"type": "object", **a_field()}
    )
    assert [(each.rule, each.document) for each in found] == [
        ("openness", "reply"),
        ("pattern-anchored", "schema"),
    ]


def test_an_organisation_raises_levels_and_lowers_none() -> None:
    profile = national().raised({"title": "error"})
    [found] = lint(good(title=""), an_object(), profile=profile)
    assert found.level is Level.ERROR
    assert national().rules["title"].level is Level.WARNING
    with pytest.raises(Invalid, match="only be raised"):
        national().raised({"pattern": "info"})
    with pytest.raises(Invalid, match="not a lint rule"):
        national().raised({"colour": "error"})
    with pytest.raises(Invalid, match="not a lint level"):
        national().raised({"title": "fatal"})


def test_every_rule_of_the_profile_says_why_and_what_to_do() -> None:
    for rule in national().rules.values():
        assert rule.why.endswith(".")
        assert re.search(r"[.]$", rule.advice)


def test_only_the_first_of_many_alike_are_listed() -> None:
    schema = an_object(**{f"isi{number}": {"type": "boolean"} for number in range(60)})
    found = lint(good(), schema)
    assert len(found) == 2 * 51
    assert {each.message for each in found if not each.pointer} == {"10 more findings like this"}


def test_our_own_contracts() -> None:
    found = {
        (submission.contract.type, each.rule, each.pointer)
        for submission in submissions(SCHEMAS)
        for version in submission.versions
        for each in lint(
            submission.contract,
            strict_json.parse(version.text),
            None if version.reply is None else strict_json.parse(version.reply),
        )
    }
    known = {(type, rule, where) for type, rule, where in found if rule == "national-id"}
    # Their descriptions name the invented NIK of the samples, and why it is refused.
    assert {type.rpartition(".")[0] for type, _, where in known if where == "/description"} == {
        *(f"id.go.dukcapil.ktp.{each}" for each in ("dibuat", "dicetak", "diverifikasi")),
        "id.go.dukcapil.nik.validasi",
    }
    assert found - known == {
        # The name of an indicator, and a link of which a part is enough.
        (
            "id.go.dinas.laporan.bulanan.v1",
            "personal-data",
            "/properties/indikator/items/properties/nama",
        ),
        (
            "id.go.setneg.undangundang.berubah.v1",
            "pattern-anchored",
            "/properties/tautan/pattern",
        ),
    }
    levels = national().rules
    assert not any(levels[rule].level is Level.ERROR for _, rule, _ in found)


WORDS = (
    "type", "properties", "items", "pattern", "$ref", "x-pii", "title", "enum", "const", "maximum",
    "allOf", "patternProperties", "$defs", "nik", "harga", "#", "#/$defs/nik",
)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_nothing_that_is_json_breaks_lint(schema: Any) -> None:
    lint(good(), schema)
