"""Definitions under names that the generator of Pydantic models takes for names of classes.

It reads a dot as the name of a package, and gives no class for a root of several types that refers
to itself. The documents that a schema accepts stay the same.
"""

import re
from collections.abc import Mapping
from typing import Any

from gateway.base.json_pointer import escaped
from gateway.contracts.code.names import pascal
from gateway.contracts.keywords import rebuilt

_ODD = re.compile(r"[^\w$ -]")
_DEFINITIONS = ("$defs", "definitions")
_ROOT = "Root"


def with_plain_names(schema: Any) -> Any:
    """A localized schema whose definitions have plain names, and whose root has one type."""
    if not isinstance(schema, dict):
        return schema
    renamed: dict[str, str] = {}  # pointers of definitions, as they begin references
    made = dict(schema)
    for keyword in _DEFINITIONS:
        if isinstance(schema.get(keyword), dict):
            made[keyword] = _plain(schema[keyword], keyword, renamed)
    if isinstance(made.get("type"), list):
        keyword = next((each for each in _DEFINITIONS if each in made), _DEFINITIONS[0])
        name = _free(_ROOT, made.get(keyword, {}))
        root = {word: value for word, value in made.items() if word not in _DEFINITIONS}
        kept = {each: made[each] for each in ("$schema", *_DEFINITIONS) if each in made}
        kept[keyword] = {**kept.get(keyword, {}), name: root}
        made = {"$ref": f"#/{keyword}/{name}", **kept}
        renamed["#"] = f"#/{keyword}/{name}"
        made = {**_rewritten({**made, "$ref": True}, renamed), "$ref": made["$ref"]}
        return made
    return _rewritten(made, renamed)


def _plain(found: Mapping[str, Any], keyword: str, renamed: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, schema in found.items():
        plain = name
        if _ODD.search(name):
            plain = _free(pascal(name), {**found, **made})
            renamed[f"#/{keyword}/{escaped(name)}"] = f"#/{keyword}/{plain}"
        made[plain] = schema
    return made


def _free(name: str, taken: Mapping[str, Any]) -> str:
    free, number = name, 2
    while free in taken:
        free, number = f"{name}{number}", number + 1
    return free


def _rewritten(schema: Any, renamed: Mapping[str, str]) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = rebuilt(schema, lambda _, below: _rewritten(below, renamed))
    reference = made.get("$ref")
    if isinstance(reference, str):
        made["$ref"] = _moved(reference, renamed)
    return made


def _moved(reference: str, renamed: Mapping[str, str]) -> str:
    """A reference to where its target is now."""
    steps = reference.split("/")
    definition = "/".join(steps[:3])
    if definition in renamed:
        return "/".join([renamed[definition], *steps[3:]])
    inside = steps[0] == "#" and (len(steps) < 2 or steps[1] not in _DEFINITIONS)
    return renamed["#"] + reference[1:] if inside and "#" in renamed else reference
