"""Personal data: values and member names that a schema marks by `x-pii` are masked.

Two readings are united, and doubt masks. The first walks every branch that could apply to a
location, whether its conditions hold or not, so data that are not valid are covered as well. The
second is what the validator itself annotates. See decision 0021.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from referencing import Registry, Specification
from referencing.exceptions import NoSuchResource, Unresolvable, Unretrievable
from referencing.jsonschema import DRAFT202012, specification_with

from gateway.base.json_pointer import json_pointer
from gateway.base.masking import MASK, mask_name
from gateway.contracts.annotations import MARK, InDoubt, annotated, objects
from gateway.contracts.keywords import children

_DEPTH = 64
_NAMED = 20  # unexpected members in a message
MAX_STEPS = 100_000  # of schemas at locations; the walk costs 1 to 3 us for each
_ROOT = "urn:nusabus:masked"
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLE = ("if", "then", "else", "not")
_MAPS = ("dependentSchemas", "dependencies")
_REST = ("additionalProperties", "unevaluatedProperties")
_ELEMENTS = ("items", "additionalItems", "unevaluatedItems", "contains")
_KNOWN = frozenset(
    {
        *("$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$comment"),
        *("$vocabulary", "$defs", "definitions", "title", "description", "default", "examples"),
        *("deprecated", "readOnly", "writeOnly", "type", "enum", "const", "multipleOf", "required"),
        *("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength"),
        *("pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains"),
        *("maxProperties", "minProperties", "dependentRequired", "format", "contentEncoding"),
        *("contentMediaType", "contentSchema", "properties", "patternProperties", "propertyNames"),
        *("prefixItems", MARK),
        *(*_REFERENCES, *_LISTS, *_SINGLE, *_MAPS, *_REST, *_ELEMENTS),
    }
)
"""Any other keyword may apply a schema in a way that is not known here: its marks mask."""


class NameMask:
    """Masks member names that are personal data themselves, in pointers and messages.

    A name that the schema does not use is data of the sender, and shown only if it looks like an
    identifier. A mark inside `propertyNames` says that the names of members are personal data, such
    as objects with a NIK as their keys. Then only names that the schema itself uses are shown.
    """

    def __init__(self, document: Any) -> None:
        found = list(objects(document))
        self._known = frozenset(name for each in found for name in _members(each))
        self._marked = any(
            _may_mark(each["propertyNames"]) for each in found if "propertyNames" in each
        )

    def path(self, path: list[str | int]) -> list[str | int]:
        """A path with every name masked that may be personal data."""
        return [step if isinstance(step, int) else self.name(step) for step in path]

    def name(self, name: str) -> str:
        """A name of the schema's own, or one that looks like an identifier."""
        if name in self._known:
            return name
        return MASK if self._marked else mask_name(name)

    def message(self, message: str, keyword: str, unexpected: Sequence[str] | None) -> str:
        """A message, replaced if it names members of the data."""
        if self._marked or keyword == "propertyNames":
            return f"the data violate {keyword}"
        if unexpected is None:
            return message
        shown = ", ".join(sorted({repr(self.name(each)) for each in unexpected[:_NAMED]}))
        more = f" and {len(unexpected) - _NAMED} more" if len(unexpected) > _NAMED else ""
        return f"Additional properties are not allowed: {shown}{more}"


def mask_personal_data(schema: Any, data: Any) -> Any:
    """The data with every value masked that the schema marks, or could mark in any branch.

    Everything is masked when that cannot be found out: a reference without a target, a limit.
    """
    if isinstance(schema, bool):
        return data
    try:
        walk = _Walk(schema, annotated(schema, data))
        return walk.masked([walk.root], data, ())
    except InDoubt:
        return MASK


@dataclass(frozen=True, slots=True)
class _Scoped:
    """A schema with the resolver for its references."""

    schema: Any
    resolver: Any


