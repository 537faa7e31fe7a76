"""References of a bundled schema as pointers into the one document.

A bundle carries the schemas that it refers to, each under its own `$id`; the tools that make code
and documents know pointers best. Nothing is ever fetched.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from gateway.base.errors import Invalid
from gateway.contracts.keywords import Step, children, pointer, rebuilt

_BASE = "https://nusabus.go.id/schemas/"
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_IDENTITY = ("$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor")
_OLD = ("draft-07", "draft-06", "draft-04")  # what stands beside $ref does not count


def localised(schema: Any) -> Any:
    """The schema with every reference as `#` or `#/...`, and no `$id`. Raises Invalid.

    Where the dialect ignores what stands beside `$ref`, that is left out.
    """
    if not isinstance(schema, dict):
        return schema
    places: dict[str, str] = {}
    _collect(schema, _BASE, (), places)
    old = any(draft in str(schema.get("$schema", "")) for draft in _OLD)
    return _rewritten(schema, _BASE, places, old)


def _collect(schema: Any, base: str, steps: Step, places: dict[str, str]) -> None:
    """Note under which URI every named part of the document can be referred to."""
    if not isinstance(schema, dict):
        return
    here = pointer(steps)
    inner = _base(schema, base)
    if not steps or inner != base:
        places.setdefault(inner, here)
    if not steps:
        places.setdefault(base, here)
    for keyword in ("$anchor", "$dynamicAnchor"):
        if isinstance(schema.get(keyword), str):
            places.setdefault(f"{inner}#{schema[keyword]}", here)
    if str(schema.get("$id", "")).startswith("#"):  # until draft 7
        places.setdefault(f"{inner}{schema['$id']}", here)
    for step, below in children(schema):
        _collect(below, inner, (*steps, *step), places)


def _base(schema: Mapping[str, Any], base: str) -> str:
    return urldefrag(urljoin(base, str(schema.get("$id", "")))).url


def _rewritten(schema: Any, base: str, places: Mapping[str, str], old: bool) -> Any:
    if not isinstance(schema, dict):
        return schema
    inner = _base(schema, base)
    made = rebuilt(schema, lambda _, below: _rewritten(below, inner, places, old))
    for keyword in _REFERENCES:
        reference = made.pop(keyword, None)
        if isinstance(reference, str):
            made["$ref"] = _local(reference, inner, places)
    for keyword in _IDENTITY:
        made.pop(keyword, None)
    return {"$ref": made["$ref"]} if old and "$ref" in made else made


def _local(reference: str, base: str, places: Mapping[str, str]) -> str:
    uri, fragment = urldefrag(urljoin(base, reference))
    fragment = unquote(fragment)
    if fragment and not fragment.startswith("/"):
        uri, fragment = f"{uri}#{fragment}", ""
    if uri not in places:
        raise Invalid(f"the schema refers to {reference[:200]!r}, which is not part of it")
    return f"#{places[uri]}{fragment}"
