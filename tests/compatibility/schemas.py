"""Small schemas over a small world of documents, so that what differs is soon found."""

from itertools import combinations, product
from typing import Any

from hypothesis import strategies as st

NAMES = ("a", "b", "ab")
TEXTS = ("", "a", "b", "ab", "abc", "a1", "2024-02-29")
NUMBERS: tuple[Any, ...] = (-1, 0, 1, 2, 3, 0.5, 2.0)
SCALARS: tuple[Any, ...] = (None, True, False, *NUMBERS, *TEXTS)
PATTERNS = ("^a", "b$", "^[ab]+$", "^a?b?$", "^.{2}$", "1", "^[a-z]{1,2}$")
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


def world() -> list[Any]:
    """A few thousand documents: all scalars, and what is built of some of them."""
    few: tuple[Any, ...] = (None, True, 0, 1, 0.5, "a", "ab", [], {}, ["a"], {"a": 1}, {"b": "a"})
    arrays = [list(each) for size in (1, 2, 3) for each in product(few[:9], repeat=size)]
    objects = [
        dict(zip(names, values, strict=True))
        for size in (1, 2)
        for names in combinations((*NAMES, "z"), size)
        for values in product(few, repeat=size)
    ]
    full = [dict(zip(NAMES, each, strict=True)) for each in product(few[:7], repeat=3)]
    deep = [{"a": each} for each in objects[:60]] + [[each] for each in objects[:60]]
    return [*SCALARS, [], {}, *arrays, *objects, *full, *deep]


def _some(values: tuple[Any, ...], most: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique_by=repr)


_few = st.integers(0, 3)
_types = st.one_of(st.sampled_from(TYPES), _some(TYPES, 3))
_PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "type": _types,
    "enum": _some(SCALARS, 4),
    "const": st.sampled_from((*SCALARS, [], {}, ["a"], {"a": 1})),
    "minimum": st.sampled_from(NUMBERS),
    "maximum": st.sampled_from(NUMBERS),
    "exclusiveMinimum": st.sampled_from(NUMBERS),
    "exclusiveMaximum": st.sampled_from(NUMBERS),
    "multipleOf": st.sampled_from((1, 2, 3, 0.5)),
    "minLength": _few,
    "maxLength": _few,
    "pattern": st.sampled_from(PATTERNS),
    "format": st.just("date"),
    "minItems": _few,
    "maxItems": _few,
    "uniqueItems": st.booleans(),
    "minContains": _few,
    "maxContains": _few,
    "minProperties": _few,
    "maxProperties": _few,
    "required": _some(NAMES, 3),
    "dependentRequired": st.dictionaries(st.sampled_from(NAMES), _some(NAMES, 2), max_size=2),
}


def _with(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    members = st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    holding: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(("properties", "dependentSchemas"), members),
        "patternProperties": st.dictionaries(st.sampled_from(PATTERNS), inner, max_size=2),
        "prefixItems": several,
        **dict.fromkeys(("allOf", "anyOf", "oneOf"), several),
        **dict.fromkeys(("additionalProperties", "propertyNames", "items", "contains"), inner),
        **dict.fromkeys(("not", "if", "then", "else"), inner),
        **dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), inner),
        "$ref": st.just("#/$defs/x"),
    }
    keywords = st.sampled_from([*_PLAIN, *holding, "properties", "type", "required", "anyOf"])
    chosen = st.lists(keywords, min_size=1, max_size=4, unique=True)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries({name: (_PLAIN | holding)[name] for name in names})
    )


_leaves = st.one_of(
    st.booleans(),
    st.just({}),
    st.builds(lambda value: {"type": value}, _types),
    st.lists(st.sampled_from(list(_PLAIN)), min_size=1, max_size=2, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: _PLAIN[name] for name in names})
    ),
)
_inner = st.recursive(_leaves, _with, max_leaves=6)


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """A schema of 2020-12 with one definition, which may be recursive."""
    body = draw(_with(_inner))
    definition = draw(_with(_inner))
    return {**body, "$defs": {"x": definition}}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two schemas that have much in common."""
    old, other = draw(schemas()), draw(schemas())
    kept = {name: value for name, value in old.items() if draw(st.integers(0, 4))}
    added = {name: value for name, value in other.items() if draw(st.integers(0, 3)) == 0}
    new = {**kept, **added, "$defs": draw(st.sampled_from((old, other)))["$defs"]}
    return (old, new) if draw(st.booleans()) else (new, old)
