"""The locations in a schema that lint checks: every subschema with its role."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from gateway.base.json_pointer import json_pointer
from gateway.contracts.keywords import at, children

_REFERENCES = 16  # maximum length of a chain of references


class Role(Enum):
    """The role of a subschema."""

    ROOT = auto()
    PROPERTY = auto()
    ITEM = auto()
    DEFINITION = auto()
    BRANCH = auto()  # an alternative, or a part of a conjunction
    CONDITION = auto()  # only narrows a value that is described elsewhere, as do all below it


@dataclass(frozen=True, slots=True)
class Location:
    """A subschema that is an object. `effective` includes the keywords of its references.

    `name` is the property or definition that it belongs to, `root` the whole schema.
    """

    pointer: str
    schema: Mapping[str, Any]
    effective: Mapping[str, Any]
    role: Role
    name: str
    root: Mapping[str, Any]

    @property
    def describes(self) -> bool:
        """Whether a reader expects a description here."""
        return self.role in (Role.ROOT, Role.PROPERTY, Role.DEFINITION)

    def type_is(self, *types: str) -> bool:
        """Whether one of these types is allowed here, directly or by reference."""
        declared = self.effective.get("type")
        return any(each in types for each in as_list(declared))

    @property
    def prose(self) -> str:
        """Title and description."""
        texts = (self.effective.get(key) for key in ("title", "description"))
        return " ".join(text for text in texts if isinstance(text, str))


_ROLES = {
    "properties": Role.PROPERTY,
    "$defs": Role.DEFINITION,
    "definitions": Role.DEFINITION,
    "allOf": Role.BRANCH,
    "anyOf": Role.BRANCH,
    "oneOf": Role.BRANCH,
    "patternProperties": Role.ITEM,
    "prefixItems": Role.ITEM,
    "items": Role.ITEM,
    "additionalItems": Role.ITEM,
    "unevaluatedItems": Role.ITEM,
    "additionalProperties": Role.ITEM,
    "unevaluatedProperties": Role.ITEM,
}  # all others are conditions


def locations(schema: Any) -> Iterator[Location]:
    """Every subschema that is an object, outer ones first."""
    yield from _below(schema, schema, "", Role.ROOT, "")


def _below(root: Any, schema: Any, path: str, role: Role, name: str) -> Iterator[Location]:
    if not isinstance(schema, dict):
        return
    yield Location(path, schema, effective(root, schema), role, name, root)
    for steps, below in children(schema):
        inner = Role.CONDITION if role is Role.CONDITION else _ROLES.get(steps[0], Role.CONDITION)
        own = steps[-1] if inner in (Role.PROPERTY, Role.DEFINITION) else name
        yield from _below(root, below, f"{path}{json_pointer(steps)}", inner, own)


def effective(root: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema with the keywords of its local references; its own keywords take precedence."""
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = dict(schema)
    following = schema
    for _ in range(_REFERENCES):
        target = _resolved(root, following.get("$ref"))
        if not isinstance(target, dict):
            break
        found = {**target, **found}
        following = target
    return found


def _resolved(root: Any, reference: object) -> Any:
    """The value that a local reference leads to; None for any other reference."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    try:
        return at(root, reference[1:])
    except (LookupError, ValueError):
        return None


def as_list(value: Any) -> list[Any]:
    """A value, or a list of values, as a list."""
    return value if isinstance(value, list) else [value]
