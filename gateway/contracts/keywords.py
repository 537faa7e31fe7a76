"""The keywords that hold subschemas, in all dialects from draft 6 to 2020-12."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords that hold an object of schemas."""

LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
"""Keywords that hold an array of schemas; `items` does so until 2019-09."""

SINGLE = frozenset(
    {
        "items", "additionalItems", "unevaluatedItems", "additionalProperties",
        "unevaluatedProperties", "contains", "propertyNames", "contentSchema",
        "not", "if", "then", "else",
    }
)  # fmt: skip
"""Keywords that hold one schema."""


class Annotation:
    """A keyword for `jsonschema_rs` that accepts every value."""

    def __init__(self, parent: Any, value: Any, path: Any) -> None:
        """Keep nothing."""

    def validate(self, instance: Any) -> None:
        """Accept it."""


_CONTENT = ("contentEncoding", "contentMediaType")

Step = tuple[str, ...]


def dialect_uri(schema: Mapping[str, Any], default: str = "") -> str:
    """The URI that `$schema` names, as `schema_limits.DEFINITIONS` writes it."""
    return str(schema.get("$schema", default)).rstrip("#")


def text_of(schema: Mapping[str, Any], keyword: str) -> str:
    """The value of a keyword, "" unless it is a string."""
    found = schema.get(keyword)
    return found if isinstance(found, str) else ""


def children(schema: Mapping[str, Any]) -> Iterator[tuple[Step, Any]]:
    """The direct subschemas of a schema, each with the steps that lead to it."""
    for keyword, value in schema.items():
        if isinstance(value, dict) and keyword in NAMED:
            for name, below in value.items():
                yield (keyword, name), below
        elif isinstance(value, list) and keyword in LISTED:
            for index, below in enumerate(value):
                yield (keyword, str(index)), below
        elif keyword in SINGLE and isinstance(value, dict | bool):
            yield (keyword,), value
        elif keyword == "dependencies" and isinstance(value, dict):  # until draft 7
            for name, below in value.items():
                if not isinstance(below, list):
                    yield (keyword, name), below


def rebuilt(schema: Mapping[str, Any], each: Callable[[Step, Any], Any]) -> dict[str, Any]:
    """The schema with every direct subschema replaced by the result of `each`."""
    made = dict(schema)
    for step, below in children(schema):
        keyword, *names = step
        if not names:
            made[keyword] = each(step, below)
            continue
        if made[keyword] is schema[keyword]:
            made[keyword] = schema[keyword].copy()
        made[keyword][_key(made[keyword], names[0])] = each(step, below)
    return made


def subschemas(schema: Any, steps: Step = ()) -> Iterator[tuple[Step, Any]]:
    """A schema and all schemas inside it, each with the steps that lead to it."""
    yield steps, schema
    if isinstance(schema, dict):
        for step, below in children(schema):
            yield from subschemas(below, (*steps, *step))


def annotations(schema: Any) -> dict[str, Any]:
    """What makes `jsonschema_rs` accept any content, as it does since 2019-09; empty if not needed.

    In drafts 6 and 7 it asserts `contentEncoding` and `contentMediaType`. Others do not: draft 7
    leaves it open (validation, section 8.2). Its classes make a validator slower by a microsecond.
    """
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if any(keyword in each for keyword in _CONTENT):
                return dict.fromkeys(_CONTENT, Annotation)
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return {}


def _key(container: Any, name: str) -> Any:
    return int(name) if isinstance(container, list) else name


def at(schema: Any, pointer: str) -> Any:
    """The value at a JSON pointer. Raises LookupError or ValueError if there is none."""
    found = schema
    for step in pointer.split("/")[1:]:
        if not isinstance(found, dict | list):
            raise LookupError(pointer)
        found = found[_key(found, step.replace("~1", "/").replace("~0", "~"))]
    return found
