"""The supported dialects of JSON Schema, and what a keyword means in each.

Sources: the validation and core specifications of draft-06, draft-07, 2019-09 and 2020-12.
"""

from dataclasses import dataclass, field
from typing import Any

from referencing import Specification, jsonschema

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_FORMATS_6 = frozenset(
    {
        *("date-time", "email", "hostname", "ipv4", "ipv6", "uri", "uri-reference"),
        *("uri-template", "json-pointer"),
    }
)
_FORMATS_7 = _FORMATS_6 | {
    *("date", "time", "idn-email", "idn-hostname", "iri", "iri-reference"),
    *("relative-json-pointer", "regex"),
}
_FORMATS_2019 = _FORMATS_7 | {"duration", "uuid"}

_VALUES = frozenset(
    {
        *("type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum"),
        *("exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems"),
        *("uniqueItems", "maxProperties", "minProperties", "required"),
    }
)
_VALUES_2019 = _VALUES | {"minContains", "maxContains", "dependentRequired"}
_ONE_6 = frozenset({"additionalProperties", "propertyNames", "contains", "not"})
_ONE_7 = _ONE_6 | {"if", "then", "else"}
_ONE_2019 = _ONE_7 | {"unevaluatedItems", "unevaluatedProperties"}
_LISTS = frozenset({"allOf", "anyOf", "oneOf"})
_MAPS = frozenset({"properties", "patternProperties"})


@dataclass(frozen=True)
class Dialect:
    """One dialect. Keywords in no set are annotations, or are handled by name."""

    name: str
    uri: str
    specification: Specification[Any] = field(repr=False)
    formats: frozenset[str]  # asserted; other names in `format` are ignored
    values: frozenset[str] = _VALUES  # keywords without a schema, with the meaning of 2020-12
    one: frozenset[str] = _ONE_7  # keywords that hold a schema
    lists: frozenset[str] = _LISTS  # keywords that hold a list of schemas
    maps: frozenset[str] = _MAPS  # keywords that hold schemas by name
    ref_hides_siblings: bool = True  # keywords beside `$ref` are ignored
    tuples: str = "items"  # the keyword with one schema per position


DRAFT6 = Dialect(
    "draft 6",
    "http://json-schema.org/draft-06/schema",
    jsonschema.DRAFT6,
    _FORMATS_6,
    one=_ONE_6,
)
DRAFT7 = Dialect("draft 7", "http://json-schema.org/draft-07/schema", jsonschema.DRAFT7, _FORMATS_7)
DRAFT201909 = Dialect(
    "2019-09",
    "https://json-schema.org/draft/2019-09/schema",
    jsonschema.DRAFT201909,
    _FORMATS_2019,
    _VALUES_2019,
    _ONE_2019,
    maps=_MAPS | {"dependentSchemas"},
    ref_hides_siblings=False,
)
DRAFT202012 = Dialect(
    "2020-12",
    DIALECT,
    jsonschema.DRAFT202012,
    _FORMATS_2019,
    _VALUES_2019,
    _ONE_2019,
    maps=_MAPS | {"dependentSchemas"},
    ref_hides_siblings=False,
    tuples="prefixItems",
)
_BY_URI = {each.uri: each for each in (DRAFT6, DRAFT7, DRAFT201909, DRAFT202012)}


class UnreadableSchema(Exception):
    """The schema cannot be compared; the text says why."""


def dialect_of(schema: Any, default: Dialect = DRAFT202012) -> Dialect:
    """The dialect that a schema names by `$schema`. Raises UnreadableSchema if it is unknown."""
    uri = schema.get("$schema") if isinstance(schema, dict) else None
    if uri is None:
        return default
    found = _BY_URI.get(uri.rstrip("#")) if isinstance(uri, str) else None
    if found is None:
        known = ", ".join(each.name for each in _BY_URI.values())
        raise UnreadableSchema(f"$schema names an unknown dialect. Use one of {known}.")
    return found


def asserted_formats(schema: Any) -> frozenset[str]:
    """The formats that are asserted in the dialect of a schema; any other is an annotation."""
    try:
        return dialect_of(schema).formats
    except UnreadableSchema:
        return DRAFT202012.formats
