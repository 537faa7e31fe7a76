"""References between registered schemas: by id only, and nothing else is needed to read them."""

import itertools
import json
from typing import Any

import pytest

from gateway.base import strict_json
from gateway.base.errors import Invalid
from gateway.contracts import Library, Validator, admit, schema_id, schema_url, schema_urn
from gateway.contracts.bundle import bundle_schema, referenced_ids
from gateway.contracts.schema_limits import DIALECT
from gateway.contracts.values import InvalidExample, Version
from tests.builders import a_schema, a_submission

URL = "https://bus.example.go.id"
PERSON, PLACE = "id.go.uji.orang.dicatat.v1", "id.go.uji.tempat.dicatat.v1"
DRAFT7 = "http://json-schema.org/draft-07/schema#"
TEXTS = {
    (PERSON, 1): a_schema(
        **{
            "$id": "https://nusabus.go.id/schemas/orang/1",
            "required": ["nama"],
            "properties": {
                "nama": {"$ref": "#/$defs/teks"},
                "ibu": {"$ref": "#"},
                "lahir": {"$ref": schema_urn(PLACE, 2)},
                "usia": {"$ref": "#umur"},
            },
            "$defs": {
                "teks": {"type": "string"},
                "usia": {"$anchor": "umur", "type": "integer"},
            },
        }
    ),
    (PLACE, 2): a_schema(type="string", minLength=2),
    (PLACE, 3): json.dumps({"$schema": DRAFT7, "type": "string"}).encode(),
}
LIBRARY = Library(TEXTS, URL)


def validator_of(schema: bytes) -> Validator:
    bundle = bundle_schema(schema, TEXTS, URL)
    assert bundle is not None
    return Validator("t", 1, strict_json.parse(bundle), bundle)


@pytest.mark.parametrize("reference", [schema_urn(PERSON, 1), schema_url(URL, PERSON, 1)])
def test_a_schema_is_used_whole(reference: str) -> None:
    schema = a_schema(properties={"warga": {"$ref": reference}})
    validator = validator_of(schema)
    assert reference.encode() not in (bundle_schema(schema, TEXTS, URL) or b"")
    good = {"nama": "A", "ibu": {"nama": "B", "lahir": "AB"}, "usia": 3}
    assert validator.accepts({"warga": good})
    for bad in ({}, {"nama": 1}, {**good, "usia": "x"}, {**good, "lahir": "A"},
                {**good, "ibu": {}}, {**good, "ibu": {"nama": "B", "lahir": 1}}):  # fmt: skip
        assert not validator.accepts({"warga": bad})


def test_parts_of_a_schema_are_used() -> None:
    parts = {
        "a": {"$ref": f"{schema_urn(PERSON, 1)}#/$defs/teks"},
        "b": {"$ref": f"{schema_urn(PERSON, 1)}#umur"},
        "c": {"$ref": "#/$defs/lokal"},
    }
    validator = validator_of(a_schema(properties=parts, **{"$defs": {"lokal": {"type": "null"}}}))
    assert validator.accepts({"a": "x", "b": 1, "c": None})
    for name, value in (("a", 1), ("b", "x"), ("c", 1)):
        assert not validator.accepts({name: value})


def test_schemas_that_refer_to_each_other_are_bundled_once() -> None:
    first, second = (
        a_schema(properties={"b": {"$ref": schema_urn(PLACE, 9)}}),
        a_schema(properties={"a": {"$ref": schema_urn(PERSON, 9)}, "n": {"type": "integer"}}),
    )
    texts = {(PERSON, 9): first, (PLACE, 9): second}
    bundle = bundle_schema(first, texts)
    assert bundle is not None
    validator = Validator("t", 1, strict_json.parse(bundle))
    assert validator.accepts({"b": {"a": {"b": {"n": 1}}}})
    assert not validator.accepts({"b": {"a": {"b": {"n": "x"}}}})


def test_data_that_look_like_references_stay() -> None:
    reference = {"$ref": schema_urn(PLACE, 2)}
    schema = a_schema(
        properties={"a": reference, "b": {"const": reference}, "c": {"enum": [reference]}}
    )
    assert validator_of(schema).accepts({"a": "xy", "b": reference, "c": reference})


def test_names_that_are_taken_are_left_alone() -> None:
    defs = {"$defs": {f"{PLACE}-2": {"type": "null"}}}
    parts = {"a": {"$ref": schema_urn(PLACE, 2)}, "b": {"$ref": f"#/$defs/{PLACE}-2"}}
    validator = validator_of(a_schema(properties=parts, **defs))
    assert validator.accepts({"a": "xy", "b": None})


def test_a_schema_that_needs_nothing_is_its_own_bundle() -> None:
    assert bundle_schema(a_schema()) is None
    assert referenced_ids(strict_json.parse(a_schema(properties={"a": {"$ref": "#"}}))) == set()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (schema_urn(PERSON, 2), "not a version that you may use"),
        (schema_urn(PLACE, 3), "another dialect"),
        (f"{schema_urn(PERSON, 1)}#/$defs/none", "has no target"),
        (f"{schema_urn(PERSON, 1)}#none", r"no \$anchor"),
        (schema_url("https://other.example", PERSON, 1), "nothing is fetched"),
        (f"urn:nusabus:contract:{PERSON}:0", "not the id of a registered schema"),
        (f"urn:nusabus:contract:{PERSON}", "not the id of a registered schema"),
        (f"{schema_url(URL, PERSON, 1)}?x", "not the id of a registered schema"),
    ],
)
def test_a_reference_without_a_target_is_refused(reference: str, message: str) -> None:
    schema = a_schema(properties={"a": {"$ref": reference}})
    with pytest.raises(Invalid, match=message):
        admit(a_submission(versions=(Version(1, schema),)), LIBRARY)


def test_a_bundle_is_admitted_with_its_examples() -> None:
    schema = a_schema(properties={"a": {"$ref": schema_urn(PERSON, 1)}})
    invalid = (InvalidExample("x", "", "required", "/a", {"a": {}}),)
    submission = a_submission(
        versions=(Version(1, schema),), valid={"a": {"a": {"nama": "A"}}}, invalid=invalid
    )
    admit(submission, LIBRARY)


def test_a_chain_that_becomes_a_bomb_is_refused() -> None:
    """Each is harmless by itself; together they are looked at in a million ways."""

    def twice(reference: str) -> dict[str, Any]:
        return {"allOf": [{"$ref": reference}] * 2}

    types = [f"id.go.uji.t{n}.dicatat.v1" for n in range(20)]
    texts = {(types[0], 1): a_schema()}
    for before, type in itertools.pairwise(types):
        texts[type, 1] = a_schema(**twice(schema_urn(before, 1)))
    schema = a_schema(**twice(schema_urn(types[-1], 1)))
    with pytest.raises(Invalid, match="branch so often"):
        admit(a_submission(versions=(Version(1, schema),)), Library(texts))


def test_ids() -> None:
    assert schema_id(schema_urn(PERSON, 12), URL) == (PERSON, 12)
    assert schema_id(schema_url(URL, PERSON, 12), URL) == (PERSON, 12)
    assert schema_id(schema_url(URL, PERSON, 12), "") is None
    assert schema_id(DIALECT, URL) is None
