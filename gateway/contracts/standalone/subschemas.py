"""The subschemas that a reference may lead to, by URI, anchor and pointer.

Each belongs to a resource: the innermost schema around it with an `$id` of its own, by which
relative references resolve (JSON Schema core 2020-12, sections 8.2 and 9).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from gateway.base.errors import Invalid
from gateway.base.json_pointer import json_pointer
from gateway.contracts.keywords import Step, at, children, dialect_uri, text_of

BASE = "https://nusabus.go.id/schemas/"  # of a schema without `$id`; never fetched
MAIN = ""  # the document that is rewritten
MAX_SUBSCHEMAS = 40_000  # in all documents, read in 0.4 s
MAX_DYNAMIC = 100  # names of dynamic anchors
_KEPT = ("definitions", "$defs")  # what is defined beside `$ref` may be what it refers to
_RECURSIVE = ""  # `$recursiveAnchor` as the name of a dynamic anchor


@dataclass(eq=False, slots=True)
class Resource:
    """A schema with an id, and its anchors by name. `dynamic` holds those of `$dynamicAnchor`."""

    uri: str
    anchors: dict[str, "Subschema"] = field(default_factory=dict)
    dynamic: dict[str, "Subschema"] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Subschema:
    """A schema at a pointer of a document. `schema_position` if a keyword of schemas holds it."""

    document: str
    pointer: str
    schema: Any
    resource: Resource
    schema_position: bool = True


class Subschemas:
    """All subschemas of a document, and of others by their URI that it may refer to."""

    def __init__(self, schema: Mapping[str, Any], others: Mapping[str, Any]) -> None:
        """Raises Invalid if two schemas have one id."""
        self.dialect = dialect_uri(schema)
        self.old = "draft-0" in self.dialect
        self._others = others
        self._documents: dict[str, Any] = {MAIN: schema}
        self._subschemas: dict[tuple[str, str], Subschema] = {}
        self._roots: dict[str, Subschema] = {}
        self._dynamic: dict[str, list[Subschema]] = {}
        # Even where `$ref` hides an `$id`, the root has it: there is no other URI to find it by.
        base = urldefrag(urljoin(BASE, text_of(schema, "$id"))).url
        self.root = self._survey_document(MAIN, schema, base)

    def inside(self, subschema: Subschema) -> Iterator[tuple[Step, Subschema]]:
        """The direct subschemas of a subschema."""
        for steps, _ in self._children(subschema.schema):
            pointer = subschema.pointer + json_pointer(steps)
            yield steps, self._subschemas[subschema.document, pointer]

    def target(self, subschema: Subschema, keyword: str, reference: str) -> Subschema | str:
        """What a reference means without its dynamic scope; an absolute URI for another schema.

        Raises Invalid for what is not there.
        """
        uri, fragment = self._absolute(subschema, reference)
        root = self._roots.get(uri)
        if root is None and uri in self._others:
            root = self._other(uri)
        if root is None:
            return f"{uri}#{fragment}" if fragment else uri
        found = self._anchored(root, unquote(fragment))
        if found is None:
            raise Invalid(
                f"{keyword} {reference[:200]!r} has no target: the schema has nothing there. "
                "Correct the reference, or put what it means under "
                f"{'definitions' if self.old else '$defs'}.",
                pointer=f"{subschema.pointer}/{keyword}" if subschema.document == MAIN else None,
            )
        return found

    def dynamic_name(self, keyword: str, reference: str, target: Subschema) -> str | None:
        """The name that a dynamic reference looks for in its scope; None if it has one target."""
        name = _RECURSIVE if keyword == "$recursiveRef" else unquote(reference.partition("#")[2])
        return name if target.resource.dynamic.get(name) is target else None

    def dynamic_subschemas(self, name: str) -> list[Subschema]:
        """Every subschema that is known by now and has a dynamic anchor of this name."""
        return self._dynamic.get(name, [])

    def _other(self, uri: str) -> Subschema:
        """The root of another document, which may be known by several URIs."""
        schema = self._others[uri]
        root = next((each for each in self._roots.values() if each.schema is schema), None)
        if root is None:
            return self._survey_document(uri, schema, uri)
        self._roots[uri] = root
        return root

    def _absolute(self, subschema: Subschema, reference: str) -> tuple[str, str]:
        uri, fragment = urldefrag(reference)
        return (urljoin(subschema.resource.uri, uri) if uri else subschema.resource.uri), fragment

    def _anchored(self, root: Subschema, fragment: str) -> Subschema | None:
        if not fragment:
            return root
        if not fragment.startswith("/"):
            return root.resource.anchors.get(fragment)
        pointer = root.pointer + fragment
        if (root.document, pointer) not in self._subschemas:
            try:
                schema = at(self._documents[root.document], pointer)
            except (LookupError, ValueError, TypeError):
                return None
            if not isinstance(schema, dict | bool):
                return None
            around = self._around(root, pointer)
            self._survey(schema, around.resource, root.document, pointer, schema_position=False)
        return self._subschemas[root.document, pointer]

    def _around(self, root: Subschema, pointer: str) -> Subschema:
        """The innermost subschema around a pointer."""
        while (root.document, pointer) not in self._subschemas:
            pointer = pointer.rpartition("/")[0]
        return self._subschemas[root.document, pointer]

    def _children(self, schema: Any) -> Iterator[tuple[Step, Any]]:
        if isinstance(schema, dict):
            only = self.old and isinstance(schema.get("$ref"), str)
            for steps, below in children(schema):
                if not only or steps[0] in _KEPT:
                    yield steps, below

    def _survey_document(self, name: str, schema: Any, base: str) -> Subschema:
        self._require_dialect(name, schema)
        self._documents[name] = schema
        resource = Resource(base)
        subschema = self._survey(schema, resource, name, "", schema_position=name == MAIN)
        subschema.resource.anchors |= resource.anchors
        self._roots.setdefault(subschema.resource.uri, subschema)
        self._roots.setdefault(base, subschema)
        return subschema

    def _require_dialect(self, name: str, schema: Any) -> None:
        found = dialect_uri(schema, self.dialect) if isinstance(schema, dict) else self.dialect
        if found != self.dialect:
            raise Invalid(
                f"The schema refers to {name[:200]!r}, which has another $schema, "
                f"{str(schema['$schema'])[:100]!r}. A schema and all that it refers to have one "
                "dialect."
            )

    def _survey(
        self, schema: Any, around: Resource, document: str, pointer: str, *, schema_position: bool
    ) -> Subschema:
        subschema = Subschema(document, pointer, schema, around, schema_position)
        self._subschemas[document, pointer] = subschema
        if len(self._subschemas) > MAX_SUBSCHEMAS:
            raise Invalid(
                f"The schema and those that it refers to have more than {MAX_SUBSCHEMAS} "
                "subschemas. Use smaller files."
            )
        if not isinstance(schema, dict):
            return subschema
        self._identify(subschema)
        for steps, below in self._children(schema):
            inner = pointer + json_pointer(steps)
            if (document, inner) not in self._subschemas:
                self._survey(
                    below, subschema.resource, document, inner, schema_position=schema_position
                )
        return subschema

    def _identify(self, subschema: Subschema) -> None:
        """Note the id and the anchors of a subschema."""
        schema = subschema.schema
        if self.old and "$ref" in schema:
            return
        uri, fragment = urldefrag(text_of(schema, "$id"))
        if uri:
            subschema.resource = Resource(urldefrag(urljoin(subschema.resource.uri, uri)).url)
            if self._roots.setdefault(subschema.resource.uri, subschema) is not subschema:
                raise Invalid(
                    f"Two schemas have the $id {uri[:200]!r}. Give each its own, or omit it.",
                    pointer=f"{subschema.pointer}/$id",
                )
        resource = subschema.resource
        if fragment and not fragment.startswith("/"):  # until draft 7
            resource.anchors.setdefault(fragment, subschema)
        if anchor := text_of(schema, "$anchor"):
            resource.anchors.setdefault(anchor, subschema)
        if anchor := text_of(schema, "$dynamicAnchor"):
            resource.anchors.setdefault(anchor, subschema)
            self._note_dynamic(anchor, subschema)
        if schema.get("$recursiveAnchor") is True:
            self._note_dynamic(_RECURSIVE, subschema)

    def _note_dynamic(self, name: str, subschema: Subschema) -> None:
        if subschema.resource.dynamic.setdefault(name, subschema) is subschema:
            self._dynamic.setdefault(name, []).append(subschema)
        if len(self._dynamic) > MAX_DYNAMIC:
            raise Invalid(
                f"The schema has dynamic anchors of more than {MAX_DYNAMIC} names. Use $anchor for "
                "those that no other schema replaces.",
                pointer=f"{subschema.pointer}/$dynamicAnchor",
            )
