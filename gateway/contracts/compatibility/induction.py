"""Inclusion of recursive schemas, which the algebra does not unfold, by induction.

Let W be the writer's definitions and R the reader's. If each body of W, with its references to W
replaced by references to R, is included in the body of R that stands for it, then W is included in
R: by induction on the size of the document, and within one place along the references, which are
not circular there. This needs that a reference only ever lets more documents through when its
target does; so it is not tried where one stands under `not`, `if`, `oneOf`, `maxContains`, or
beside `unevaluated...`.
"""

from typing import Any

from gateway.contracts.compatibility.algebra import inclusion
from gateway.contracts.compatibility.walking import below, everywhere, mapped, named, reference

_WRITER = "writer:"
_INLINE = "inline:"
_TURNING = ("not", "if", "oneOf")


def included_by_induction(writer: Any, reader: Any) -> bool:
    """Whether induction proves that the reader's schema accepts all that the writer's accepts."""
    if isinstance(writer, bool) or isinstance(reader, bool) or not _monotone(writer):
        return False
    pairing = _Pairing(writer.get("$defs", {}), reader.get("$defs", {}))
    pairing.at(_body(writer), _body(reader))
    if not pairing.targets:
        return False
    definitions = pairing.definitions()
    return all(
        inclusion(
            {**pairing.rewritten(one), "$defs": definitions}, {**other, "$defs": definitions}
        ).proven
        for one, other in pairing.goals
    )


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("$defs", "$schema")}


def _monotone(schema: dict[str, Any]) -> bool:
    for each in everywhere(schema):
        if "unevaluatedProperties" in each or "unevaluatedItems" in each:
            return False
        for keyword, _, inner in below(each):
            turning = keyword in _TURNING or (keyword == "contains" and "maxContains" in each)
            if turning and any("$ref" in below_it for below_it in everywhere(inner)):
                return False
    return True


class _Pairing:
    """Which definition of the reader stands for which of the writer: the first one met with it."""

    def __init__(self, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
        self._mine, self._theirs = mine, theirs
        self._inline: dict[str, Any] = {}
        self.targets: dict[str, str] = {}
        self.goals: list[tuple[dict[str, Any], Any]] = []

    def at(self, writer: Any, reader: Any) -> None:
        """Pair what stands at the same place; the two schemas themselves are a goal."""
        self.goals.append((_object(writer), _object(reader)))
        self._within(writer, reader)

    def rewritten(self, schema: Any) -> Any:
        """A schema of the writer's that refers to the reader's definitions where one is paired."""
        result = mapped(schema, self.rewritten)
        if isinstance(result, dict) and "$ref" in result:
            name = named(result["$ref"])
            result["$ref"] = reference(self.targets.get(name, _WRITER + name))
        return result

    def definitions(self) -> dict[str, Any]:
        """Everything that a goal may refer to."""
        unpaired = {
            _WRITER + name: self.rewritten(body)
            for name, body in self._mine.items()
            if name not in self.targets
        }
        return self._theirs | self._inline | unpaired

    def _within(self, writer: Any, reader: Any) -> None:
        if isinstance(writer, bool):
            return
        if "$ref" in writer:
            self._pair(named(writer["$ref"]), reader)
        there = {(keyword, name): each for keyword, name, each in below(self._resolved(reader))}
        for keyword, name, each in below(writer):
            if (keyword, name) in there:
                self._within(each, there[keyword, name])

    def _pair(self, name: str, reader: Any) -> None:
        if name in self.targets:
            return
        if isinstance(reader, dict) and reader.keys() == {"$ref"}:
            self.targets[name] = named(reader["$ref"])
        else:
            self.targets[name] = f"{_INLINE}{name}"
            self._inline[self.targets[name]] = reader
        self.at(self._mine[name], self._resolved(reader))

    def _resolved(self, schema: Any) -> Any:
        while isinstance(schema, dict) and schema.keys() == {"$ref"}:
            schema = self._theirs[named(schema["$ref"])]
        return schema


def _object(schema: Any) -> dict[str, Any]:
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    return dict(schema)
