"""Inclusion of recursive schemas, which the algebra does not unfold, by induction.

Let W be the writer's definitions and R the reader's. If each body of W, with its references to W
replaced by references to R, is included in the paired body of R, then W is included in R: by
induction on the size of the document, and within one location along the references, which are not
circular there. A reference must be monotone: it accepts more only if its target does. Induction is
therefore not tried where a reference is under `not`, `if`, `oneOf`, `maxContains`, or beside
`unevaluated...`.
"""

from typing import Any

from gateway.contracts.compatibility.algebra import inclusion
from gateway.contracts.compatibility.subschemas import (
    all_schemas,
    definition_name,
    definition_reference,
    map_subschemas,
    subschemas,
)

_WRITER = "writer:"
_INLINE = "inline:"
_NOT_MONOTONE = ("not", "if", "oneOf")


def included_by_induction(writer: Any, reader: Any) -> bool:
    """Whether induction proves that the reader's schema accepts all documents of the writer's."""
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
    for each in all_schemas(schema):
        if "unevaluatedProperties" in each or "unevaluatedItems" in each:
            return False
        for keyword, _, inner in subschemas(each):
            bounded = keyword == "contains" and "maxContains" in each
            if (bounded or keyword in _NOT_MONOTONE) and any(
                "$ref" in below for below in all_schemas(inner)
            ):
                return False
    return True


class _Pairing:
    """Pairs each definition of the writer with the reader's definition that it meets first."""

    def __init__(self, writer: dict[str, Any], reader: dict[str, Any]) -> None:
        self._writer, self._reader = writer, reader
        self._inline: dict[str, Any] = {}
        self.targets: dict[str, str] = {}
        self.goals: list[tuple[dict[str, Any], Any]] = []

    def at(self, writer: Any, reader: Any) -> None:
        """Pair the definitions at the same location; the two schemas themselves are a goal."""
        self.goals.append((_object(writer), _object(reader)))
        self._within(writer, reader)

    def rewritten(self, schema: Any) -> Any:
        """A writer's schema whose references lead to the paired definitions of the reader."""
        result = map_subschemas(schema, self.rewritten)
        if isinstance(result, dict) and "$ref" in result:
            name = definition_name(result["$ref"])
            result["$ref"] = definition_reference(self.targets.get(name, _WRITER + name))
        return result

    def definitions(self) -> dict[str, Any]:
        """All definitions that a goal may refer to."""
        unpaired = {
            _WRITER + name: self.rewritten(body)
            for name, body in self._writer.items()
            if name not in self.targets
        }
        return self._reader | self._inline | unpaired

    def _within(self, writer: Any, reader: Any) -> None:
        if isinstance(writer, bool):
            return
        if "$ref" in writer:
            self._pair(definition_name(writer["$ref"]), reader)
        others = {(key, name): each for key, name, each in subschemas(self._resolved(reader))}
        for keyword, name, each in subschemas(writer):
            if (keyword, name) in others:
                self._within(each, others[keyword, name])

    def _pair(self, name: str, reader: Any) -> None:
        if name in self.targets:
            return
        if isinstance(reader, dict) and reader.keys() == {"$ref"}:
            self.targets[name] = definition_name(reader["$ref"])
        else:
            self.targets[name] = f"{_INLINE}{name}"
            self._inline[self.targets[name]] = reader
        self.at(self._writer[name], self._resolved(reader))

    def _resolved(self, schema: Any) -> Any:
        while isinstance(schema, dict) and schema.keys() == {"$ref"}:
            schema = self._reader[definition_name(schema["$ref"])]
        return schema


def _object(schema: Any) -> dict[str, Any]:
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    return dict(schema)
