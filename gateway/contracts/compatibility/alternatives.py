"""A schema as alternatives, each roughly one conjunction with its references resolved."""

from collections.abc import Iterator
from itertools import islice, product
from random import Random
from typing import Any

MOST = 24
_BRANCHES = 8  # alternatives within one branch
_DEPTH = 12


class Alternatives:
    """The alternatives of the subschemas of one schema in normal form: only for guesses."""

    def __init__(self, document: Any) -> None:
        self._definitions = document.get("$defs", {}) if isinstance(document, dict) else {}
        self._known: dict[int, tuple[Any, list[dict[str, Any]]]] = {}

    def of(self, schema: Any) -> list[dict[str, Any]]:
        """The alternatives of a schema, at most 24; the same objects each time."""
        key = id(schema)
        if key not in self._known:
            self._known[key] = (schema, list(islice(self._parts(schema, 0), MOST)))
        return self._known[key][1]

    def _parts(self, schema: Any, depth: int) -> Iterator[dict[str, Any]]:
        """A schema as alternatives, each roughly one conjunction with its references resolved."""
        if schema is False or depth > _DEPTH:
            return
        if schema is True:
            yield {}
            return
        own = {k: v for k, v in schema.items() if k not in ("$ref", "allOf", "anyOf", "oneOf")}
        found: list[dict[str, Any]] = [own]
        together = list(schema.get("allOf", ()))
        if "$ref" in schema:
            together.append(self._definitions[schema["$ref"].removeprefix("#/$defs/")])
        if "if" in schema:
            found = [*found, *self._conditional(own, depth)]
        for each in together:
            found = self._product(found, [each], depth)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                found = self._product(found, schema[keyword], depth)
        yield from found

    def _conditional(self, own: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
        yes = {"allOf": [own["if"], own.get("then", True)]}
        for branch in (yes, own.get("else", True)):
            for part in islice(self._parts(branch, depth + 1), 4):
                yield _merged(own, part)

    def _product(
        self, found: list[dict[str, Any]], branches: list[Any], depth: int
    ) -> list[dict[str, Any]]:
        parts = [
            part
            for branch in branches
            for part in islice(self._parts(branch, depth + 1), _BRANCHES)
        ]
        return [_merged(one, other) for one, other in _spread(list(product(found, parts)))]


def _spread(values: list[Any]) -> list[Any]:
    """At most 24 of the values, from all over the list."""
    if len(values) <= MOST:
        return values
    return [values[0], *Random(len(values)).sample(values[1:], MOST - 1)]  # noqa: S311


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two conjuncts as one, roughly: where they conflict, the first is kept."""
    result = other | one
    for keyword in ("properties", "patternProperties"):
        if keyword in one and keyword in other:
            both = other[keyword] | one[keyword]
            for name in one[keyword].keys() & other[keyword].keys():
                both[name] = {"allOf": [one[keyword][name], other[keyword][name]]}
            result[keyword] = both
    if "required" in one and "required" in other:
        result["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    for keyword in ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"):
        if keyword in one and keyword in other:
            result[keyword] = max(one[keyword], other[keyword])
    for keyword in ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"):
        if keyword in one and keyword in other:
            result[keyword] = min(one[keyword], other[keyword])
    if "enum" in one and "enum" in other:
        result["enum"] = [each for each in one["enum"] if each in other["enum"]]
    return result