class _Walk:
    """Follows the schemas that could apply to each location of the data."""

    def __init__(self, document: dict[str, Any], annotated: frozenset[str]) -> None:
        self._annotated = annotated
        self._marks = any(each.get(MARK) for each in objects(document))
        self._specification: Specification[Any] = specification_with(
            str(document.get("$schema", "")), default=DRAFT202012
        )
        resource = self._specification.create_resource(document)
        uri = resource.id() or _ROOT
        self.root = _Scoped(document, Registry().with_resource(uri, resource).resolver(uri))
        self._dynamic: dict[str, list[_Scoped]] = {}
        self._survey(self.root)
        self._applicable_to: dict[frozenset[int], list[_Scoped] | None] = {}
        self._steps = 0

    def masked(self, schemas: list[_Scoped], data: Any, path: tuple[str | int, ...]) -> Any:
        """The data at a location, as far as they may be shown. Raises InDoubt at a limit."""
        applicable = self._applicable(schemas)
        if applicable is None or len(path) >= _DEPTH or json_pointer(path) in self._annotated:
            return MASK
        self._steps += len(applicable) + 1
        if self._steps > MAX_STEPS:
            raise InDoubt
        if isinstance(data, dict):
            names = self._names(applicable, data)
            return {
                names[name]: self.masked(list(self._under(applicable, name)), value, (*path, name))
                for name, value in data.items()
            }
        if isinstance(data, list):
            return [
                self.masked(list(self._at(applicable, index)), value, (*path, index))
                for index, value in enumerate(data)
            ]
        return data

    def _survey(self, scoped: _Scoped) -> None:
        """Find every schema that a dynamic reference may lead to."""
        schema = scoped.schema
        if not isinstance(schema, dict):
            return
        anchors = [schema.get("$dynamicAnchor"), schema.get("$recursiveAnchor") is True and ""]
        for name in anchors:
            if isinstance(name, str):
                self._dynamic.setdefault(name, []).append(scoped)
        for _, below in children(schema):
            self._survey(self._below(scoped, below))

    def _below(self, scoped: _Scoped, schema: Any) -> _Scoped:
        if not isinstance(schema, dict) or "$id" not in schema:
            return _Scoped(schema, scoped.resolver)
        resource = self._specification.create_resource(schema)
        return _Scoped(schema, scoped.resolver.in_subresource(resource))

    def _applicable(self, schemas: Iterable[_Scoped]) -> list[_Scoped] | None:
        """The schemas and all that may apply to the same location; None if one of them marks it."""
        waiting = [each for each in schemas if isinstance(each.schema, dict)]
        key = frozenset(id(each.schema) for each in waiting)
        if key not in self._applicable_to:
            self._applicable_to[key] = self._closure(waiting)
        return self._applicable_to[key]

    def _closure(self, waiting: list[_Scoped]) -> list[_Scoped] | None:
        found: dict[int, _Scoped] = {}
        while waiting:
            scoped = waiting.pop()
            schema = scoped.schema
            if not isinstance(schema, dict) or id(schema) in found:
                continue
            found[id(schema)] = scoped
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise InDoubt
            if schema.get(MARK) or ("contentSchema" in schema and self._marks):
                return None
            if any(_may_mark(value) for word, value in schema.items() if word not in _KNOWN):
                return None
            for keyword in _REFERENCES:
                if keyword in schema:
                    targets = self._targets(scoped, keyword)
                    if targets is None:
                        return None
                    waiting += targets
            waiting += [self._below(scoped, each) for each in _in_place(schema)]
        return list(found.values())

    def _targets(self, scoped: _Scoped, keyword: str) -> list[_Scoped] | None:
        """What a reference may lead to; None without a target."""
        reference = scoped.schema[keyword]
        try:
            resolved = scoped.resolver.lookup(reference)
        except (Unresolvable, Unretrievable, NoSuchResource, ValueError, LookupError, TypeError):
            return None
        except AttributeError:  # the reference is no text, or leads into one
            return None
        if not isinstance(resolved.contents, dict | bool):
            return None
        static = [self._below(_Scoped(None, resolved.resolver), resolved.contents)]
        name = "" if keyword == "$recursiveRef" else reference.partition("#")[2]
        return static if keyword == "$ref" else static + self._dynamic.get(name, [])

    def _under(self, schemas: list[_Scoped], name: str) -> Iterator[_Scoped]:
        for scoped in schemas:
            schema = scoped.schema
            named = _members(schema)
            if name in named:
                yield self._below(scoped, named[name])
            # Whether a pattern matches depends on the dialect of regular expressions.
            for each in _map(schema, "patternProperties").values():
                yield self._below(scoped, each)
            if name not in named:
                for word in _REST:
                    yield self._below(scoped, schema.get(word))

    def _at(self, schemas: list[_Scoped], index: int) -> Iterator[_Scoped]:
        for scoped in schemas:
            for word in ("prefixItems", *_ELEMENTS):
                inner = scoped.schema.get(word)
                found = inner[index : index + 1] if isinstance(inner, list) else [inner]
                for each in found:
                    yield self._below(scoped, each)

    def _names(self, schemas: list[_Scoped], data: dict[str, Any]) -> dict[str, str]:
        """The names to show for members; names that are personal data become numbers."""
        kinds = [
            self._below(each, each.schema["propertyNames"])
            for each in schemas
            if "propertyNames" in each.schema
        ]
        if self._applicable(kinds) is not None:
            return {name: name for name in data}
        known = {name for each in schemas for name in _members(each.schema)}
        return {
            name: name if name in known else f"{MASK}{number}"
            for number, name in enumerate(data, 1)
        }


def _in_place(schema: dict[str, Any]) -> Iterator[Any]:
    for word in _LISTS:
        found = schema.get(word)
        yield from found if isinstance(found, list) else ()
    yield from (schema[word] for word in _SINGLE if word in schema)
    for word in _MAPS:
        yield from _map(schema, word).values()


def _map(schema: dict[str, Any], keyword: str) -> dict[str, Any]:
    found = schema.get(keyword)
    return found if isinstance(found, dict) else {}


def _members(schema: dict[str, Any]) -> dict[str, Any]:
    return _map(schema, "properties")


def _may_mark(value: Any) -> bool:
    """Whether a mark or a reference stands anywhere in a value."""
    return any(each.get(MARK) or any(r in each for r in _REFERENCES) for each in objects(value))
