"""References from one registered schema to another: by id only, pinned by version, bundled.

A schema names another one as `urn:nusabus:contract:<type>:<version>`, or as the URL under which
this gateway serves it, both with a fragment where only a part is meant. In the bundle every
schema that is needed stands under `$defs` of the one that needs it, and all references are local,
so whoever reads it needs nothing else. Nothing is ever fetched.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import msgspec

from gateway.base import strict_json
from gateway.base.errors import Invalid
from gateway.contracts.keywords import Step, at, children, escaped, pointer, rebuilt
from gateway.contracts.soundness import DEFINITIONS, SCHEMA_DEPTH

SchemaId = tuple[str, int]  # type and version
Shelf = Mapping[SchemaId, bytes]  # the texts of registered schemas
EMPTY: Shelf = MappingProxyType({})

BUNDLED = 100  # schemas in one bundle
BUNDLE_LIMIT = 1 << 20  # bytes
_ID = re.compile(r"urn:nusabus:contract:(?P<type>[a-z0-9.-]{1,255}):(?P<version>[1-9][0-9]{0,8})")
_PATH = r"/v1/contracts/(?P<type>[a-z0-9.-]{1,255})/versions/(?P<version>[1-9][0-9]{0,8})/schema"
_encode = msgspec.json.Encoder(decimal_format="number").encode


def schema_id(uri: str, base_url: str) -> SchemaId | None:
    """What a URI without fragment names in this registry, or None."""
    found = _ID.fullmatch(uri)
    if found is None and base_url and uri.startswith(base_url):
        found = re.fullmatch(_PATH, uri.removeprefix(base_url))
    return None if found is None else (found["type"], int(found["version"]))


def schema_urn(type: str, version: int) -> str:
    """The id of a version, the same wherever the registry stands."""
    return f"urn:nusabus:contract:{type}:{version}"


def schema_url(base_url: str, type: str, version: int) -> str:
    """Where a version is served; events may carry it as `dataschema`."""
    return f"{base_url}/v1/contracts/{type}/versions/{version}/schema"


def referred(text: bytes, base_url: str = "") -> set[SchemaId]:
    """The other schemas that a schema needs. Raises Invalid for a reference that is no id."""
    found: set[SchemaId] = set()

    def visit(schema: Any, steps: Step) -> None:
        if not isinstance(schema, dict):
            return
        target = _split(schema, steps, base_url)[0]
        if target is not None:
            found.add(target)
        for step, below in children(schema):
            visit(below, (*steps, *step))

    document = strict_json.parse(text, depth=SCHEMA_DEPTH)
    visit(document, ())
    return found


def bundled(text: bytes, shelf: Shelf = EMPTY, base_url: str = "") -> bytes | None:
    """The schema with all that it refers to; None where it refers to nothing else.

    Raises Invalid for a reference that is no id, or that leads nowhere.
    """
    if not referred(text, base_url):
        return None
    return _Bundle(strict_json.parse(text, depth=SCHEMA_DEPTH), shelf, base_url).text()


class _Bundle:
    def __init__(self, root: dict[str, Any], shelf: Shelf, base_url: str) -> None:
        self._root, self._shelf, self._base_url = root, shelf, base_url
        self._keyword = DEFINITIONS[str(root["$schema"]).rstrip("#")]
        self._names: dict[SchemaId, str] = {}
        self._waiting: list[SchemaId] = []
        self._texts: dict[SchemaId, Any] = {}

    def text(self) -> bytes:
        made = self._rewritten(self._root, (), self._reference_of_root)
        embedded: dict[str, Any] = {}
        while self._waiting:
            target = self._waiting.pop()
            name = self._names[target]
            embedded[name] = self._embedded(target, name)
        made[self._keyword] = {**made.get(self._keyword, {}), **embedded}
        text = _encode(made)
        if len(text) > BUNDLE_LIMIT:
            raise Invalid(
                f"the schema has {len(text)} bytes with all that it refers to: "
                f"{BUNDLE_LIMIT} are allowed"
            )
        return text

    def _embedded(self, target: SchemaId, name: str) -> dict[str, Any]:
        prefix = f"#/{self._keyword}/{escaped(name)}"

        def reference(fragment: str) -> str:
            return f"{prefix}{self._place(self._texts[target], fragment)}"

        made: dict[str, Any] = self._rewritten(self._texts[target], (), reference)
        for keyword in ("$schema", "$id", "$comment"):
            made.pop(keyword, None)
        return made

    def _rewritten(self, schema: Any, steps: Step, own: Callable[[str], str]) -> Any:
        if not isinstance(schema, dict):
            return schema
        made = rebuilt(schema, lambda step, below: self._rewritten(below, (*steps, *step), own))
        if isinstance(schema.get("$ref"), str):
            target, fragment = _split(schema, steps, self._base_url)
            made["$ref"] = own(fragment) if target is None else self._outside(target, fragment)
        if own != self._reference_of_root:
            made.pop("$anchor", None)
        return made

    def _reference_of_root(self, fragment: str) -> str:
        return f"#{fragment}"

    def _outside(self, target: SchemaId, fragment: str) -> str:
        if target not in self._names:
            self._take(target)
        place = self._place(self._texts[target], fragment)
        return f"#/{self._keyword}/{escaped(self._names[target])}{place}"

    def _take(self, target: SchemaId) -> None:
        type_, version = target
        text = self._shelf.get(target)
        if text is None:
            raise Invalid(
                f"the schema refers to {schema_urn(type_, version)}, and there is no such version "
                "that you may use: register it first, or correct the id"
            )
        document = strict_json.parse(text, depth=SCHEMA_DEPTH)
        if document["$schema"].rstrip("#") != str(self._root["$schema"]).rstrip("#"):
            raise Invalid(
                f"{schema_urn(type_, version)} is written in another dialect, {document['$schema']}"
                ": a schema and all that it refers to need the same $schema"
            )
        if len(self._names) >= BUNDLED:
            raise Invalid(f"the schema refers to more than {BUNDLED} others: use fewer")
        name = f"{type_}-{version}"
        while name in self._root.get(self._keyword, {}):
            name += "-"
        self._names[target], self._texts[target] = name, document
        self._waiting.append(target)

    def _place(self, document: Any, fragment: str) -> str:
        """A fragment as a pointer into its document."""
        if fragment and not fragment.startswith("/"):
            found = _anchored(document, fragment, ())
            if found is None:
                raise Invalid(f"there is no $anchor {fragment[:100]!r} in what a $ref leads to")
            return found
        try:
            at(document, unquote(fragment))
        except (LookupError, ValueError, TypeError):
            raise Invalid(f"a $ref leads nowhere: there is no {fragment[:200]!r}") from None
        return fragment


def _split(schema: Mapping[str, Any], steps: Step, base_url: str) -> tuple[SchemaId | None, str]:
    """Which other schema a `$ref` leads to (None: its own), and where in it."""
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return None, ""
    uri, _, fragment = reference.partition("#")
    if not uri:
        return None, fragment
    target = schema_id(uri, base_url)
    if target is None:
        raise Invalid(
            f"{reference[:200]!r} is no id of a registered schema, and nothing is ever fetched: "
            "write urn:nusabus:contract:<type>:<version>, or put the schema under $defs",
            pointer=pointer((*steps, "$ref")),
        )
    return target, fragment


def _anchored(schema: Any, name: str, steps: Step) -> str | None:
    if not isinstance(schema, dict):
        return None
    if schema.get("$anchor") == name:
        return pointer(steps)
    places = (_anchored(below, name, (*steps, *step)) for step, below in children(schema))
    return next((place for place in places if place is not None), None)
