"""The normal form: any dialect rewritten to 2020-12, with assertions only.

All references are `#/$defs/<name>`. There is no `$id`, anchor, dynamic reference or annotation, and
keywords that the dialect ignores are removed. The normal form accepts exactly the documents that
the schema accepts in its own dialect, with `format` asserted. Nothing is ever fetched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from referencing import Registry
from referencing.exceptions import Unresolvable

from gateway.contracts.compatibility.dialects import (
    DIALECT,
    DRAFT6,
    DRAFT201909,
    DRAFT202012,
    Dialect,
    UnreadableSchema,
    dialect_of,
)

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def normal_form(schema: Any) -> Any:
    """The normal form of a schema that is valid under its meta-schema. Raises UnreadableSchema."""
    if isinstance(schema, bool):
        return schema
    return _Rewriter(schema).document()


@dataclass(frozen=True)
class _ScopedSchema:
    """A schema with the resolver for its references."""

    schema: Any
    resolver: Any


class _Rewriter:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._dialects: dict[int, Dialect] = {}
        self._dynamic: dict[str, int] = {}
        self._recursive = 0
        self._survey(root, dialect_of(root))
        self._names: dict[int, str] = {}
        self._pending: list[tuple[str, _ScopedSchema]] = []

    def document(self) -> dict[str, Any]:
        specification = self._dialects[id(self._root)].specification
        resource = specification.create_resource(self._root)
        uri = resource.id() or "urn:nusabus:schema"
        resolver = Registry().with_resource(uri, resource).resolver(uri)
        body = self._schema(_ScopedSchema(self._root, resolver))
        defs = {}
        while self._pending:
            name, scoped = self._pending.pop()
            defs[name] = self._schema(scoped)
        _require_end(body, defs)
        return {"$schema": DIALECT, **body} | ({"$defs": defs} if defs else {})

    def _survey(self, value: Any, dialect: Dialect) -> None:
        """Collect the dialect of every object, and count each dynamic anchor."""
        if isinstance(value, list):
            for each in value:
                self._survey(each, dialect)
        elif isinstance(value, dict):
            # A member of `properties` may be named $id.
            if isinstance(value.get("$id"), str) or value is self._root:
                dialect = dialect_of(value, dialect)
            self._dialects[id(value)] = dialect
            anchor = value.get("$dynamicAnchor")
            if isinstance(anchor, str):
                self._dynamic[anchor] = self._dynamic.get(anchor, 0) + 1
            self._recursive += value.get("$recursiveAnchor") is True
            for each in value.values():
                self._survey(each, dialect)

    def _schema(self, scoped: _ScopedSchema) -> Any:
        schema = scoped.schema
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise UnreadableSchema("A $ref leads to a value that is not a schema.")
        dialect = self._dialects[id(schema)]
        if dialect.ref_hides_siblings and "$ref" in schema:
            return {"$ref": self._target(scoped, "$ref")}
        _require_settled(schema, dialect)
        return dict(self._keywords(scoped, dialect))

    def _keywords(self, scoped: _ScopedSchema, dialect: Dialect) -> Iterator[tuple[str, Any]]:
        schema = scoped.schema
        for keyword, value in schema.items():
            if keyword in dialect.values:
                yield keyword, value
            elif keyword == "format":
                if value in dialect.formats:
                    yield keyword, value
            elif keyword in dialect.one:
                yield keyword, self._below(value, scoped)
            elif keyword in dialect.lists:
                yield keyword, [self._below(each, scoped) for each in value]
            elif keyword in dialect.maps:
                yield keyword, {name: self._below(each, scoped) for name, each in value.items()}
        yield from self._references(scoped, dialect)
        yield from self._items(scoped, dialect)
        if "dependencies" in schema and dialect.ref_hides_siblings:
            yield from self._dependencies(scoped)

    def _references(self, scoped: _ScopedSchema, dialect: Dialect) -> Iterator[tuple[str, Any]]:
        keywords = {"$ref"}
        if dialect is DRAFT202012:
            keywords.add("$dynamicRef")
        elif dialect is DRAFT201909:
            keywords.add("$recursiveRef")
        found = [
            {"$ref": self._target(scoped, each)}
            for each in _REFERENCES
            if each in keywords and each in scoped.schema
        ]
        if found:
            yield "$ref", found[0]["$ref"]
        if len(found) > 1:
            raise UnreadableSchema("One schema has two kinds of reference. Use allOf.")

    def _items(self, scoped: _ScopedSchema, dialect: Dialect) -> Iterator[tuple[str, Any]]:
        schema = scoped.schema
        if isinstance(tuple_ := schema.get(dialect.tuples), list):
            yield "prefixItems", [self._below(each, scoped) for each in tuple_]
        rest = "items"
        if dialect.tuples == "items" and isinstance(schema.get("items"), list):
            rest = "additionalItems"
        if rest in schema:
            yield "items", self._below(schema[rest], scoped)

    def _dependencies(self, scoped: _ScopedSchema) -> Iterator[tuple[str, Any]]:
        members = scoped.schema["dependencies"]
        names = {name: value for name, value in members.items() if isinstance(value, list)}
        schemas = {
            name: self._below(value, scoped) for name, value in members.items() if name not in names
        }
        if names:
            yield "dependentRequired", names
        if schemas:
            yield "dependentSchemas", schemas

    def _below(self, schema: Any, scoped: _ScopedSchema) -> Any:
        resolver = scoped.resolver
        if isinstance(schema, dict):
            specification = self._dialects[id(schema)].specification
            resolver = resolver.in_subresource(specification.create_resource(schema))
        return self._schema(_ScopedSchema(schema, resolver))

    def _target(self, scoped: _ScopedSchema, keyword: str) -> str:
        reference = scoped.schema[keyword]
        try:
            found = scoped.resolver.lookup(reference)
        except (Unresolvable, ValueError):
            raise UnreadableSchema(
                f"{keyword} {reference} has no target in the schema, and nothing is fetched."
            ) from None
        self._require_static(keyword, reference, found.contents)
        key = id(found.contents)
        if isinstance(found.contents, bool):
            key = -int(found.contents) - 1
        if key not in self._names:
            self._names[key] = self._name(reference)
            self._pending.append((self._names[key], _ScopedSchema(found.contents, found.resolver)))
        return f"#/$defs/{self._names[key]}"

    def _require_static(self, keyword: str, reference: str, target: Any) -> None:
        """Raises UnreadableSchema if a dynamic reference may have more than one target."""
        anchors = target if isinstance(target, dict) else {}
        fragment = reference.partition("#")[2]
        many = (
            keyword == "$dynamicRef"
            and anchors.get("$dynamicAnchor") == fragment
            and self._dynamic[fragment] > 1
        ) or (
            keyword == "$recursiveRef"
            and anchors.get("$recursiveAnchor") is True
            and self._recursive > 1
        )
        if many:
            raise UnreadableSchema(
                f"{keyword} {reference} depends on the dynamic scope. Name one target by $ref."
            )

    def _name(self, reference: str) -> str:
        last = reference.rstrip("#/").rpartition("/")[2].rpartition("#")[2]
        stem = "".join(each for each in last if each.isascii() and each.isalnum()) or "root"
        taken = set(self._names.values())
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        return name


def _require_settled(schema: dict[str, Any], dialect: Dialect) -> None:
    """Raises UnreadableSchema if validators of the dialect differ, or 2020-12 cannot express it."""
    if dialect is DRAFT6 and (name := schema.get("format")) in ("date", "time"):
        raise UnreadableSchema(
            f"{dialect.name} does not define the format {name}, and validators differ. Use a "
            "pattern or a newer draft."
        )
    if dialect is DRAFT201909 and "unevaluatedItems" in schema and "contains" in schema:
        raise UnreadableSchema(
            "unevaluatedItems beside contains has another meaning in 2019-09 than in 2020-12."
        )


def _require_end(body: Any, definitions: dict[str, Any]) -> None:
    """Raises UnreadableSchema if a schema applies itself to the same location, without end."""
    done: set[str] = set()

    def follow(schema: Any, path: tuple[str, ...]) -> None:
        for reference in _in_place_references(schema):
            name = reference.removeprefix("#/$defs/")
            if name in path:
                raise UnreadableSchema(
                    f"$ref leads from {name} to itself without entering the document."
                )
            if name not in done:
                follow(definitions[name], (*path, name))
                done.add(name)

    follow(body, ())
    for name, schema in definitions.items():
        follow(schema, (name,))


def _in_place_references(schema: Any) -> Iterator[str]:
    """The references that a schema applies to the same location."""
    if isinstance(schema, bool):
        return
    if "$ref" in schema:
        yield schema["$ref"]
    for keyword in ("allOf", "anyOf", "oneOf"):
        for each in schema.get(keyword, ()):
            yield from _in_place_references(each)
    for keyword in ("not", "if", "then", "else"):
        yield from _in_place_references(schema.get(keyword, True))
    for each in schema.get("dependentSchemas", {}).values():
        yield from _in_place_references(each)
