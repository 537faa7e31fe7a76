"""Saturation: writes implied constraints into a schema, so that the algebra can prove more.

The algebra compares patterns and formats by their text only. Where the writer's pattern or format
implies a pattern or format of the reader, or bounds on the length, these are added to the writer's
schema. Members that only the reader names are described as the writer's additional members. A
reader's pattern that matches every text is removed. Both schemas accept the same documents after.
"""

from functools import lru_cache
from typing import Any

from gateway.contracts.compatibility.languages import included, lengths
from gateway.contracts.compatibility.subschemas import all_schemas, map_subschemas

_MAX_PATTERNS = 200  # patterns of the reader that are tried
_MAX_LENGTH = 200  # characters; a longer length bound is ignored

# RFC 3339 section 5.6 and RFC 9562 section 4; other formats have no such simple bound.
_PATTERNS = {
    "date": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "uuid": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
}
# RFC 3986 section 4.1 and RFC 3987 section 1.2; RFC 6531 section 3.3.
_FORMATS = {
    "uri": ("uri-reference", "iri", "iri-reference"),
    "uri-reference": ("iri-reference",),
    "iri": ("iri-reference",),
    "email": ("idn-email",),
}


def saturated(writer: Any, reader: Any) -> Any:
    """The writer's schema with the reader's patterns, formats and members that it implies."""
    patterns = dict.fromkeys(each["pattern"] for each in all_schemas(reader) if "pattern" in each)
    names = dict.fromkeys(
        name for each in all_schemas(reader) for name in each.get("properties", ())
    )
    wanted = tuple(patterns)[:_MAX_PATTERNS]

    def rewritten(schema: Any) -> Any:
        result = map_subschemas(schema, rewritten)
        if isinstance(schema, bool):
            return result
        facts = _facts(schema, wanted)
        if facts:
            result["allOf"] = [*result.get("allOf", ()), *facts]
        if (
            isinstance(schema.get("additionalProperties"), dict)
            and "patternProperties" not in schema
        ):
            others = dict.fromkeys(names, result["additionalProperties"])
            result["properties"] = others | result.get("properties", {})
        return result

    return rewritten(writer)


def without_trivial_patterns(schema: Any) -> Any:
    """A schema without the patterns that match every text."""
    result = map_subschemas(schema, without_trivial_patterns)
    if isinstance(result, dict) and "pattern" in result and included("", result["pattern"]):
        del result["pattern"]
    return result


def _facts(schema: dict[str, Any], wanted: tuple[str, ...]) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = []
    if "pattern" in schema:
        most = schema.get("maxLength")
        bound = int(most) if most is not None and most <= _MAX_LENGTH else None
        facts += _implied(schema["pattern"], wanted, bound)
    format_ = schema.get("format", "")
    if format_ in _PATTERNS:
        facts += [*_implied(_PATTERNS[format_], wanted, None), {"pattern": _PATTERNS[format_]}]
    return [*facts, *({"format": each} for each in _FORMATS.get(format_, ()))]


@lru_cache(maxsize=256)
def _implied(
    pattern: str, wanted: tuple[str, ...], longest: int | None
) -> tuple[dict[str, Any], ...]:
    """The constraints that a pattern implies for texts of at most `longest` characters."""
    least, most = lengths(pattern)
    facts: list[dict[str, Any]] = [{"minLength": least}] if least else []
    if most is not None:
        facts.append({"maxLength": most})
    for each in wanted:
        if each != pattern and included(pattern, each, longest):
            facts.append({"pattern": each})
    return tuple(facts)
