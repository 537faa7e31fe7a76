"""The closed form of a schema: what a publisher may send under the optional-friendly policy.

An object that a schema describes may then hold only members that the schema names. Exactly:

- It is about *places*: the document itself, the value of each member, each element of an array.
  A place is closed if the schema for it, or a part of that schema for the same place (`allOf`,
  `anyOf`, `oneOf`, `if`/`then`/`else`, `dependentSchemas`, `$ref`), names members by `properties`
  or `patternProperties`. It may then hold only what those parts name that *apply* to the document;
  this is `unevaluatedProperties: false`, so the parts of an `allOf` do not shut each other out.
- An explicit `additionalProperties` or `unevaluatedProperties` at that place stands as written.
- A place whose schema names no member (`true`, `{}`, `{"type": "object"}`) is free and stays open.
- What only tests is not closed, for a narrower test lets more through: `not`, `if`, `contains`.
  A `oneOf` still counts its branches as written, and besides the document must keep the closed
  form of one of them. The closed form therefore never accepts what the schema refuses.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.contracts.compatibility.normal import normal
from gateway.contracts.compatibility.walking import named, reference

_PLACES = frozenset(
    {
        *("properties", "patternProperties", "additionalProperties", "unevaluatedProperties"),
        *("prefixItems", "items", "unevaluatedItems"),
    }
)  # hold schemas for places below
_HERE = frozenset({"allOf", "anyOf", "then", "else", "dependentSchemas"})  # for the same place
_BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas"})
_OPENERS = ("additionalProperties", "unevaluatedProperties")


def closed(schema: Any) -> Any:
    """The schema, in 2020-12, that refuses members which nothing in it describes.

    A contract under the optional-friendly policy holds its publishers to this form. Raises
    `dialects.Unreadable` for a schema that cannot be rewritten.
    """
    return closed_normal(normal(schema))


def closed_normal(schema: Any) -> Any:
    """The closed form of a schema in normal form."""
    if isinstance(schema, bool):
        return schema
    return _Closing(schema.get("$defs", {})).document(schema)


@dataclass
class _Named:
    """The members that a schema surely evaluates, whatever the document is."""

    names: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)
    everything: bool = False
    conditional: bool = False  # more may be named, depending on the document

    @property
    def anything(self) -> bool:
        return bool(self.names or self.patterns or self.conditional)


class _Closing:
    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self._made: dict[str, Any] = {}

    def document(self, schema: dict[str, Any]) -> dict[str, Any]:
        body = {key: value for key, value in schema.items() if key != "$defs"}
        result: dict[str, Any] = self._place(body)
        if self._definitions:
            result["$defs"] = self._definitions | self._made
        return result

    def _place(self, schema: Any) -> Any:
        """The closed schema of a place in the document."""
        if isinstance(schema, bool):
            return schema
        if schema.keys() - {"$schema"} == {"$ref"}:  # the definition itself describes the place
            return schema | {"$ref": self._definition(schema["$ref"], ":place", self._place)}
        body = self._within(schema)
        found = _Named()
        self._collect(schema, found, set())
        if any(each in schema for each in _OPENERS) or not found.anything or found.everything:
            return body
        if found.conditional:
            return body | {"unevaluatedProperties": False}
        members = dict.fromkeys(sorted(found.names), True) | body.get("properties", {})
        patterns = dict.fromkeys(sorted(found.patterns), True) | body.get("patternProperties", {})
        body |= {"additionalProperties": False}
        body |= {"properties": members} if members else {}
        return body | ({"patternProperties": patterns} if patterns else {})

    def _within(self, schema: Any) -> Any:
        """The schema with everything closed below the place that it applies to."""
        if isinstance(schema, bool):
            return schema
        body = {keyword: self._below(keyword, value) for keyword, value in schema.items()}
        if "oneOf" in schema:
            self._one_of(body)
        return body

    def _below(self, keyword: str, value: Any) -> Any:
        if keyword == "$ref":
            return self._definition(value, ":closed", self._within)
        if keyword not in _PLACES and keyword not in _HERE:
            return value
        change = self._place if keyword in _PLACES else self._within
        if keyword in _BY_NAME:
            return {name: change(each) for name, each in value.items()}
        return [change(each) for each in value] if isinstance(value, list) else change(value)

    def _one_of(self, body: dict[str, Any]) -> None:
        branches = [self._within(each) for each in body["oneOf"]]
        if branches != body["oneOf"]:
            body["allOf"] = [*body.get("allOf", ()), {"anyOf": branches}]

    def _definition(self, ref: str, suffix: str, change: Callable[[Any], Any]) -> str:
        """The reference to a definition that was changed; it is made when it is first met."""
        made = named(ref) + suffix
        if made not in self._made:
            self._made[made] = True  # stands for it while it is being made: it may be recursive
            self._made[made] = change(self._definitions[named(ref)])
        return reference(made)

    def _collect(self, schema: Any, found: _Named, seen: set[str]) -> None:
        if isinstance(schema, bool):
            return
        found.names.update(schema.get("properties", ()))
        found.patterns.update(schema.get("patternProperties", ()))
        found.everything |= any(each in schema for each in _OPENERS)
        for each in schema.get("allOf", ()):
            self._collect(each, found, seen)
        if "$ref" in schema and schema["$ref"] not in seen:
            seen.add(schema["$ref"])
            self._collect(self._definitions[named(schema["$ref"])], found, seen)
        found.conditional |= any(self._evaluates(each, set()) for each in _conditional(schema))

    def _evaluates(self, schema: Any, seen: set[str]) -> bool:
        """Whether a part of a schema names any member of the same place, for some document."""
        if isinstance(schema, bool):
            return False
        if any(each in schema for each in ("properties", "patternProperties", *_OPENERS)):
            return True
        if "$ref" in schema and schema["$ref"] not in seen:
            seen.add(schema["$ref"])
            if self._evaluates(self._definitions[named(schema["$ref"])], seen):
                return True
        parts = (*schema.get("allOf", ()), *_conditional(schema))
        return any(self._evaluates(each, seen) for each in parts)


def _conditional(schema: dict[str, Any]) -> Iterator[Any]:
    """The parts that apply to the same place for some documents only."""
    for keyword in ("anyOf", "oneOf"):
        yield from schema.get(keyword, ())
    for keyword in ("if", "then", "else"):
        if keyword in schema:
            yield schema[keyword]
    yield from schema.get("dependentSchemas", {}).values()
