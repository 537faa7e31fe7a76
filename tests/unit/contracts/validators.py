"""Schemas of all four dialects, documents, and what the two validators of contracts say of them.

hypothesis-jsonschema is not used: it ends with draft 7, unfolds no recursion, and its last release
does not run on the Hypothesis of today.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from gateway.base import strict_json
from gateway.contracts.compilation import CompiledSchema, Library, compile_schema
from gateway.contracts.schema_limits import DEFINITIONS
from tests.compatibility.schemas import NAMES, schemas, world
from tests.compatibility.schemas import PATTERNS as _PLAIN_PATTERNS

DIALECTS = {
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft-07": "http://json-schema.org/draft-07/schema",
    "draft-06": "http://json-schema.org/draft-06/schema",
}
OLD = ("draft-07", "draft-06")
SINCE_7 = ("date", "time", "idn-email", "idn-hostname", "iri", "iri-reference", "regex")
FORMATS = (
    *("date-time", "email", "hostname", "ipv4", "ipv6", "uri", "uri-reference", "uri-template"),
    *("json-pointer", *SINCE_7, "relative-json-pointer", "duration", "uuid"),
)
HARD_PATTERNS = (
    *(r"^[a-z]+$", r"^[A-Z]{2}-\d+$", r"\d", r"^\d{2}$", r"\w", r"^\w+$", r"\s", r"^\S+$", r"^.$"),
    *(r"^(a|b)*$", r"[^a]", r"a$", r"^$", r"\D", r"^[0-9]{1,3}$", r"\u00e9", r"\x41", r"\/", r"^-"),
    *("[[:alpha:]]", "(?i)A", r"\Aa", "[a-z&&[^b]]", r"[\w.-]+", "^[^@]+@[^@]+$"),
)
PATTERNS = (*HARD_PATTERNS, *_PLAIN_PATTERNS)
MULTIPLES = (1, 2, 0.1, 0.01, 0.5, 3)
BOUNDS = (0, 0.3, 1, 19.99, 9007199254740993)
TEXTS = (
    *(
        "",
        "a",
        "b1",
        "AB-12",
        "12",
        "a\n",
        "b\n",
        "ab\n",
        "12\n",
        "AB-12\n",
        "é",
        "e\u0301",
        "\u0663",
    ),
    *(" ", "\n", "\r", "\u2028", "\x1c", "\x85", "\ufeff", "\u00a0", "\uff11", "\U0001f600"),
    *("2024-02-29", "2023-02-29", "2024-02-29T10:00:00Z", "2024-02-29T23:59:60Z", "10:00:00Z"),
    *("2024-02-29T10:00:00+07:00", "2024-02-29T10:00:00", "10:00", "P1D", "P1.5D", "PT36H", "P"),
    *("a@b.go.id", "a b@c.d", "@", "kemenkes.go.id", "a.", "-a", "exa_mple", "xn--a", "1.2.3.4"),
    *("256.1.1.1", "::1", "1::2::3", "http://a/b?c#d", "http://a b", "a/b", "{a}", "{a", "/a~1"),
    *("/a~", "0/a", "01/a", "10/a", "^a$", "(", "(?<n>a)", r"\p{L}", "a{2,1}"),
    *("12345678-1234-1234-1234-123456789012", "12345678123412341234123456789012"),
)
NUMBERS = (
    *("0", "-0", "-0.0", "1", "1.0", "1e0", "1.5", "0.1", "0.3", "3", "19.99", "1e300", "1e-300"),
    *("0.30000000000000004", "9007199254740992", "9007199254740993", "9007199254740993.0"),
    *("12345678901234567890.5", "123456789012345678901234567890"),
)
POOLS: dict[str, tuple[Any, ...]] = {
    "pattern": PATTERNS,
    "multipleOf": MULTIPLES,
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), BOUNDS),
}
_DROPPED = {
    "2020-12": (),
    "2019-09": (),
    "draft-07": ("unevaluatedProperties", "unevaluatedItems", "minContains", "maxContains"),
    "draft-06": (
        *("unevaluatedProperties", "unevaluatedItems", "minContains", "maxContains"),
        *("if", "then", "else"),
    ),
}


def _object(members: dict[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"


scalars = st.one_of(
    st.sampled_from(TEXTS).map(json.dumps),
    st.sampled_from(NUMBERS),
    st.sampled_from(("null", "true", "false")),
    st.text(max_size=4).map(json.dumps),
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.dictionaries(st.sampled_from((*NAMES, "z", "12")), inner, max_size=3).map(_object),
    ),
    max_leaves=5,
).map(lambda text: strict_json.parse(text.encode()))
"""As intake reads them: numbers are exact."""
usual = tuple(strict_json.parse(json.dumps(each).encode()) for each in world()[::29])


@st.composite
def dialect_schemas(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A schema that says its dialect, with formats, patterns and numbers that are hard to read."""
    dialect = draw(st.sampled_from(tuple(DIALECTS)))
    plain = draw(schemas())
    hard = {"format": draw(st.sampled_from(formats_of(dialect)))} if draw(st.booleans()) else {}
    for keyword, pool in POOLS.items():
        if draw(st.integers(0, 3)) == 0:
            hard[keyword] = draw(st.sampled_from(pool))
    members = {draw(st.sampled_from(NAMES)): hard, **plain.get("properties", {})}
    body = draw(
        st.sampled_from(
            ({**plain, **hard}, {**plain, "properties": members}, {**plain, "items": hard})
        )
    )
    return dialect, {"$schema": DIALECTS[dialect], **_in_dialect(body, dialect)}


