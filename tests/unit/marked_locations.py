"""Which locations of data a schema marks as personal, by an independent reading.

It is small, slow, and by recursion over single schemas, with references looked up by hand.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

FOUR = (
    "http://json-schema.org/draft-04/schema#"  # admission refuses it; masking does not rely on it
)
OLD = (
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    FOUR,
)
NEW = (
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
)
Path = tuple[str | int, ...]


def numbered_leaves(data: Any) -> tuple[Any, dict[str, Path]]:
    """The data with a canary in each leaf, and where each canary is."""
    where: dict[str, Path] = {}

    def visit(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {name: visit(each, (*path, name)) for name, each in value.items()}
        if isinstance(value, list):
            return [visit(each, (*path, index)) for index, each in enumerate(value)]
        canary = f"canary-{len(where)}."
        where[canary] = path
        return canary

    return visit(data, ()), where


def marked_locations(root: dict[str, Any], data: Any) -> set[Path]:
    """Where the data are marked, by any branch of the schema."""
    found: set[Path] = set()
    done: set[tuple[int, Path]] = set()

    def at(schema: Any, value: Any, path: Path) -> None:
        if not isinstance(schema, dict) or (id(schema), path) in done:
            return
        done.add((id(schema), path))
        if schema.get("x-pii"):
            found.add(path)
        for each, inner, step in _applied(root, schema, value):
            at(each, inner, (*path, *step))

    at(root, data, ())
    return found


def _applied(
    root: dict[str, Any], schema: dict[str, Any], value: Any
) -> Iterator[tuple[Any, Any, Path]]:
    """The schemas that this one applies, each with the value below and the step to it."""
    for word in ("$ref", "$dynamicRef", "$recursiveRef"):
        if word in schema:
            yield _target(root, schema[word]), value, ()
    if "$ref" in schema and root["$schema"] in OLD:
        return
    yield from ((each, value, ()) for each in _same_place(schema, value))
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield from ((each, inner, (name,)) for each in _of_member(schema, name))
    for index, inner in enumerate(value) if isinstance(value, list) else ():
        yield from ((each, inner, (index,)) for each in _of_element(schema, index))


def _target(root: dict[str, Any], reference: str) -> Any:
    names = {"#": root, "#n": "n", "#d": "d", "urn:inner": "i", "#/definitions/x": "x"}
    if reference in names:
        found = names[reference]
        return root["definitions"][found] if isinstance(found, str) else found
    if not reference.startswith("#/"):
        return None  # elsewhere
    target: Any = root
    for step in reference[2:].split("/"):
        plain = unquote(step).replace("~1", "/").replace("~0", "~")
        target = target[int(plain)] if isinstance(target, list) else target[plain]
    return target


def _same_place(schema: dict[str, Any], value: Any) -> Iterator[Any]:
    for word in ("allOf", "anyOf", "oneOf"):
        yield from schema.get(word, [])
    for word in ("not", "if", "then", "else"):
        yield schema.get(word)
    for word in ("dependencies", "dependentSchemas"):
        for name, each in schema.get(word, {}).items():
            if isinstance(value, dict) and name in value:
                yield each


def _of_member(schema: dict[str, Any], name: str) -> Iterator[Any]:
    yield schema.get("properties", {}).get(name)
    patterns = [each for each in schema.get("patternProperties", {}) if re.search(each, name)]
    for each in patterns:
        yield schema["patternProperties"][each]
    if name not in schema.get("properties", {}) and not patterns:
        yield schema.get("additionalProperties")
        yield schema.get("unevaluatedProperties")


def _of_element(schema: dict[str, Any], index: int) -> Iterator[Any]:
    yield schema.get("contains")
    listed = schema.get("prefixItems", schema.get("items", []))
    if isinstance(listed, list) and index < len(listed):
        yield listed[index]
        return
    yield schema.get("items")
    yield schema.get("additionalItems")
    yield schema.get("unevaluatedItems")
