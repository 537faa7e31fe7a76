"""Candidate documents that may tell two schemas apart: a valid document, then one change at a time.

The values at a location come from both schemas: bounds and one beyond, lengths and one beyond,
listed values, strings that match the patterns, missing members, undescribed members. They are
guesses; a document proves something only after the validators have checked it.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from time import process_time
from typing import Any

from gateway.contracts.compatibility.alternatives import Alternatives
from gateway.contracts.compatibility.scalars import scalars
from gateway.contracts.compatibility.strings import matching
from gateway.contracts.compatibility.validators import SubschemaValidators

_DEPTH = 12
_SCALARS = 40  # scalar values at one location
_MAX_SIZE = 300  # elements or members that are worth trying
_PER_LOCATION = 240  # values at one location
_TOP = 4000  # whole documents
_HALF = Decimal("0.5")
_UNUSUAL: tuple[Any, ...] = (None, True, 0, -1, _HALF, "", "x", [], {}, [None], {"lain": None})


class Candidates:
    """Makes documents for a writer's schema with a reader's schema in mind, both normal."""

    def __init__(self, writer: Any, reader: Any, until: float) -> None:
        """`until` is when to stop by `time.process_time`."""
        self._writer, self._reader = writer, reader
        self._accepts = SubschemaValidators(writer).accepts
        self._reverse = None if reader is True else Candidates(reader, True, until)
        self._until = until
        self._made: dict[tuple[int, int], tuple[Any, Any, list[Any]]] = {}
        self._writer_alternatives, self._reader_alternatives = (
            Alternatives(writer),
            Alternatives(reader),
        )

    def documents(self) -> Iterator[Any]:
        """Documents; the writer's schema need not accept them as a whole."""
        yield from self._unchecked(self._writer, self._reader, 0)

    def around(self, document: Any) -> Iterator[Any]:
        """A valid document, and the same document with one change each."""
        yield document
        yield from self._varied(document, self._writer, self._reader, 0)

    def _at(self, writer: Any, reader: Any, depth: int) -> list[Any]:
        """Values for one location."""
        key = (id(writer), id(reader))
        if key in self._made:
            return self._made[key][2]
        if depth > _DEPTH or writer is False or process_time() > self._until:
            return []
        self._made[key] = (writer, reader, [])  # a recursive location stays empty once
        values = islice(self._unchecked(writer, reader, depth), _PER_LOCATION)
        good = [each for each in _distinct(values) if self._accepts(writer, each)]
        self._made[key] = (writer, reader, good)
        return good

    def _unchecked(self, writer: Any, reader: Any, depth: int) -> Iterator[Any]:
        writer_parts, reader_parts = (
            self._writer_alternatives.of(writer),
            self._reader_alternatives.of(reader),
        )
        for part in writer_parts:
            yield from islice(scalars(part), _SCALARS)
        for number, part in enumerate(writer_parts):
            other = reader_parts[number % len(reader_parts)] if reader_parts else {}
            share = _PER_LOCATION // len(writer_parts) if depth else _TOP // len(writer_parts)
            yield from islice(self._structures(part, other, depth), share)
        for part in reader_parts:
            yield from islice(scalars(part), _SCALARS)
        yield from _UNUSUAL

    def _structures(
        self, part: dict[str, Any], reader: dict[str, Any], depth: int
    ) -> Iterator[Any]:
        types = _types(part)
        if "object" in types:
            yield from self._objects(part, reader, depth)
        if "array" in types:
            yield from self._arrays(part, reader, depth)

    def _objects(self, part: dict[str, Any], reader: dict[str, Any], depth: int) -> Iterator[Any]:
        values: dict[str, list[Any]] = {}
        names = [*part.get("properties", {}), *part.get("required", ())]
        for group in part.get("dependentRequired", {}).values():
            names += group
        hinted = [*reader.get("properties", {}), *reader.get("required", ())]
        for pattern in (*part.get("patternProperties", {}), *reader.get("patternProperties", {})):
            hinted += matching(pattern)[:3]
        for name in dict.fromkeys([*names, *hinted]):
            values[name] = self._at(_member(part, name), _member(reader, name), depth + 1)
        must = [name for name in part.get("required", ()) if values.get(name)]
        least = {name: values[name][0] for name in dict.fromkeys(must)}
        every = {name: each[0] for name, each in values.items() if each and name in names}
        yield from (least, every)
        for name, each in values.items():
            for value in each:
                yield least | {name: value}
        for name, each in values.items():
            if each and name in every:
                yield {key: value for key, value in every.items() if key != name}
                for value in each[1:]:
                    yield every | {name: value}
        yield from self._with_unnamed(part, reader, least, depth)

    def _with_unnamed(
        self, part: dict[str, Any], reader: dict[str, Any], least: dict[str, Any], depth: int
    ) -> Iterator[Any]:
        """Objects with members that neither schema names."""
        counts = [part.get(each) or reader.get(each) for each in ("minProperties", "maxProperties")]
        others = self._at(_member(part, "lain-lain"), _member(reader, "lain-lain"), depth + 1)
        for value in others[:8]:
            yield least | {"lain-lain": value}
        for name in self._names(part, reader):
            if others:
                yield least | {name: others[0]}
        for count in counts:
            for size in () if count is None else (int(count) - 1, int(count), int(count) + 1):
                if others and 0 <= size <= _MAX_SIZE:
                    more = {f"lain-{n}": others[0] for n in range(size - len(least))}
                    yield dict(islice((least | more).items(), size))

    def _names(self, part: dict[str, Any], reader: dict[str, Any]) -> list[str]:
        found = []
        for schema in (part.get("propertyNames", True), reader.get("propertyNames", True)):
            if isinstance(schema, dict):
                found += [each for each in scalars({"type": "string"} | schema)][:8]
        return [each for each in found if isinstance(each, str)]

    def _arrays(self, part: dict[str, Any], reader: dict[str, Any], depth: int) -> Iterator[Any]:
        first = [self._at(_element(part, n), _element(reader, n), depth + 1) for n in range(3)]
        fixed = part.get("prefixItems", [])
        prefix = [self._at(each, _element(reader, n), depth + 1) for n, each in enumerate(fixed)]
        after = len(fixed)
        rest = self._at(_element(part, after), _element(reader, after), depth + 1)
        extra = self._at(part["contains"], True, depth + 1)[:4] if "contains" in part else []
        if "contains" in reader and self._reverse is not None:
            extra += self._reverse._at(reader["contains"], True, depth + 1)[:4]
        sizes = {0, 1, 2, after, after + 1}
        for schema in (part, reader):
            for keyword in ("minItems", "maxItems", "minContains", "maxContains"):
                if keyword in schema and schema[keyword] <= _MAX_SIZE:
                    sizes |= {int(schema[keyword]) + step for step in (-1, 0, 1)}
        for size in sorted(each for each in sizes if each >= 0):
            yield from self._of_size(size, prefix, rest, extra)
        least = max(int(part.get("minItems", 1)), 1)
        for index in range(min(after + 1, 3)):
            base = _filled(least if least > index else index + 1, prefix, rest) or []
            for value in first[index] if base else ():
                yield [*base[:index], value, *base[index + 1 :]]

    def _of_size(
        self, size: int, prefix: list[list[Any]], rest: list[Any], extra: list[Any]
    ) -> Iterator[Any]:
        base = _filled(size, prefix, rest)
        if base is None:
            return
        yield base
        if len(rest) > 1 and size > len(prefix):
            varied = [rest[n % len(rest)] for n in range(size - len(prefix))]
            yield [*base[: len(prefix)], *varied]
        for value in extra:
            for count in {1, size}:
                yield [*base[: size - count], *[value] * count] if size else []

    def _varied(self, value: Any, writer: Any, reader: Any, depth: int) -> Iterator[Any]:
        """A value with one change each."""
        yield from islice(self._unchecked(writer, reader, depth), _PER_LOCATION)
        if depth == _DEPTH:
            return
        writer_parts, reader_parts = (
            self._writer_alternatives.of(writer),
            self._reader_alternatives.of(reader),
        )
        part, other = (writer_parts or [{}])[0], (reader_parts or [{}])[0]
        if isinstance(value, dict):
            yield from self._varied_members(value, part, other, depth + 1)
        if isinstance(value, list):
            yield from (value[1:], value + value[:1])
            for index, element in enumerate(value[:4]):
                writes, reads = _element(part, index), _element(other, index)
                for each in self._varied(element, writes, reads, depth + 1):
                    yield [*value[:index], each, *value[index + 1 :]]

    def _varied_members(
        self, value: dict[str, Any], part: dict[str, Any], other: dict[str, Any], depth: int
    ) -> Iterator[Any]:
        for name in value:
            yield {key: each for key, each in value.items() if key != name}
        for name in value:
            writes, reads = _member(part, name), _member(other, name)
            for each in self._varied(value[name], writes, reads, depth):
                yield value | {name: each}
        for name in (*part.get("properties", {}), *other.get("properties", {}), "lain-lain"):
            if name not in value:
                for each in self._at(_member(part, name), _member(other, name), depth):
                    yield value | {name: each}


