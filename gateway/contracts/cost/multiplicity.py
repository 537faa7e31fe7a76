"""How often one document can make a validator evaluate each schema of a bundle."""

from collections.abc import Iterable, Mapping
from math import inf

from gateway.contracts.complexity import ANY_ELEMENT, ANY_MEMBER, NAME, Label, SchemaGraph

_BOUNDS = {ANY_ELEMENT: "maxItems", ANY_MEMBER: "maxProperties", NAME: "maxProperties"}
_FAR = 1 << 30


def multiplicities(graph: SchemaGraph) -> Mapping[str, float]:
    """The evaluations of each schema by one document; infinity where only its size bounds them."""
    edges = {location: _edges(graph, location) for location in graph.schemas}
    found: dict[str, float] = dict.fromkeys(graph.schemas, 0.0)
    found[""] = 1.0
    for component in reversed(_components(edges)):
        if len(component) > 1 or any(target in component for target, _ in edges[component[0]]):
            reached = max(found[each] for each in component)
            found.update(dict.fromkeys(component, inf if reached else 0.0))
        for location in component:
            for target, factor in edges[location] if found[location] else ():
                if target not in component:
                    found[target] += found[location] * factor
    return found


def surroundings(graph: SchemaGraph) -> Mapping[str, int]:
    """The bytes that a document needs around each value of a schema: its name, at least."""
    found = dict.fromkeys(graph.schemas, _FAR)
    found[""], waiting = 0, [""]
    while waiting:
        location = waiting.pop()
        below = [(_name(label), target) for label, target in graph.below[location]]
        in_place = [(found[location], target) for target in graph.in_place[location]]
        for around, target in (*below, *in_place):
            if around < found[target]:
                found[target] = around
                waiting.append(target)
    return found


def recursive(graph: SchemaGraph) -> set[str]:
    """The schemas that lead back to themselves, further down in the document."""
    edges = {location: _edges(graph, location) for location in graph.schemas}
    return {
        location
        for component in _components(edges)
        for location in component
        if len(component) > 1 or any(target == location for target, _ in edges[location])
    }


def bound(schema: object, label: Label) -> float:
    """How many values below one value a schema under this label is applied to."""
    keyword = _BOUNDS.get(label) if isinstance(label, str) else None
    if keyword is None:
        return 1.0
    if not isinstance(schema, Mapping):
        return inf
    return max(1.0, float(schema.get(keyword, inf)))


def _name(label: Label) -> int:
    if isinstance(label, tuple) and label[0] == "properties":
        return len(label[1]) + 3
    return 3 if label == ANY_MEMBER else 0


def _edges(graph: SchemaGraph, location: str) -> list[tuple[str, float]]:
    schema = graph.schemas[location]
    below = [(target, bound(schema, label)) for label, target in graph.below[location]]
    return [(target, 1.0) for target in graph.in_place[location]] + below


def _components(edges: Mapping[str, Iterable[tuple[str, float]]]) -> list[list[str]]:
    """The strongly connected components, each after those that it leads to (Tarjan)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_, found = dict[str, None](), list[list[str]]()
    for start in edges:
        stack = [] if start in number else [(start, iter(edges[start]))]
        while stack:
            location, targets = stack[-1]
            if location not in number:
                number[location] = lowest[location] = len(number)
                open_[location] = None
            target = next((target for target, _ in targets if target not in number), None)
            if target is not None:
                stack.append((target, iter(edges[target])))
                continue
            stack.pop()
            known = [lowest[each] for each, _ in edges[location] if each in open_]
            lowest[location] = min([lowest[location], *known])
            if lowest[location] == number[location]:
                members = list(open_)[list(open_).index(location) :]
                found.append(members)
                for each in members:
                    del open_[each]
    return found
