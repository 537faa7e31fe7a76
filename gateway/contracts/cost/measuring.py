"""Measures how long a validator works on the documents that a schema suggests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from time import thread_time_ns
from typing import Any
from urllib.parse import quote

import jsonschema_rs

from gateway.contracts.complexity import ANY_ELEMENT, ANY_MEMBER, NAME, SchemaGraph
from gateway.contracts.cost.multiplicity import multiplicities, recursive, surroundings
from gateway.contracts.cost.probes import (
    Probe,
    array_probes,
    object_probes,
    scalar_probes,
    types_of,
)
from gateway.contracts.enumerations import with_hashed_enums
from gateway.contracts.keywords import at, rebuilt
from gateway.contracts.validation import compiled

_URI = "urn:nusabus:measured"
_LIMIT = int(1e9)  # nanoseconds of CPU for the parts of a schema
_WHOLE = int(1e9)  # the same for the schema as a whole, where its parts have used up theirs
_LONG = 1_000_000  # nanoseconds of a value that is not measured again
_BYTES = 1500  # of one measurement
_ITEMS = 100  # of one measurement
_CANDIDATES = 60  # values that are tried at one location
_LARGEST = 8000  # bytes of a value that is tried
_KEPT = 3  # of each kind, to build others from
_DEEPENED = 12  # times that the documents of a recursive schema are nested
_COSTLY = frozenset(
    {
        *("allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "dependentRequired"),
        *("dependencies", "pattern", "patternProperties", "format", "propertyNames", "contains"),
        *("unevaluatedProperties", "unevaluatedItems", "uniqueItems", "multipleOf", "enum"),
    }
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What validation takes at one schema: `nanoseconds` for a value of `size` bytes."""

    location: str
    probe: Probe
    size: int
    nanoseconds: float
    times: float
    """How many such values one event can hold, if its size does not end it."""

    def seconds(self, event: int) -> float:
        """Of an event of this many bytes."""
        return self.nanoseconds * min(event / self.size, self.times) / 1e9