def _distinct(values: Iterator[Any]) -> list[Any]:
    found: dict[str, Any] = {}
    for value in values:
        found.setdefault(repr(value), value)
    return list(found.values())


def _types(part: dict[str, Any]) -> set[str]:
    if "const" in part or "enum" in part:
        return set()
    named = part.get("type")
    if named is None:
        return {"object", "array"}
    return {named} if isinstance(named, str) else set(named)


def _member(part: dict[str, Any], name: str) -> Any:
    """The schema of a member with this name, roughly."""
    if name in part.get("properties", {}):
        return part["properties"][name]
    for pattern, schema in part.get("patternProperties", {}).items():
        if _found(pattern, name):
            return schema
    return part.get("additionalProperties", True)


def _found(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def _element(part: dict[str, Any], index: int) -> Any:
    fixed = part.get("prefixItems", [])
    return fixed[index] if index < len(fixed) else part.get("items", True)


def _filled(size: int, prefix: list[list[Any]], rest: list[Any]) -> list[Any] | None:
    """An array of a size, with the first value of each element; None if one has no value."""
    if size > _MAX_SIZE:
        return None
    pools = [*prefix[:size], *[rest] * (size - len(prefix))]
    if not all(pools):
        return None
    unique = [pool[n % len(pool)] for n, pool in enumerate(pools)]
    return unique if len({repr(each) for each in unique}) == size else [pool[0] for pool in pools]
