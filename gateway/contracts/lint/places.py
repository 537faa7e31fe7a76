"""Where in a schema a rule looks: every subschema with its role."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from gateway.contracts.keywords import at, children, pointer

_REFERENCES = 16  # a chain of references is followed so far


class Role(Enum):
    """What a subschema is for."""

    ROOT = auto()
    PROPERTY = auto()
    ITEM = auto()
    DEFINITION = auto()
    BRANCH = auto()  # an alternative, or a part of a conjunction
    CONDITION = auto()  # only narrows what is described elsewhere, as does all below it


@dataclass(frozen=True, slots=True)
class Place:
    """A subschema that is an object. `effective` has what its references say filled in.

    `name` is that of the property or definition that it belongs to.
    """

    pointer: str
    schema: Mapping[str, Any]
    effective: Mapping[str, Any]
    role: Role
    name: str = ""

    @property
    def describes(self) -> bool:
        """Whether this is where a reader learns what the data mean."""
        return self.role in (Role.ROOT, Role.PROPERTY, Role.DEFINITION)

    def type_is(self, *types: str) -> bool:
        """Whether one of these types is allowed here, by what is written here or referred to."""
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
}  # of all others the role is to narrow


def places(schema: Any) -> Iterator[Place]:
    """Every subschema that is an object, outer ones first."""
    yield from _below(schema, schema, "", Role.ROOT, "")


def _below(root: Any, schema: Any, place: str, role: Role, name: str) -> Iterator[Place]:
    if not isinstance(schema, dict):
        return
    yield Place(place, schema, effective(root, schema), role, name)
    for steps, below in children(schema):
        inner = Role.CONDITION if role is Role.CONDITION else _ROLES.get(steps[0], Role.CONDITION)
        own = steps[-1] if inner in (Role.PROPERTY, Role.DEFINITION) else name
        yield from _below(root, below, f"{place}{pointer(steps)}", inner, own)


def effective(root: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema with what its local references say filled in; what it says itself goes first."""
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
    """What a pointer within the document leads to; None for any other reference."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    try:
        return at(root, reference[1:])
    except (LookupError, ValueError):
        return None


def as_list(value: Any) -> list[Any]:
    """What is written for one value or a list of them, as a list."""
    return value if isinstance(value, list) else [value]