class Measuring:
    """Measures the schemas of a bundle. A schema is measured after those that it is made of."""

    def __init__(self, document: Mapping[str, Any], *, event: int, enough: float) -> None:
        """Stops when it has found a document of `event` bytes that takes `enough` seconds."""
        self._event, self._enough = event, enough
        self._graph = SchemaGraph(document)
        self._times = multiplicities(self._graph)
        self._around = surroundings(self._graph)
        self._dialect = document["$schema"]
        self._document, self._keywords = with_hashed_enums(document)
        self._registry = jsonschema_rs.Registry([(_URI, self._document)])
        self._until = thread_time_ns() + _LIMIT
        self._found_enough = self._cut_short = False
        self._probes: dict[str, list[Probe]] = {}
        self._costs: dict[str, list[Cost]] = {}

    @property
    def complete(self) -> bool:
        """Whether all was measured."""
        return self._goes_on and not self._cut_short

    @property
    def _goes_on(self) -> bool:
        return not self._found_enough and thread_time_ns() < self._until

    @cached_property
    def costs(self) -> Sequence[Cost]:
        """The greatest costs at each measured schema."""
        reached = [each for each in self._graph.schemas if self._times[each]]
        for location in reached:
            self._of(location)
        cyclic = recursive(self._graph)
        nested = [each for each in reached if each in cyclic]
        for _ in range(_DEEPENED):
            for location in nested if self._goes_on else ():
                self._probes[location] = self._made(location) or self._probes[location]
        return [cost for found in self._costs.values() for cost in found]

    def culprit(self, cost: Cost) -> str | None:
        """The keyword at the location of a cost without which it would be least."""
        schema = at(self._document, cost.location)
        if not isinstance(schema, dict):
            return None
        taken = {}
        for keyword in schema.keys() - {"$defs", "definitions", "$schema", "$id", "properties"}:
            rest = {name: value for name, value in schema.items() if name != keyword}
            validator = self._validator(_absolute(rest))
            taken[keyword] = self._nanoseconds(validator, cost.probe)
        return min(taken, key=lambda keyword: taken[keyword], default=None)

    def _of(self, location: str) -> list[Probe]:
        if location not in self._probes:
            self._probes[location] = []  # a recursive schema knows none of its own at first
            self._probes[location] = self._made(location)
        return self._probes[location]

    def _made(self, location: str) -> list[Probe]:
        schema = self._graph.schemas[location]
        if not isinstance(schema, dict):
            return [Probe(1), Probe("a")]
        found = list(_distinct(self._candidates(location, schema)))
        if not location:
            self._grant_the_whole()
        if (location and not _COSTLY & schema.keys()) or not self._goes_on:
            return _first(found)
        costs = list(self._measured(location, sorted(found, key=lambda probe: probe.size)))
        by_rate = sorted(costs, key=lambda cost: -cost.nanoseconds / cost.size)
        self._costs[location] = costs
        return _first([cost.probe for cost in by_rate])

    def _grant_the_whole(self) -> None:
        """A slow machine has measured a few of the parts: the whole shows what all cost."""
        if thread_time_ns() >= self._until:
            self._cut_short, self._until = True, thread_time_ns() + _WHOLE

    def _measured(self, location: str, probes: Sequence[Probe]) -> Iterator[Cost]:
        validator = self._validator({"$ref": f"{_URI}#{quote(location)}"})
        for probe in probes if self._goes_on else ():
            cost = self._cost(location, probe, validator)
            yield cost
            if cost.seconds(self._event) > self._enough:
                self._found_enough = True
                return

    def _candidates(self, location: str, schema: dict[str, Any]) -> Iterator[Probe]:
        for target in self._graph.in_place[location]:
            yield from self._of(target)[:_KEPT]
        types, below = types_of(schema), self._graph.below[location]
        if "array" in types:
            elements = [
                probe
                for label, target in below
                if label == ANY_ELEMENT or label[0] == "element"
                for probe in self._of(target)[:_KEPT]
            ]
            yield from array_probes(schema, elements or [Probe(1)])
        if "object" in types:
            members = {
                label[1]: self._of(target)[0]
                for label, target in below
                if isinstance(label, tuple) and label[0] == "properties" and self._of(target)
            }
            others = [
                probe
                for label, target in below
                if label == ANY_MEMBER
                for probe in self._of(target)[:2]
            ]
            yield from object_probes(schema, members, others)
        yield from scalar_probes(schema, types)
        for label, target in below:
            if label == NAME:
                yield from (
                    Probe({probe.value: 1})
                    for probe in self._of(target)
                    if isinstance(probe.value, str)
                )

    def _cost(self, location: str, probe: Probe, validator: jsonschema_rs.Validator) -> Cost:
        times = inf if probe.open else self._times[location]
        size = probe.size + self._around[location]
        return Cost(location, probe, size, self._nanoseconds(validator, probe), times)

    def _nanoseconds(self, validator: jsonschema_rs.Validator, probe: Probe) -> float:
        once = _taken(validator, [probe.value])
        if once > _LONG:
            return once
        count = max(1, min(_ITEMS, _BYTES // probe.size))
        return min(_taken(validator, [probe.value] * count) for _ in range(2)) / count

    def _validator(self, schema: Any) -> jsonschema_rs.Validator:
        """A validator of arrays that looks at each element and accepts all."""
        each = {"anyOf": [schema, True]}
        return compiled(
            {"$schema": self._dialect, "items": each}, self._keywords, registry=self._registry
        )


def _taken(validator: jsonschema_rs.Validator, values: list[Any]) -> int:
    began = thread_time_ns()
    validator.is_valid(values)
    return thread_time_ns() - began


def _absolute(schema: Any) -> Any:
    """A part of the measured schema that can be used outside of it."""
    if not isinstance(schema, dict):
        return schema
    made = rebuilt(schema, lambda _, below: _absolute(below))
    reference = made.get("$ref")
    if isinstance(reference, str):
        made["$ref"] = f"{_URI}#{reference.partition('#')[2]}"
    made.pop("$anchor", None)
    return made


def _distinct(probes: Iterator[Probe]) -> Iterator[Probe]:
    seen: set[bytes] = set()
    for probe in probes:
        if probe.text not in seen and probe.size <= _LARGEST:
            seen.add(probe.text)
            yield probe
        if len(seen) == _CANDIDATES:
            return


def _first(probes: list[Probe]) -> list[Probe]:
    """The first probes of each kind: those of one size, and those that grow."""
    fixed = [probe for probe in probes if not probe.open]
    return [*fixed[:_KEPT], *[probe for probe in probes if probe.open][:_KEPT]]
