"""A contract's schema as AsyncAPI reads one: JSON Schema draft 7 inside a larger document.

The document is for people and for generators. What draft 7 cannot say is left out, so it may accept
more than the contract does; the schema under `dataschema` stays the judge.
"""

from typing import Any

from gateway.contracts.keywords import rebuilt
from gateway.contracts.references import localised

_NEWER = frozenset({"unevaluatedProperties", "unevaluatedItems", "minContains", "maxContains"})


def as_component(schema: Any, place: str) -> Any:
    """The schema as it may stand at `place`, a JSON pointer in the document."""
    return _draft7(localised(schema), place)


def _draft7(schema: Any, place: str) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = rebuilt(schema, lambda _, below: _draft7(below, place))
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
    target = {"$ref": f"#{place}{reference[1:].replace('/$defs/', '/definitions/')}"}
    # Draft 7 ignores what stands beside $ref.
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
