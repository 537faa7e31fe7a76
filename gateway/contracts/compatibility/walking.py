"""The schemas inside a schema in normal form."""

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


def mapped(schema: Any, change: Callable[[Any], Any]) -> Any:
    """A schema with each schema directly in it changed."""
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


def below(schema: Any) -> Iterator[tuple[str, str, Any]]:
    """The schemas directly in a schema: keyword, name or index or nothing, schema."""
    if isinstance(schema, bool):
        return
    for keyword, value in schema.items():
        if keyword in ONE:
            yield keyword, "", value
        elif keyword in LISTS:
            yield from ((keyword, str(index), each) for index, each in enumerate(value))
        elif keyword in BY_NAME:
            yield from ((keyword, name, each) for name, each in value.items())


def everywhere(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema object, the outermost first."""
    if isinstance(schema, dict):
        yield schema
        for _, _, each in below(schema):
            yield from everywhere(each)


def named(reference: str) -> str:
    """The definition that a reference names."""
    return reference.removeprefix(_PREFIX)


def reference(name: str) -> str:
    """The reference to a definition."""
    return _PREFIX + name


def same(one: Any, other: Any) -> bool:
    """Whether two values are written alike; unlike `==`, it tells 0 from false."""
    return _canonical(one) == _canonical(other)
