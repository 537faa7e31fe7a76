"""The complexity of a schema: bounds on the work of validation, known before any document comes.

A validator evaluates a schema along the document. With references, a short schema can evaluate one
location very often: `allOf` of twice the same schema, which is again twice the same, and so on.
Validation is safe, because the validator remembers results of recursive schemas; listing all
violations is not.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from gateway.base.errors import Invalid
from gateway.base.json_pointer import json_pointer
from gateway.contracts.keywords import Step, children, subschemas

MAX_EVALUATIONS = 20_000  # of one location in a document
_CAP = 10**12

_IN_PLACE = frozenset(
    {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"}
)
_NO_EDGE = frozenset({"$defs", "definitions", "contentSchema"})
ANY_MEMBER, ANY_ELEMENT, NAME = "any member", "any element", "names"
_LABELS = {
    "patternProperties": ANY_MEMBER,
    "additionalProperties": ANY_MEMBER,
    "unevaluatedProperties": ANY_MEMBER,
    "propertyNames": NAME,
}
Label = tuple[str, str] | str


class SchemaGraph:
    """Which schema applies which others: to the same location of a document, and below it.

    All are known by their pointers in a bundled schema.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        schemas = {json_pointer(steps): (steps, each) for steps, each in subschemas(document)}
        self.schemas: dict[str, Any] = {at: each for at, (_, each) in schemas.items()}
        self.in_place: dict[str, list[str]] = {}
        self.below: dict[str, list[tuple[Label, str]]] = {}
        old = "draft-0" in str(document.get("$schema"))
        for location, (steps, schema) in schemas.items():
            edges = _edges(location, steps, schema, schemas, old)
            self.in_place[location], self.below[location] = edges


class SchemaComplexity:
    """Bounds on the evaluations of a bundled schema. Raises Invalid for endless recursion."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        graph = SchemaGraph(document)
        self._in_place, self._below = graph.in_place, graph.below
        self._order = self._ordered()
        self._levels = [self._level(None)]

    def evaluations(self, depth: int) -> int:
        """The maximum number of evaluations along one path of a document of this depth."""
        while len(self._levels) <= depth and not self._settled:
            self._levels.append(self._level(self._levels[-1]))
        return self._levels[min(depth, len(self._levels) - 1)][""]

    @property
    def _settled(self) -> bool:
        return len(self._levels) > 1 and self._levels[-1] == self._levels[-2]

    def _level(self, before: Mapping[str, int] | None) -> dict[str, int]:
        """The evaluations of every schema, from those for documents that are one level flatter."""
        found: dict[str, int] = {}
        for location in self._order:
            here = 1 + sum(found[target] for target in self._in_place[location])
            below = 0 if before is None else _worst(self._below[location], before)
            found[location] = min(_CAP, here + below)
        return found

    def _ordered(self) -> list[str]:
        """The schemas, each after those that apply to the same location of a document."""
        order: list[str] = []
        state: dict[str, bool] = {}  # False while it is being walked
        for start in self._in_place:
            stack = [] if start in state else [(start, iter(self._in_place[start]))]
            state.setdefault(start, False)
            while stack:
                location, targets = stack[-1]
                target = next(targets, None)
                if target is None:
                    state[location] = True
                    order.append(location)
                    stack.pop()
                elif target not in state:
                    state[target] = False
                    stack.append((target, iter(self._in_place[target])))
                elif not state[target]:
                    raise Invalid(
                        "The reference leads back to itself without going into the data, so "
                        "validation would never end. Refer to it from properties or items.",
                        pointer=target,
                    )
        return order


def require_bounded(document: Mapping[str, Any]) -> None:
    """Raises Invalid for a schema with endless recursion or with too many evaluations."""
    if SchemaComplexity(document).evaluations(1) > MAX_EVALUATIONS:
        raise Invalid(
            f"The references branch so often that one value is evaluated more than "
            f"{MAX_EVALUATIONS} times. Refer to each subschema once."
        )


def _edges(
    location: str, steps: Step, schema: Any, schemas: Mapping[str, Any], old: bool
) -> tuple[list[str], list[tuple[Label, str]]]:
    """The schemas that one applies to the same location, and to those below it, with labels."""
    in_place: list[str] = []
    below: list[tuple[Label, str]] = []
    if not isinstance(schema, dict):
        return in_place, below
    reference = schema.get("$ref")
    if isinstance(reference, str):
        in_place.append(_target(reference, steps, schemas))
        if old:
            return in_place, below
    for step, target in _children(location, schema, schemas):
        if step[0] in _IN_PLACE:
            in_place.append(target)
        elif step[0] not in _NO_EDGE:
            below.append((_label(step), target))
    return in_place, below


def _children(
    location: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[tuple[Step, str]]:
    for steps, _ in children(schema):
        target = f"{location}{json_pointer(steps)}"
        if target in schemas:
            yield steps, target


def _label(step: Step) -> Label:
    if step[0] == "properties":
        return (step[0], step[1])
    if step[0] in _LABELS:
        return _LABELS[step[0]]
    return ("element", step[1]) if len(step) > 1 else ANY_ELEMENT


def _worst(edges: list[tuple[Label, str]], before: Mapping[str, int]) -> int:
    """The evaluations of the child of a document that is evaluated most often."""
    by_label: dict[Label, int] = defaultdict(int)
    for label, target in edges:
        by_label[label] += before[target]
    members = max((n for label, n in by_label.items() if label[0] == "properties"), default=0)
    elements = max((n for label, n in by_label.items() if label[0] == "element"), default=0)
    return max(members + by_label[ANY_MEMBER], elements + by_label[ANY_ELEMENT], by_label[NAME])


def _target(reference: str, steps: Step, schemas: Mapping[str, tuple[Step, Any]]) -> str:
    """The pointer that a local reference means. Raises Invalid unless it leads to a schema."""
    uri, _, fragment = reference.partition("#")
    root = schemas[""][1]
    if not uri or uri == root.get("$id"):
        location: str | None = unquote(fragment)
        if location and not location.startswith("/"):
            location = next(
                (
                    p
                    for p, (_, each) in schemas.items()
                    if isinstance(each, dict) and each.get("$anchor") == fragment
                ),
                None,
            )
        if location in schemas:
            return str(location)
    raise Invalid(
        f"The $ref {reference[:200]!r} does not lead to a schema. Put its target under $defs.",
        pointer=json_pointer((*steps, "$ref")),
    )