def formats_of(dialect: str) -> tuple[str, ...]:
    """The formats that a contract of this dialect may name."""
    later = {
        "draft-07": ("duration", "uuid"),
        "draft-06": (
            *("duration", "uuid", "idn-hostname", "iri", "iri-reference"),
            "relative-json-pointer",
        ),
    }.get(dialect, ())
    return tuple(each for each in FORMATS if each not in later)


def _in_dialect(schema: Any, dialect: str) -> Any:
    """The same schema as an earlier dialect writes it; what that cannot say is left out."""
    if isinstance(schema, list):
        return [_in_dialect(each, dialect) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        name: _in_dialect(value, dialect)
        for name, value in schema.items()
        if name not in _DROPPED[dialect]
    }
    if dialect != "2020-12" and "prefixItems" in found:
        rest = {"additionalItems": found.pop("items")} if "items" in found else {}
        found |= {"items": found.pop("prefixItems"), **rest}
    if dialect in OLD:
        for name in ("dependentRequired", "dependentSchemas"):
            if name in found:
                found["dependencies"] = found.get("dependencies", {}) | found.pop(name)
        if "$defs" in found:
            found["definitions"] = found.pop("$defs")
        if found.get("$ref") == "#/$defs/x":
            found["$ref"] = "#/definitions/x"
    return found


def admitted(schema: Any) -> CompiledSchema:
    """A schema as the registry admits it. Raises Invalid."""
    return compile_schema("id.go.uji.beda.dicatat.v1", 1, json.dumps(schema).encode(), Library())


def results(schema: CompiledSchema, data: Any) -> tuple[bool, bool | str]:
    """What `jsonschema-rs` and `jsonschema` say; "error" where the latter gives up."""
    try:
        reference: bool | str = schema.reference.is_valid(data)
    except (ArithmeticError, RecursionError, TypeError):
        reference = "error"
    return schema.validator.accepts(data), reference


@lru_cache(maxsize=4096)
def atom(dialect: str, keyword: str, value: str) -> CompiledSchema:
    """A schema with one keyword, whose value is JSON."""
    return admitted({"$schema": DIALECTS[dialect], keyword: json.loads(value)})


def leaves(data: Any) -> Iterator[Any]:
    """Every value in a document that holds no others, and every member name."""
    if isinstance(data, dict):
        yield from data
        for value in data.values():
            yield from leaves(value)
    elif isinstance(data, list):
        for value in data:
            yield from leaves(value)
    else:
        yield data


assert set(DEFINITIONS) == set(DIALECTS.values())
