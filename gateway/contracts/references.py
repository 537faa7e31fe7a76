"""Rewrites the references of a bundled schema to pointers into the one document.

A bundle embeds the schemas that it refers to; generators of code and documents understand pointers
best. Nothing is ever fetched.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from gateway.base.errors import Invalid
from gateway.base.json_pointer import json_pointer
from gateway.contracts.keywords import Step, children, rebuilt
from gateway.contracts.standalone import BASE

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_IDENTITY = ("$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor")
_OLD = ("draft-07", "draft-06", "draft-04")  # keywords beside $ref are ignored
_KEPT = ("$ref", "definitions", "$defs")  # what is defined beside $ref may be what it refers to


def localize_references(schema: Any) -> Any:
    """The schema with every reference as `#` or `#/...`, and without `$id`.

    Keywords beside `$ref` are dropped where the dialect ignores them. Raises Invalid for a
    reference that leads out of the document.
    """
    if not isinstance(schema, dict):
        return schema
    pointers: dict[str, str] = {}
    _collect(schema, BASE, (), pointers)
    old = any(draft in str(schema.get("$schema", "")) for draft in _OLD)
    return _rewritten(schema, BASE, pointers, old)


def _collect(schema: Any, base: str, steps: Step, pointers: dict[str, str]) -> None:
    """Collect the pointers of all subschemas that can be referred to, by URI."""
    if not isinstance(schema, dict):
        return
    here = json_pointer(steps)
    inner = _base(schema, base)
    if not steps or inner != base:
        pointers.setdefault(inner, here)
    if not steps:
        pointers.setdefault(base, here)
    for keyword in ("$anchor", "$dynamicAnchor"):
        if isinstance(schema.get(keyword), str):
            pointers.setdefault(f"{inner}#{schema[keyword]}", here)
    if str(schema.get("$id", "")).startswith("#"):  # until draft 7
        pointers.setdefault(f"{inner}{schema['$id']}", here)
    for step, below in children(schema):
        _collect(below, inner, (*steps, *step), pointers)


def _base(schema: Mapping[str, Any], base: str) -> str:
    return urldefrag(urljoin(base, str(schema.get("$id", "")))).url


def _rewritten(schema: Any, base: str, pointers: Mapping[str, str], old: bool) -> Any:
    if not isinstance(schema, dict):
        return schema
    inner = _base(schema, base)
    made = rebuilt(schema, lambda _, below: _rewritten(below, inner, pointers, old))
    for keyword in _REFERENCES:
        reference = made.pop(keyword, None)
        if isinstance(reference, str):
            made["$ref"] = _local(reference, inner, pointers)
    for keyword in _IDENTITY:
        made.pop(keyword, None)
    if old and "$ref" in made:
        return {keyword: made[keyword] for keyword in _KEPT if keyword in made}
    return made


def _local(reference: str, base: str, pointers: Mapping[str, str]) -> str:
    uri, fragment = urldefrag(urljoin(base, reference))
    fragment = unquote(fragment)
    if fragment and not fragment.startswith("/"):
        uri, fragment = f"{uri}#{fragment}", ""
    if uri not in pointers:
        raise Invalid(f"The schema refers to {reference[:200]!r}, which is not part of it.")
    return f"#{pointers[uri]}{fragment}"
