"""A contract's schema as AsyncAPI reads it: JSON Schema draft 7 inside a larger document.

The document is for people and generators. Keywords that draft 7 lacks are left out, so it may
accept more than the contract does; the schema at `dataschema` is authoritative.
"""

from typing import Any

from gateway.contracts.keywords import rebuilt
from gateway.contracts.references import localize_references

_NEWER = frozenset({"unevaluatedProperties", "unevaluatedItems", "minContains", "maxContains"})


def as_component(schema: Any, pointer: str) -> Any:
    """The schema, rewritten for its location, a JSON pointer in the document."""
    return _draft7(localize_references(schema), pointer)


def _draft7(schema: Any, pointer: str) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = rebuilt(schema, lambda _, below: _draft7(below, pointer))
    made = {name: value for name, value in made.items() if name not in _NEWER}
    made.pop("$schema", None)
    made.pop("$comment", None)
    _rename_tuple(made)
    _rename_dependencies(made)
    if "$defs" in made:
        made["definitions"] = {**made.get("definitions", {}), **made.pop("$defs")}
    reference = made.pop("$ref", None)
    if reference is None:
        return made
    target = {"$ref": f"#{pointer}{reference[1:].replace('/$defs/', '/definitions/')}"}
    # Draft 7 ignores keywords beside $ref.
    return {**made, "allOf": [target, *made.get("allOf", ())]} if made else target


def _rename_tuple(schema: dict[str, Any]) -> None:
    if "prefixItems" in schema:
        if "items" in schema:
            schema["additionalItems"] = schema.pop("items")
        schema["items"] = schema.pop("prefixItems")


def _rename_dependencies(schema: dict[str, Any]) -> None:
    dependencies = {**schema.pop("dependentSchemas", {}), **schema.pop("dependentRequired", {})}
    if dependencies:
        schema["dependencies"] = {**schema.get("dependencies", {}), **dependencies}
