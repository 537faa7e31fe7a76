"""What any branch of a schema marks is never shown, in every dialect."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contracts import mask_personal_data
from tests.unit.marked_locations import FOUR, NEW, OLD, marked_locations, numbered_leaves

NAMES = ("a", "b", "ab")
PATTERNS = ("^a", "b$", ".")
PII: dict[str, Any] = {"x-pii": "nama"}
REFERENCES = {
    OLD[0]: [{"$ref": "#n"}, {"$ref": "#"}],
    OLD[1]: [{"$ref": "#n"}, {"$ref": "#"}],
    FOUR: [{"$ref": "#n"}, {"$ref": "#"}],
    NEW[0]: [{"$ref": "#n"}, {"$recursiveRef": "#"}, {"$ref": "urn:inner"}],
    NEW[1]: [{"$ref": "#n"}, {"$dynamicRef": "#d"}, {"$ref": "urn:inner"}],
}
LEAVES: list[Any] = [{}, PII, PII, True, False, {"type": "string"}, {"$ref": "#/definitions/x"}]
PUBLISHED = {
    "jsonschema_specifications": [
        f"schemas/{each}/metaschema.json"
        for each in ("draft4", "draft6", "draft7", "draft201909", "draft202012")
    ],
    "schemathesis": ["config/schema.json", "wfc/schema.json"],
    "datamodel_code_generator": ["resources/model_metadata.schema.json"],
}
MAPS = (
    *("properties", "patternProperties", "definitions", "$defs"),
    *("dependencies", "dependentSchemas"),
)
SINGLE = (
    *("not", "if", "then", "else", "contains", "items", "propertyNames"),
    *("additionalProperties", "unevaluatedProperties", "additionalItems", "unevaluatedItems"),
)


def _id_of(dialect: str) -> str:
    return "id" if dialect == FOUR else "$id"


def _schemas(dialect: str) -> st.SearchStrategy[Any]:
    latest, old = dialect == NEW[1], dialect in OLD
    leaf = st.sampled_from([*LEAVES, *REFERENCES[dialect]])

    def holding(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        many = st.lists(inner, min_size=1, max_size=2)
        members = st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=3)
        words: dict[str, st.SearchStrategy[Any]] = {
            "properties": members,
            "patternProperties": st.dictionaries(st.sampled_from(PATTERNS), inner, max_size=2),
            "dependencies" if old else "dependentSchemas": members,
            **dict.fromkeys(("allOf", "anyOf", "oneOf"), many),
            **dict.fromkeys(("not", "contains", "additionalProperties"), inner),
            "items": inner if latest else st.one_of(inner, many),
            "required": st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
        }
        if dialect not in (OLD[0], FOUR):
            words |= dict.fromkeys(("if", "then", "else"), inner)
        if not old:
            words |= dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), inner)
        words |= {"prefixItems": many} if latest else {"additionalItems": inner}
        chosen = st.lists(st.sampled_from(sorted(words)), min_size=1, max_size=4, unique=True)
        return chosen.flatmap(lambda of: st.fixed_dictionaries({each: words[each] for each in of}))

    return st.recursive(leaf, holding, max_leaves=8).flatmap(
        lambda body: st.builds(
            lambda x, n: {
                **(body if isinstance(body, dict) else {}),
                "$schema": dialect,
                "definitions": {
                    "x": x,
                    "n": {_id_of(dialect): "#n", **n} if old else {"$anchor": "n", **n},
                    **({"d": {"$dynamicAnchor": "d", **n}} if latest else {}),
                    **({} if old else {"i": {"$id": "urn:inner", **n}}),
                },
            },
            st.recursive(leaf, holding, max_leaves=4),
            st.sampled_from([PII, {"properties": {"a": PII}}, {"items": PII}]),
        )
    )


_cases = st.sampled_from((*OLD, *NEW)).flatmap(_schemas)
_leaf = st.sampled_from(["text", 1, None])
_data = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(_cases, _data)
def test_no_canary_of_a_marked_location_is_shown(schema: dict[str, Any], data: Any) -> None:
    numbered, where = numbered_leaves(data)
    marked = marked_locations(schema, numbered)
    shown = repr(mask_personal_data(schema, numbered))
    hidden = [
        canary
        for canary, path in where.items()
        if any(path[:length] in marked for length in range(len(path) + 1))
    ]
    assert not [each for each in hidden if each in shown]


def _published() -> dict[str, dict[str, Any]]:
    """Schemas that others have written: those in the packages that the tests install."""
    found = {}
    for package, names in PUBLISHED.items():
        for name in names:
            text = files(package).joinpath(name).read_text(encoding="utf-8")
            found[f"{package}/{name}"] = json.loads(text)
    return found


def _subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema in a document, by the keywords that hold some."""
    if not isinstance(schema, dict):
        return
    yield schema
    for word in MAPS:
        for each in schema.get(word, {}).values() if isinstance(schema.get(word), dict) else ():
            yield from _subschemas(each)
    for word in ("allOf", "anyOf", "oneOf", "prefixItems", "items"):
        for each in schema[word] if isinstance(schema.get(word), list) else ():
            yield from _subschemas(each)
    for word in SINGLE:
        yield from _subschemas(schema.get(word))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_no_canary_is_shown_whatever_a_published_schema_marks(drawn: st.DataObject) -> None:
    published = _published()
    schema = published[drawn.draw(st.sampled_from(sorted(published)))]
    places = list(_subschemas(schema))
    for at in drawn.draw(st.lists(st.integers(0, len(places) - 1), min_size=1, max_size=4)):
        places[at]["x-pii"] = "nama"
    names = sorted({name for each in places for name in each.get("properties", {})}) or ["a"]
    data = drawn.draw(
        st.recursive(
            _leaf,
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(st.sampled_from([*names, "a", "x-b"]), inner, max_size=4),
            ),
            max_leaves=10,
        )
    )
    numbered, where = numbered_leaves(data)
    marked = marked_locations(schema, numbered)
    shown = repr(mask_personal_data(schema, numbered))
    for canary, path in where.items():
        if any(path[:length] in marked for length in range(len(path) + 1)):
            assert canary not in shown


