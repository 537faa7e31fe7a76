"""A TypeScript type of a schema.

Our own, because the common generators run on Node. It covers what types can express: objects,
arrays, tuples, literals, alternatives and references. The rest is `unknown` or left to the schema.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from gateway.base.errors import Invalid
from gateway.contracts.code.names import class_name, one_line, pascal, printable
from gateway.contracts.keywords import at, children
from gateway.contracts.references import localize_references

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_SIMPLE = {
    "string": "string", "number": "number", "integer": "number", "boolean": "boolean",
    "null": "null",
}  # fmt: skip
_IMPLIED = {"properties": "object", "prefixItems": "array", "items": "array"}
_SAFE = 2**53 - 1
_SILENT = (
    "if", "not", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "contains",
    "minProperties", "maxProperties", "propertyNames", "dependentRequired", "dependentSchemas",
)  # fmt: skip


def typescript_type(type: str, version: int, schema: Any, *, reply: bool = False) -> str:
    """TypeScript source with a type of the schema, named by `class_name`."""
    title = f"{type} version {version}"
    return _Module(title, class_name(type, reply=reply), localize_references(schema)).text()


class _Module:
    """One source file: the root type, and one type for each referenced subschema."""

    def __init__(self, title: str, name: str, schema: Any) -> None:
        self._title = title
        self._schema = schema
        self._taken = {name}
        self._names = {"": name}
        for target in sorted({*_targets(schema)} - {""}):
            self._names[target] = self._free(pascal(target.rpartition("/")[2]))

    def text(self) -> str:
        parts = [f"// {self._title}, made from its JSON Schema.", *self._silent(), ""]
        for target, name in self._names.items():
            parts += [*self._declaration(name, self._at(target)), ""]
        return "\n".join(parts)

    def _at(self, target: str) -> Any:
        try:
            return at(self._schema, target)
        except (LookupError, ValueError):
            raise Invalid(
                f"The schema refers to #{printable(target)}, which its dialect ignores because it "
                "is beside a $ref. Move it to definitions in a new version."
            ) from None

    def _free(self, name: str) -> str:
        free, number = name, 2
        while free in self._taken:
            free, number = f"{name}{number}", number + 1
        self._taken.add(free)
        return free

    def _silent(self) -> list[str]:
        """A comment with the keywords that the types do not express."""
        found = [keyword for keyword in _SILENT if keyword in _keywords(self._schema)]
        return [f"// Left to the schema: {', '.join(found)}."] if found else []

    def _declaration(self, name: str, schema: Any) -> Iterator[str]:
        yield from _comment(schema, "")
        yield f"export type {name} = {self._type(schema, '')};"

    def _type(self, schema: Any, indent: str) -> str:
        """The type of a schema, on lines that begin with `indent` after the first."""
        if not isinstance(schema, dict):
            return "unknown" if schema is True else "never"
        parts: list[str] = []
        if "$ref" in schema:
            parts.append(self._names[schema["$ref"][1:]])
        if (own := self._own(schema, indent)) is not None:
            parts.append(own)
        parts += [self._type(each, indent) for each in schema.get("allOf", ())]
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                parts.append(_union(self._type(each, indent) for each in schema[keyword]))
        known = [part for part in dict.fromkeys(parts) if part != "unknown"]
        return _joined(" & ", known) if known else "unknown"

    def _own(self, schema: Mapping[str, Any], indent: str) -> str | None:
        """The type of a schema without references and combinations; None if it has none."""
        if "const" in schema:
            return _literal(schema["const"])
        if "enum" in schema:
            return _union(_literal(value) for value in schema["enum"])
        declared = schema.get("type")
        if declared is None:
            declared = [name for key, name in _IMPLIED.items() if key in schema][:1]
        types = [declared] if isinstance(declared, str) else declared
        return _union(self._of_type(each, schema, indent) for each in types) if types else None

    def _of_type(self, type: str, schema: Mapping[str, Any], indent: str) -> str:
        if type == "object":
            return self._object(schema, indent)
        if type == "array":
            return self._array(schema, indent)
        return _SIMPLE.get(type, "unknown")

    def _array(self, schema: Mapping[str, Any], indent: str) -> str:
        items = schema.get("items", True)
        tuple_ = schema.get("prefixItems", items if isinstance(items, list) else None)
        rest = schema.get("additionalItems", True) if isinstance(items, list) else items
        if tuple_ is None:
            return f"{_grouped(self._type(rest, indent))}[]"
        least = schema.get("minItems", 0)
        elements = [
            f"{_grouped(self._type(each, indent))}{'' if index < least else '?'}"
            for index, each in enumerate(tuple_)
        ]
        if rest is not False:
            elements.append(f"...{_grouped(self._type(rest, indent))}[]")
        return f"[{', '.join(elements)}]"

    def _object(self, schema: Mapping[str, Any], indent: str) -> str:
        inner = f"{indent}  "
        lines = [*self._members(schema, inner)]
        rest = self._rest(schema, inner)
        if rest is not None:
            lines.append(f"{inner}[name: string]: {rest};")
        if not lines:
            return "Record<string, never>"
        return "\n".join(["{", *lines, f"{indent}}}"])

    def _members(self, schema: Mapping[str, Any], indent: str) -> Iterator[str]:
        required = schema.get("required", ())
        known = schema.get("properties", {})
        for name in dict.fromkeys([*known, *required]):
            member = known.get(name, True)
            yield from _comment(member, indent)
            mark = "" if name in required else "?"
            quoted = name if _IDENTIFIER.fullmatch(name) else json.dumps(name)
            yield f"{indent}{quoted}{mark}: {self._type(member, indent)};"

    def _rest(self, schema: Mapping[str, Any], indent: str) -> str | None:
        """The type of unnamed members; None if there may be none."""
        others = schema.get("additionalProperties", schema.get("unevaluatedProperties", True))
        named = bool(schema.get("properties") or schema.get("required"))
        if schema.get("patternProperties"):
            return "unknown"
        if others is False:
            return None
        return "unknown" if named or others is True else self._type(others, indent)


def _targets(schema: Any) -> Iterator[str]:
    """Every pointer that a reference in the schema leads to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"][1:]
        for _, below in children(schema):
            yield from _targets(below)


def _keywords(schema: Any) -> set[str]:
    """Every keyword that is used somewhere in the schema."""
    if not isinstance(schema, dict):
        return set()
    return set(schema).union(*(_keywords(below) for _, below in children(schema)))


def _comment(schema: Any, indent: str) -> Iterator[str]:
    if isinstance(schema, dict):
        texts = [one_line(schema[key]) for key in ("title", "description") if schema.get(key)]
        if texts:
            yield f"{indent}/** {': '.join(texts)} */"


class _Compound(str):
    """A type with an operator in it, which needs brackets beside another."""

    __slots__ = ()


def _union(types: Iterator[str]) -> str:
    found = list(dict.fromkeys(types))
    if "unknown" in found:
        return "unknown"
    return _joined(" | ", found) if found else "never"


def _joined(operator: str, types: list[str]) -> str:
    return _Compound(operator.join(map(_grouped, types))) if len(types) > 1 else types[0]


def _grouped(type: str) -> str:
    """A type that can stand beside an operator."""
    return f"({type})" if isinstance(type, _Compound) else type


def _literal(value: Any) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, int | float | Decimal):
        exact = not isinstance(value, int) or abs(value) <= _SAFE
        return str(value) if exact else "number"
    return "unknown"
