"""The form of a schema that stands alone: every reference is a pointer into it, with one target.

Schemas of others refer by `$id`, to schemas inside schemas, and by `$dynamicRef`. Validators,
comparison, masking and generators need not know that: they get this form. It accepts the same
documents, which the official test suite of JSON Schema shows. Nothing is ever fetched.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from gateway.base.errors import Invalid
from gateway.base.json_pointer import json_pointer
from gateway.contracts.keywords import dialect_uri
from gateway.contracts.schema_limits import bounded
from gateway.contracts.standalone.rewriting import Rewriting
from gateway.contracts.standalone.subschemas import BASE, MAX_SUBSCHEMAS, Subschemas

__all__ = ["BASE", "MAX_SUBSCHEMAS", "standalone"]

_DYNAMIC = ("$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$recursiveAnchor")


def standalone(
    document: dict[str, Any],
    definitions: str,
    keeps: Callable[[str], bool],
    others: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The schema in the form that stands alone; itself, if it is in that form.

    `definitions` is the keyword for definitions in its dialect. References to schemas whose URI
    `keeps` names stay; `others` are documents by URI that may be embedded. Raises Invalid for any
    other reference, and for one without a target.
    """
    if not _needs(document, keeps):
        return document
    _require_one_dialect(document)
    return Rewriting(Subschemas(document, others or {}), definitions, keeps).document()


def _needs(document: dict[str, Any], keeps: Callable[[str], bool]) -> bool:
    identity = document.get("$id")
    if isinstance(identity, str) and ":" not in identity:
        return True  # it has no absolute URI, and validators refuse it as a base
    schemas = {json_pointer(steps): each for steps, each in bounded(document)}
    for pointer, schema in schemas.items():
        if not isinstance(schema, dict):
            continue
        nested = pointer and (isinstance(schema.get("$id"), str) or "$schema" in schema)
        if nested or any(word in schema for word in _DYNAMIC):
            return True
        reference = schema.get("$ref")
        if isinstance(reference, str) and _leads_out(reference, schemas, keeps):
            return True
    return False


def _leads_out(reference: str, schemas: Mapping[str, Any], keeps: Callable[[str], bool]) -> bool:
    """Whether a reference is neither to a subschema by its pointer or anchor, nor is kept."""
    uri, _, fragment = reference.partition("#")
    if uri:
        return not keeps(uri)
    return fragment.startswith("/") and unquote(fragment) not in schemas


def _require_one_dialect(document: dict[str, Any]) -> None:
    """Raises Invalid for a subschema with another `$schema`."""
    own = dialect_uri(document)
    for steps, schema in bounded(document):
        found = dialect_uri(schema, own) if isinstance(schema, dict) else own
        if found != own:
            raise Invalid(
                f"The subschema has another $schema, {str(schema['$schema'])[:100]!r}. A schema "
                "and all inside it have one dialect: convert it, or omit $schema here.",
                pointer=json_pointer((*steps, "$schema")),
            )
