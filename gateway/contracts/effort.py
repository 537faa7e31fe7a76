"""How much work a schema can make of a document: bounds known before any document is judged.

A validator walks a schema beside the document. References let a short schema be walked in very many
ways: `allOf` of twice the same, which again is twice the same, and so on. Deciding is safe, as
the validator remembers what it has decided about a recursive schema; explaining is not.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from gateway.base.errors import Invalid
from gateway.contracts.keywords import Step, children, pointer
from gateway.contracts.soundness import within

WAYS = 20_000  # in which one place of a document may be looked at
LEVELS = 64  # the nesting of a document, see jsontext.DEPTH
_MOST = 10**12

_IN_PLACE = frozenset(
    {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"}
)
_NO_EDGE = frozenset({"$defs", "definitions", "contentSchema"})
_ANY_MEMBER, _ANY_ELEMENT, _NAME = "any member", "any element", "names"
_LABELS = {
    "patternProperties": _ANY_MEMBER,
    "additionalProperties": _ANY_MEMBER,
    "unevaluatedProperties": _ANY_MEMBER,
    "propertyNames": _NAME,
}
Label = tuple[str, str] | str


class Effort:
    """The walks that a bundled schema allows. Raises Invalid for one that never ends."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        schemas = {pointer(steps): (steps, each) for steps, each in within(document)}
        self._here: dict[str, list[str]] = {}
        self._below: dict[str, list[tuple[Label, str]]] = {}
        old = "draft-0" in str(document.get("$schema"))
        for place, (steps, schema) in schemas.items():
            self._here[place], self._below[place] = _edges(place, steps, schema, schemas, old)
        self._order = self._ordered()
        self._visits = [self._level(None)]

    def visits(self, depth: int) -> int:
        """At most how often one path of a document so deep is looked at."""
        while len(self._visits) <= depth and not self._settled:
            self._visits.append(self._level(self._visits[-1]))
        return self._visits[min(depth, len(self._visits) - 1)][""]

    @property
    def _settled(self) -> bool:
        return len(self._visits) > 1 and self._visits[-1] == self._visits[-2]

    def _level(self, before: Mapping[str, int] | None) -> dict[str, int]:
        """The visits of every schema, from those for documents that are one level flatter."""
        found: dict[str, int] = {}
        for place in self._order:
            here = 1 + sum(found[target] for target in self._here[place])
            below = 0 if before is None else _worst(self._below[place], before)
            found[place] = min(_MOST, here + below)
        return found

    def _ordered(self) -> list[str]:
        """The schemas, each after those that look at the same place of a document."""
        order: list[str] = []
        state: dict[str, bool] = {}  # False while it is being walked
        for start in self._here:
            stack = [] if start in state else [(start, iter(self._here[start]))]
            state.setdefault(start, False)
            while stack:
                place, targets = stack[-1]
                target = next(targets, None)
                if target is None:
                    state[place] = True
                    order.append(place)
                    stack.pop()
                elif target not in state:
                    state[target] = False
                    stack.append((target, iter(self._here[target])))
                elif not state[target]:
                    raise Invalid(
                        "the reference leads back to itself without going into the data, so no "
                        "check of it would end: refer to it from properties or items",
                        pointer=target,
                    )
        return order


def require_bounded(document: Mapping[str, Any]) -> None:
    """Raises Invalid for a schema that never ends, or that can be walked in too many ways."""
    if Effort(document).visits(1) > WAYS:
        raise Invalid(
            f"the references branch so often that one value is checked in more than {WAYS} ways: "
            "refer to each part once"
        )


def _edges(
    place: str, steps: Step, schema: Any, schemas: Mapping[str, Any], old: bool
) -> tuple[list[str], list[tuple[Label, str]]]:
    here: list[str] = []
    below: list[tuple[Label, str]] = []
    if not isinstance(schema, dict):
        return here, below
    reference = schema.get("$ref")
    if isinstance(reference, str):
        here.append(_target(reference, steps, schemas))
        if old:
            return here, below
    for step, target in _children(place, schema, schemas):
        if step[0] in _IN_PLACE:
            here.append(target)
        elif step[0] not in _NO_EDGE:
            below.append((_label(step), target))
    return here, below


def _children(
    place: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[tuple[Step, str]]:
    for steps, _ in children(schema):
        target = f"{place}{pointer(steps)}"
        if target in schemas:
            yield steps, target


def _label(step: Step) -> Label:
    if step[0] == "properties":
        return (step[0], step[1])
    if step[0] in _LABELS:
        return _LABELS[step[0]]
    return ("element", step[1]) if len(step) > 1 else _ANY_ELEMENT


def _worst(edges: list[tuple[Label, str]], before: Mapping[str, int]) -> int:
    """The visits of the child of a document that is looked at most often."""
    by_label: dict[Label, int] = defaultdict(int)
    for label, target in edges:
        by_label[label] += before[target]
    members = max((n for label, n in by_label.items() if label[0] == "properties"), default=0)
    elements = max((n for label, n in by_label.items() if label[0] == "element"), default=0)
    return max(members + by_label[_ANY_MEMBER], elements + by_label[_ANY_ELEMENT], by_label[_NAME])


def _target(reference: str, steps: Step, schemas: Mapping[str, tuple[Step, Any]]) -> str:
    """The pointer that a local reference means. Raises Invalid unless a schema stands there."""
    uri, _, fragment = reference.partition("#")
    root = schemas[""][1]
    if not uri or uri == root.get("$id"):
        place: str | None = unquote(fragment)
        if place and not place.startswith("/"):
            place = next(
                (
                    p
                    for p, (_, each) in schemas.items()
                    if isinstance(each, dict) and each.get("$anchor") == fragment
                ),
                None,
            )
        if place in schemas:
            return str(place)
    raise Invalid(
        f"the $ref {reference[:200]!r} leads to no schema: put what it means under $defs",
        pointer=pointer((*steps, "$ref")),
    )