def test_the_published_schemas_are_of_many_dialects_and_marks_are_found() -> None:
    published = _published()
    assert {each["$schema"].rstrip("#") for each in published.values()} >= {
        each.rstrip("#") for each in (*OLD, *NEW)
    }
    assert sum(len(list(_subschemas(each))) for each in published.values()) > 500


ORANG = {"type": "string", "x-pii": "nama"}


@pytest.mark.parametrize(
    ("dialect", "schema", "shown"),
    [
        (
            NEW[1],
            {"properties": {"nama": {"$ref": "#n"}}, "$defs": {"o": {"$anchor": "n", **ORANG}}},
            {"a": 1, "nama": "…"},
        ),
        (OLD[1], {"dependencies": {"a": {"properties": {"nama": ORANG}}}}, {"a": 1, "nama": "…"}),
        (OLD[0], {"dependencies": {"a": {"properties": {"nama": ORANG}}}}, {"a": 1, "nama": "…"}),
        (
            NEW[1],
            {"properties": {"nama": {"$dynamicRef": "#d"}}, "$defs": {"o": {"$dynamicAnchor": "d"}}}
            | {"allOf": [{"$defs": {"p": {"$id": "urn:p", "$dynamicAnchor": "d", **ORANG}}}]},
            {"a": 1, "nama": "…"},
        ),
        (NEW[1], {"properties": {"nama": {"$ref": "urn:elsewhere"}}}, {"a": 1, "nama": "…"}),
        (NEW[1], {"x-branch": {"properties": {"nama": ORANG}}}, "…"),
        (NEW[1], {"properties": {"a": {"contentSchema": ORANG}}}, {"a": "…", "nama": "Siti"}),
        ("urn:a-dialect-of-tomorrow", {"properties": {"nama": ORANG}}, "…"),
        (NEW[1], {"properties": {"nama": {"not": {"not": ORANG}}}}, {"a": 1, "nama": "…"}),
        (NEW[1], {"properties": {"b": ORANG}}, {"a": 1, "nama": "Siti"}),
    ],
)
def test_a_form_of_reference_or_doubt(dialect: str, schema: dict[str, Any], shown: Any) -> None:
    data = {"a": 1, "nama": "Siti"}
    assert mask_personal_data({"$schema": dialect, **schema}, data) == shown
