"""Every dialect rewritten to one: 2020-12 with nothing but what decides about a document.

In the normal form all references read `#/$defs/<name>`; there is no `$id`, no anchor, no dynamic
reference, no annotation, and what a dialect ignores is gone. It accepts exactly the documents
that the schema accepts in its own dialect, `format` asserted, and nothing is ever fetched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from referencing import Registry
from referencing.exceptions import Unresolvable

from gateway.contracts.compatibility.dialects import (
    DIALECT,
    DRAFT201909,
    DRAFT202012,
    Dialect,
    Unreadable,
    dialect_of,
)

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_CONTENT = ("contentEncoding", "contentMediaType")


def normal(schema: Any) -> Any:
    """The normal form of a schema that keeps its meta-schema. Raises Unreadable with the reason."""
    if isinstance(schema, bool):
        return schema
    return _Rewriter(schema).document()


@dataclass(frozen=True)
class _Place:
    """A schema, and what its references are resolved against."""

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
        self._pending: list[tuple[str, _Place]] = []

    def document(self) -> dict[str, Any]:
        specification = self._dialects[id(self._root)].specification
        resource = specification.create_resource(self._root)
        uri = resource.id() or "urn:nusabus:schema"
        resolver = Registry().with_resource(uri, resource).resolver(uri)
        body = self._schema(_Place(self._root, resolver))
        defs = {}
        while self._pending:
            name, place = self._pending.pop()
            defs[name] = self._schema(place)
        _require_end(body, defs)
        return {"$schema": DIALECT, **body} | ({"$defs": defs} if defs else {})

    def _survey(self, value: Any, dialect: Dialect) -> None:
        """Note the dialect of every object, and how often each dynamic anchor stands."""
        if isinstance(value, list):
            for each in value:
                self._survey(each, dialect)
        elif isinstance(value, dict):
            if "$id" in value or value is self._root:
                dialect = dialect_of(value, dialect)
            self._dialects[id(value)] = dialect
            anchor = value.get("$dynamicAnchor")
            if isinstance(anchor, str):
                self._dynamic[anchor] = self._dynamic.get(anchor, 0) + 1
            self._recursive += value.get("$recursiveAnchor") is True
            for each in value.values():
                self._survey(each, dialect)

    def _schema(self, place: _Place) -> Any:
        schema = place.schema
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise Unreadable("a $ref leads to something that is no schema")
        dialect = self._dialects[id(schema)]
        if dialect.ref_stands_alone and "$ref" in schema:
            return {"$ref": self._target(place, "$ref")}
        _require_settled(schema, dialect)
        return dict(self._keywords(place, dialect))

    def _keywords(self, place: _Place, dialect: Dialect) -> Iterator[tuple[str, Any]]:
        schema = place.schema
        for keyword, value in schema.items():
            if keyword in dialect.values:
                yield keyword, value
            elif keyword == "format":
                if value in dialect.formats:
                    yield keyword, value
            elif keyword in dialect.one:
                yield keyword, self._below(value, place)
            elif keyword in dialect.lists:
                yield keyword, [self._below(each, place) for each in value]
            elif keyword in dialect.maps:
                yield keyword, {name: self._below(each, place) for name, each in value.items()}
        yield from self._references(place, dialect)
        yield from self._items(place, dialect)
        if "dependencies" in schema and dialect.ref_stands_alone:
            yield from self._dependencies(place)

    def _references(self, place: _Place, dialect: Dialect) -> Iterator[tuple[str, Any]]:
        asked = {"$ref"}
        if dialect is DRAFT202012:
            asked.add("$dynamicRef")
        elif dialect is DRAFT201909:
            asked.add("$recursiveRef")
        found = [
            {"$ref": self._target(place, each)}
            for each in _REFERENCES
            if each in asked and each in place.schema
        ]
        if found:
            yield "$ref", found[0]["$ref"]
        if len(found) > 1:
            raise Unreadable("two kinds of reference stand in one schema: write allOf")

    def _items(self, place: _Place, dialect: Dialect) -> Iterator[tuple[str, Any]]:
        schema = place.schema
        if isinstance(tuple_ := schema.get(dialect.tuples), list):
            yield "prefixItems", [self._below(each, place) for each in tuple_]
        rest = "items"
        if dialect.tuples == "items" and isinstance(schema.get("items"), list):
            rest = "additionalItems"
        if rest in schema:
            yield "items", self._below(schema[rest], place)

    def _dependencies(self, place: _Place) -> Iterator[tuple[str, Any]]:
        members = place.schema["dependencies"]
        names = {name: value for name, value in members.items() if isinstance(value, list)}
        schemas = {
            name: self._below(value, place) for name, value in members.items() if name not in names
        }
        if names:
            yield "dependentRequired", names
        if schemas:
            yield "dependentSchemas", schemas

    def _below(self, schema: Any, place: _Place) -> Any:
        resolver = place.resolver
        if isinstance(schema, dict):
            specification = self._dialects[id(schema)].specification
            resolver = resolver.in_subresource(specification.create_resource(schema))
        return self._schema(_Place(schema, resolver))

    def _target(self, place: _Place, keyword: str) -> str:
        reference = place.schema[keyword]
        try:
            found = place.resolver.lookup(reference)
        except (Unresolvable, ValueError):
            raise Unreadable(
                f"{keyword} {reference} leads nowhere in the schema, and nothing is fetched"
            ) from None
        self._require_static(keyword, reference, found.contents)
        key = id(found.contents)
        if isinstance(found.contents, bool):
            key = -int(found.contents) - 1
        if key not in self._names:
            self._names[key] = self._name(reference)
            self._pending.append((self._names[key], _Place(found.contents, found.resolver)))
        return f"#/$defs/{self._names[key]}"

    def _require_static(self, keyword: str, reference: str, target: Any) -> None:
        """Raise Unreadable where a dynamic reference may lead to more than one place."""
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
            raise Unreadable(
                f"{keyword} {reference} depends on the way it was reached: name one target by $ref"
            )

    def _name(self, reference: str) -> str:
        last = reference.rstrip("#/").rpartition("/")[2].rpartition("#")[2]
        word = "".join(each for each in last if each.isascii() and each.isalnum()) or "root"
        taken = set(self._names.values())
        name, number = word, 1
        while name in taken:
            number += 1
            name = f"{word}-{number}"
        return name


def _require_settled(schema: dict[str, Any], dialect: Dialect) -> None:
    """Raise Unreadable where validators of a dialect may differ, or 2020-12 has no words for it."""
    name = schema.get("format")
    if name in DRAFT202012.formats and name not in dialect.formats:
        raise Unreadable(
            f"{dialect.name} does not list the format {name}, so a validator may or may not assert "
            "it: write a pattern or use a newer draft"
        )
    if dialect.ref_stands_alone and any(keyword in schema for keyword in _CONTENT):
        raise Unreadable(
            f"in {dialect.name} a validator may or may not assert contentEncoding and "
            "contentMediaType: leave them out or use 2019-09 or newer"
        )
    if dialect is DRAFT201909 and "unevaluatedItems" in schema and "contains" in schema:
        raise Unreadable(
            "unevaluatedItems beside contains means another thing in 2019-09 than in 2020-12"
        )


def _require_end(body: Any, definitions: dict[str, Any]) -> None:
    """Raise Unreadable where a schema applies itself to the same place, without end."""
    done: set[str] = set()

    def follow(schema: Any, way: tuple[str, ...]) -> None:
        for reference in _here(schema):
            name = reference.removeprefix("#/$defs/")
            if name in way:
                raise Unreadable(f"$ref leads from {name} to itself without entering the document")
            if name not in done:
                follow(definitions[name], (*way, name))
                done.add(name)

    follow(body, ())
    for name, schema in definitions.items():
        follow(schema, (name,))


def _here(schema: Any) -> Iterator[str]:
    """The references that a schema applies to the same place."""
    if isinstance(schema, bool):
        return
    if "$ref" in schema:
        yield schema["$ref"]
    for keyword in ("allOf", "anyOf", "oneOf"):
        for each in schema.get(keyword, ()):
            yield from _here(each)
    for keyword in ("not", "if", "then", "else"):
        yield from _here(schema.get(keyword, True))
    for each in schema.get("dependentSchemas", {}).values():
        yield from _here(each)
