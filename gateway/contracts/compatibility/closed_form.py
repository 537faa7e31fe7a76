"""The closed form of a schema: what a publisher may send under the optional-friendly policy.

An object that a schema describes may then hold only members that the schema names:

- The rules apply per *location*: the document itself, each member value, each array element.
  A location is closed if its schema, or an in-place subschema of it (`allOf`, `anyOf`, `oneOf`,
  `if`/`then`/`else`, `dependentSchemas`, `$ref`), names members by `properties` or
  `patternProperties`. It may then hold only members that are named by the subschemas which *apply*
  to the document. This is `unevaluatedProperties: false`, so the branches of an `allOf` do not
  exclude each other's members.
- An explicit `additionalProperties` or `unevaluatedProperties` at a location is kept as written.
- A location whose schema names no member (`true`, `{}`, `{"type": "object"}`) stays open.
- Subschemas that only test are not closed, because a narrower test accepts more documents: `not`,
  `if`, `contains`. A `oneOf` still counts its branches as written; in addition the document must be
  valid under the closed form of one of them. The closed form never accepts what the schema refuses.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.contracts.compatibility.normal_form import normal_form
from gateway.contracts.compatibility.subschemas import definition_name, definition_reference

_CHILDREN = frozenset(
    {
        *("properties", "patternProperties", "additionalProperties", "unevaluatedProperties"),
        *("prefixItems", "items", "unevaluatedItems"),
    }
)  # hold subschemas for child locations
_IN_PLACE = frozenset({"allOf", "anyOf", "then", "else", "dependentSchemas"})  # same location
_BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas"})
_OPENERS = ("additionalProperties", "unevaluatedProperties")


def closed_form(schema: Any) -> Any:
    """The schema, in 2020-12, that also refuses members which it does not describe.

    Publishers of a contract under the optional-friendly policy are validated against it. Raises
    UnreadableSchema for a schema that cannot be rewritten.
    """
    return closed_normal_form(normal_form(schema))


def closed_normal_form(schema: Any) -> Any:
    """The closed form of a schema in normal form."""
    if isinstance(schema, bool):
        return schema
    return _Closer(schema.get("$defs", {})).document(schema)


@dataclass
class _EvaluatedMembers:
    """The members that a schema evaluates for every document."""

    names: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)
    everything: bool = False
    conditional: bool = False  # more may be evaluated, depending on the document

    @property
    def anything(self) -> bool:
        return bool(self.names or self.patterns or self.conditional)


class _Closer:
    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self._made: dict[str, Any] = {}

    def document(self, schema: dict[str, Any]) -> dict[str, Any]:
        body = {key: value for key, value in schema.items() if key != "$defs"}
        result: dict[str, Any] = self._location(body)
        if self._definitions:
            result["$defs"] = self._definitions | self._made
        return result

    def _location(self, schema: Any) -> Any:
        """The closed schema of a location in the document."""
        if isinstance(schema, bool):
            return schema
        if schema.keys() - {"$schema"} == {"$ref"}:  # the definition itself describes the location
            return schema | {"$ref": self._definition(schema["$ref"], ":location", self._location)}
        body = self._closed_children(schema)
        found = _EvaluatedMembers()
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

    def _closed_children(self, schema: Any) -> Any:
        """The schema with the locations below its own closed."""
        if isinstance(schema, bool):
            return schema
        body = {keyword: self._keyword(keyword, value) for keyword, value in schema.items()}
        if "oneOf" in schema:
            self._one_of(body)
        return body

    def _keyword(self, keyword: str, value: Any) -> Any:
        if keyword == "$ref":
            return self._definition(value, ":closed", self._closed_children)
        if keyword not in _CHILDREN and keyword not in _IN_PLACE:
            return value
        change = self._location if keyword in _CHILDREN else self._closed_children
        if keyword in _BY_NAME:
            return {name: change(each) for name, each in value.items()}
        return [change(each) for each in value] if isinstance(value, list) else change(value)

    def _one_of(self, body: dict[str, Any]) -> None:
        branches = [self._closed_children(each) for each in body["oneOf"]]
        if branches != body["oneOf"]:
            body["allOf"] = [*body.get("allOf", ()), {"anyOf": branches}]

    def _definition(self, ref: str, suffix: str, change: Callable[[Any], Any]) -> str:
        """The reference to a changed definition, which is made when first needed."""
        made = definition_name(ref) + suffix
        if made not in self._made:
            self._made[made] = True  # placeholder while it is made: it may be recursive
            self._made[made] = change(self._definitions[definition_name(ref)])
        return definition_reference(made)

    def _collect(self, schema: Any, found: _EvaluatedMembers, seen: set[str]) -> None:
        if isinstance(schema, bool):
            return
        found.names.update(schema.get("properties", ()))
        found.patterns.update(schema.get("patternProperties", ()))
        found.everything |= any(each in schema for each in _OPENERS)
        for each in schema.get("allOf", ()):
            self._collect(each, found, seen)
        if "$ref" in schema and schema["$ref"] not in seen:
            seen.add(schema["$ref"])
            self._collect(self._definitions[definition_name(schema["$ref"])], found, seen)
        found.conditional |= any(self._evaluates(each, set()) for each in _conditional(schema))

    def _evaluates(self, schema: Any, seen: set[str]) -> bool:
        """Whether a subschema names a member of the same location, for some document."""
        if isinstance(schema, bool):
            return False
        if any(each in schema for each in ("properties", "patternProperties", *_OPENERS)):
            return True
        if "$ref" in schema and schema["$ref"] not in seen:
            seen.add(schema["$ref"])
            if self._evaluates(self._definitions[definition_name(schema["$ref"])], seen):
                return True
        parts = (*schema.get("allOf", ()), *_conditional(schema))
        return any(self._evaluates(each, seen) for each in parts)


def _conditional(schema: dict[str, Any]) -> Iterator[Any]:
    """The in-place subschemas that apply to some documents only."""
    for keyword in ("anyOf", "oneOf"):
        yield from schema.get(keyword, ())
    for keyword in ("if", "then", "else"):
        if keyword in schema:
            yield schema[keyword]
    yield from schema.get("dependentSchemas", {}).values()
