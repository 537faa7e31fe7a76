"""A contract's schema as AsyncAPI reads it: JSON Schema draft 7 inside a larger document.

The document is for people and generators. Keywords that draft 7 lacks are left out, so it may
accept more than the contract does; the schema at `dataschema` is authoritative.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.base.json_pointer import json_pointer
from gateway.contracts.keywords import LISTED, NAMED, SINGLE, Step, children, rebuilt
from gateway.contracts.references import localize_references

_NEWER = frozenset({"unevaluatedProperties", "unevaluatedItems", "minContains", "maxContains"})
_SCHEMAS = NAMED | LISTED | SINGLE | {"dependencies"}
_RENAMED = {"$defs": "definitions", "dependentSchemas": "dependencies", "prefixItems": "items"}
_REFERENCE = "$ref"
_PATTERN = r"^\$ref$"


def as_component(schema: Any, pointer: str) -> Any:
    """The schema, rewritten for its location, a JSON pointer in the document."""
    localized = localize_references(schema)
    return _draft7(localized, pointer, dict(_moved(localized, "", "")))


def _moved(schema: Any, old: str, new: str) -> Iterator[tuple[str, str]]:
    """The new pointer of each subschema by its old one."""
    yield old, new
    if isinstance(schema, dict):
        for step, below in children(schema):
            yield from _moved(
                below, old + json_pointer(step), new + json_pointer(_step(schema, step))
            )


def _step(schema: Mapping[str, Any], step: Step) -> Step:
    keyword, *names = step
    if keyword == "items" and "prefixItems" in schema:
        return ("additionalItems",)
    if keyword == "properties" and names == [_REFERENCE]:
        return "patternProperties", _PATTERN
    return (_RENAMED.get(keyword, keyword), *names)


def _draft7(schema: Any, pointer: str, moved: Mapping[str, str]) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = rebuilt(schema, lambda _, below: _draft7(below, pointer, moved))
    made = {
        name: value
        for name, value in made.items()
        if name not in _NEWER and (name in _SCHEMAS or not _refers(value))
    }
    made.pop("$schema", None)
    made.pop("$comment", None)
    _rename_tuple(made)
    _rename_dependencies(made)
    _rename_reference(made)
    if "$defs" in made:
        made["definitions"] = {**made.get("definitions", {}), **made.pop("$defs")}
    reference = schema.get(_REFERENCE)
    if reference is None:
        return made
    made.pop(_REFERENCE, None)
    target = {_REFERENCE: f"#{pointer}{moved.get(reference[1:], reference[1:])}"}
    # Draft 7 ignores keywords beside $ref.
    return {**made, "allOf": [target, *made.get("allOf", ())]} if made else target


def _refers(value: Any) -> bool:
    """Whether a value, such as an example, holds what a reader takes for a reference."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if _REFERENCE in each:
                return True
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return False


def _rename_tuple(schema: dict[str, Any]) -> None:
    if "prefixItems" in schema:
        if "items" in schema:
            schema["additionalItems"] = schema.pop("items")
        schema["items"] = schema.pop("prefixItems")


def _rename_dependencies(schema: dict[str, Any]) -> None:
    dependencies = {**schema.pop("dependentSchemas", {}), **schema.pop("dependentRequired", {})}
    if dependencies:
        schema["dependencies"] = {**schema.get("dependencies", {}), **dependencies}


def _rename_reference(schema: dict[str, Any]) -> None:
    """A member named `$ref` as a pattern: readers of the document take it for a reference."""
    properties = schema.get("properties", {})
    if _REFERENCE in properties:
        schema["properties"] = {n: each for n, each in properties.items() if n != _REFERENCE}
        patterns = {**schema.get("patternProperties", {}), _PATTERN: properties[_REFERENCE]}
        schema["patternProperties"] = patterns
