"""The subschemas of a schema in normal form."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
ONE = frozenset(
    {
        *("additionalProperties", "propertyNames", "contains", "not", "if", "then", "else"),
        *("items", "unevaluatedItems", "unevaluatedProperties"),
    }
)
_PREFIX = "#/$defs/"
_canonical = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode


def map_subschemas(schema: Any, change: Callable[[Any], Any]) -> Any:
    """A schema with each direct subschema changed."""
    if isinstance(schema, bool):
        return schema
    result = dict(schema)
    for keyword, value in schema.items():
        if keyword in ONE:
            result[keyword] = change(value)
        elif keyword in LISTS:
            result[keyword] = [change(each) for each in value]
        elif keyword in BY_NAME:
            result[keyword] = {name: change(each) for name, each in value.items()}
    return result


def subschemas(schema: Any) -> Iterator[tuple[str, str, Any]]:
    """The direct subschemas of a schema: keyword, name or index or nothing, schema."""
    if isinstance(schema, bool):
        return
    for keyword, value in schema.items():
        if keyword in ONE:
            yield keyword, "", value
        elif keyword in LISTS:
            yield from ((keyword, str(index), each) for index, each in enumerate(value))
        elif keyword in BY_NAME:
            yield from ((keyword, name, each) for name, each in value.items())


def all_schemas(schema: Any) -> Iterator[dict[str, Any]]:
    """The schema and all its subschemas that are objects, the outermost first."""
    if isinstance(schema, dict):
        yield schema
        for _, _, each in subschemas(schema):
            yield from all_schemas(each)


def definition_name(reference: str) -> str:
    """The name of the definition that a `$ref` leads to."""
    return reference.removeprefix(_PREFIX)


def definition_reference(name: str) -> str:
    """The `$ref` that leads to a definition."""
    return _PREFIX + name


def same_json(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; unlike `==`, it tells 0 from false."""
    return _canonical(one) == _canonical(other)
