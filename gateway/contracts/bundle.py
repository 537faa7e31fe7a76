"""References from one registered schema to another: by id, pinned to a version, bundled.

A schema refers to another as `urn:nusabus:contract:<type>:<version>`, or by the URL under which
this gateway serves it, with a fragment for a part of it. The bundle embeds every referenced schema
under `$defs`, and all its references are local, so a reader needs nothing else. Nothing is ever
fetched.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import jsonschema_specifications  # type: ignore[import-untyped]  # it has no types
import msgspec

from gateway.base import strict_json
from gateway.base.errors import Invalid
from gateway.base.json_pointer import escaped, json_pointer
from gateway.contracts.keywords import Step, at, children, dialect_uri, rebuilt
from gateway.contracts.schema_limits import DEFINITIONS, SCHEMA_DEPTH
from gateway.contracts.standalone import standalone

SchemaId = tuple[str, int]  # type and version
SchemaTexts = Mapping[SchemaId, bytes]  # the texts of registered schemas
EMPTY: SchemaTexts = MappingProxyType({})

MAX_BUNDLED = 100  # schemas in one bundle
BUNDLE_LIMIT = 1 << 20  # bytes
_ID = re.compile(r"urn:nusabus:contract:(?P<type>[a-z0-9.-]{1,255}):(?P<version>[1-9][0-9]{0,8})")
_PATH = r"/v1/contracts/(?P<type>[a-z0-9.-]{1,255})/versions/(?P<version>[1-9][0-9]{0,8})/schema"
META_SCHEMAS = {
    uri.rstrip("#"): jsonschema_specifications.REGISTRY.contents(uri)
    for uri in jsonschema_specifications.REGISTRY
}
_encode = msgspec.json.Encoder(decimal_format="number").encode


def schema_id(uri: str, base_url: str) -> SchemaId | None:
    """The registered schema that a URI without fragment names, or None."""
    found = _ID.fullmatch(uri)
    if found is None and base_url and uri.startswith(base_url):
        found = re.fullmatch(_PATH, uri.removeprefix(base_url))
    return None if found is None else (found["type"], int(found["version"]))


def schema_urn(type: str, version: int) -> str:
    """The id of a version, the same in every registry."""
    return f"urn:nusabus:contract:{type}:{version}"


def schema_url(base_url: str, type: str, version: int) -> str:
    """The URL of a version; events may carry it as `dataschema`."""
    return f"{base_url}/v1/contracts/{type}/versions/{version}/schema"


def referenced_ids(document: Any, base_url: str = "") -> set[SchemaId]:
    """The other schemas that a schema refers to. Raises Invalid for any other reference."""
    return _ids_in(_alone(document, base_url), base_url)


def _alone(document: Any, base_url: str) -> Any:
    """The form that stands alone but for registered schemas; anything else as it is."""
    if not isinstance(document, dict):
        return document
    keyword = DEFINITIONS.get(dialect_uri(document))
    if keyword is None:
        return document
    keeps = partial(_is_registered, base_url=base_url)
    return standalone(document, keyword, keeps, META_SCHEMAS)


def _is_registered(uri: str, base_url: str) -> bool:
    return schema_id(uri, base_url) is not None


def _ids_in(document: Any, base_url: str) -> set[SchemaId]:
    found: set[SchemaId] = set()

    def visit(schema: Any, steps: Step) -> None:
        if not isinstance(schema, dict):
            return
        target = _split(schema, steps, base_url)[0]
        if target is not None:
            found.add(target)
        for step, below in children(schema):
            visit(below, (*steps, *step))

    visit(document, ())
    return found


def bundle_schema(
    text: bytes, texts: SchemaTexts = EMPTY, base_url: str = "", document: Any = None
) -> bytes | None:
    """The schema with all references as pointers into it; None if that is what it has.

    `document` is the parsed text, if the caller has it. Raises Invalid for a reference that is no
    id of a registered schema, or that has no target.
    """
    if document is None:
        document = strict_json.parse(text, depth=SCHEMA_DEPTH)
    alone = _alone(document, base_url)
    if _ids_in(alone, base_url):
        return _Bundle(alone, texts, base_url).text()
    return None if alone is document else _limited(_encode(alone))


class _Bundle:
    def __init__(self, root: dict[str, Any], texts: SchemaTexts, base_url: str) -> None:
        self._root, self._texts, self._base_url = root, texts, base_url
        self._keyword = DEFINITIONS[dialect_uri(root)]
        self._names: dict[SchemaId, str] = {}
        self._waiting: list[SchemaId] = []
        self._documents: dict[SchemaId, Any] = {}

    def text(self) -> bytes:
        made = self._rewritten(self._root, (), self._reference_of_root)
        embedded: dict[str, Any] = {}
        while self._waiting:
            target = self._waiting.pop()
            name = self._names[target]
            embedded[name] = self._embedded(target, name)
        made[self._keyword] = {**made.get(self._keyword, {}), **embedded}
        return _limited(_encode(made))

    def _embedded(self, target: SchemaId, name: str) -> dict[str, Any]:
        prefix = f"#/{self._keyword}/{escaped(name)}"

        def reference(fragment: str) -> str:
            return f"{prefix}{_location(self._documents[target], fragment)}"

        made: dict[str, Any] = self._rewritten(self._documents[target], (), reference)
        for keyword in ("$schema", "$id", "$comment"):
            made.pop(keyword, None)
        return made

    def _rewritten(self, schema: Any, steps: Step, own: Callable[[str], str]) -> Any:
        if not isinstance(schema, dict):
            return schema
        made = rebuilt(schema, lambda step, below: self._rewritten(below, (*steps, *step), own))
        if isinstance(schema.get("$ref"), str):
            target, fragment = _split(schema, steps, self._base_url)
            made["$ref"] = own(fragment) if target is None else self._reference(target, fragment)
        if own != self._reference_of_root:
            made.pop("$anchor", None)
        return made

    def _reference_of_root(self, fragment: str) -> str:
        return f"#{fragment}"

    def _reference(self, target: SchemaId, fragment: str) -> str:
        if target not in self._names:
            self._add(target)
        location = _location(self._documents[target], fragment)
        return f"#/{self._keyword}/{escaped(self._names[target])}{location}"

    def _add(self, target: SchemaId) -> None:
        type_, version = target
        text = self._texts.get(target)
        if text is None:
            raise Invalid(
                f"The schema refers to {schema_urn(type_, version)}, which is not a version that "
                "you may use. Register it first, or correct the id."
            )
        document = _alone(strict_json.parse(text, depth=SCHEMA_DEPTH), self._base_url)
        if dialect_uri(document) != dialect_uri(self._root):
            raise Invalid(
                f"{schema_urn(type_, version)} uses another dialect, {document['$schema']}. A "
                "schema and all that it refers to must have the same $schema."
            )
        if len(self._names) >= MAX_BUNDLED:
            raise Invalid(f"The schema refers to more than {MAX_BUNDLED} others. Use fewer.")
        name = f"{type_}-{version}"
        while name in self._root.get(self._keyword, {}):
            name += "-"
        self._names[target], self._documents[target] = name, document
        self._waiting.append(target)


def _limited(text: bytes) -> bytes:
    if len(text) > BUNDLE_LIMIT:
        raise Invalid(
            f"The schema has {len(text)} bytes with all embedded schemas; "
            f"{BUNDLE_LIMIT} are allowed."
        )
    return text


def _location(document: Any, fragment: str) -> str:
    """A fragment as a pointer into its document. Raises Invalid if it has no target."""
    if fragment and not fragment.startswith("/"):
        found = _anchored(document, fragment, ())
        if found is None:
            raise Invalid(f"The target of a $ref has no $anchor {fragment[:100]!r}.")
        return found
    try:
        at(document, unquote(fragment))
    except (LookupError, ValueError, TypeError):
        raise Invalid(f"A $ref has no target: there is no {fragment[:200]!r}.") from None
    return fragment


def _split(schema: Mapping[str, Any], steps: Step, base_url: str) -> tuple[SchemaId | None, str]:
    """The other schema that a `$ref` leads to (None: its own), and the fragment."""
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return None, ""
    uri, _, fragment = reference.partition("#")
    if not uri:
        return None, fragment
    target = schema_id(uri, base_url)
    if target is None:
        raise Invalid(
            f"{reference[:200]!r} is not the id of a registered schema, and nothing is fetched. "
            "Use urn:nusabus:contract:<type>:<version>, or put the schema under $defs.",
            pointer=json_pointer((*steps, "$ref")),
        )
    return target, fragment


def _anchored(schema: Any, name: str, steps: Step) -> str | None:
    if not isinstance(schema, dict):
        return None
    if schema.get("$anchor") == name:
        return json_pointer(steps)
    found = (_anchored(below, name, (*steps, *step)) for step, below in children(schema))
    return next((each for each in found if each is not None), None)
