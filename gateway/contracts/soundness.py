"""What a schema may hold, whatever it says: limits that keep it harmless, each with its place."""

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.base.errors import Invalid
from gateway.contracts.keywords import LISTED, Step, children, pointer

SCHEMA_LIMIT = 256 << 10  # bytes of one schema
SCHEMA_DEPTH = 32
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFINITIONS = {
    DIALECT: "$defs",
    "https://json-schema.org/draft/2019-09/schema": "$defs",
    "http://json-schema.org/draft-07/schema": "definitions",
    "http://json-schema.org/draft-06/schema": "definitions",
}
"""The dialects by their id, and where each keeps schemas to refer to."""

SCHEMAS = 4000  # schemas inside one schema
BRANCHES = 250  # of one allOf, anyOf or oneOf
VALUES = 5000  # of one enum
PATTERN = 1000  # characters of one regular expression
PATTERNS = 500  # regular expressions in one schema

_ALONE = "a registered schema stands alone"
_REFUSED: Mapping[str, str] = {
    "$dynamicRef": f"{_ALONE}, so a reference always means the same place: write $ref",
    "$dynamicAnchor": f"{_ALONE}: write $anchor, or refer to it by $ref and a pointer",
    "$recursiveRef": f'{_ALONE}: write "$ref": "#"',
    "$recursiveAnchor": f'{_ALONE}: leave it out and write "$ref": "#"',
    "$vocabulary": "it belongs into meta-schemas: leave it out",
}
_NESTED = {
    "$id": "only the whole schema has an id, so that every reference is easy to follow: put the "
    "part under $defs and refer to it by a pointer",
    "$schema": "one schema has one dialect: leave it out here",
}


def require_sound(document: Mapping[str, Any]) -> None:
    """Raises Invalid with the pointer of the first thing that no schema may hold."""
    patterns = 0
    for number, (steps, schema) in enumerate(within(document), 1):
        if number > SCHEMAS:
            raise Invalid(
                f"there are more than {SCHEMAS} schemas inside this one: register parts of it as "
                "contracts of their own",
                pointer=pointer(steps),
            )
        if isinstance(schema, dict):
            _require_keywords(schema, steps)
            patterns += _patterns(schema, steps)
            if patterns > PATTERNS:
                raise Invalid(
                    f"there are more than {PATTERNS} regular expressions: use fewer",
                    pointer=pointer(steps),
                )


def within(schema: Any, steps: Step = ()) -> Iterator[tuple[Step, Any]]:
    """A schema and every schema inside it, with the steps that lead there."""
    yield steps, schema
    if isinstance(schema, dict):
        for step, below in children(schema):
            yield from within(below, (*steps, *step))


def _require_keywords(schema: Mapping[str, Any], steps: Step) -> None:
    for keyword, value in schema.items():
        reason = _REFUSED.get(keyword) or (_NESTED.get(keyword) if steps else None)
        if reason is not None:
            raise Invalid(f"{keyword} is not read here: {reason}", pointer=_at(steps, keyword))
        if not isinstance(value, list):
            continue
        if keyword in LISTED and len(value) > BRANCHES and keyword != "prefixItems":
            raise Invalid(
                f"{keyword} has {len(value)} branches, {BRANCHES} are allowed: use enum for plain "
                "values, or a type of its own for each kind of event",
                pointer=_at(steps, keyword),
            )
        if keyword == "enum" and len(value) > VALUES:
            raise Invalid(
                f"enum has {len(value)} values, {VALUES} are allowed: describe a long code list by "
                "a pattern, and publish the list itself as data",
                pointer=_at(steps, keyword),
            )


def _patterns(schema: Mapping[str, Any], steps: Step) -> int:
    """How many regular expressions stand in this schema itself. Raises Invalid for a long one."""
    found = [(("pattern",), schema["pattern"])] if "pattern" in schema else []
    named = schema.get("patternProperties")
    if isinstance(named, dict):
        found += [(("patternProperties", name), name) for name in named]  # type: ignore[misc]  # steps of two lengths
    for more, expression in found:
        if isinstance(expression, str):
            _require_pattern(expression, pointer((*steps, *more))[:200])
    return len(found)


def _require_pattern(expression: str, place: str) -> None:
    if len(expression) > PATTERN:
        raise Invalid(
            f"a regular expression has {len(expression)} characters, {PATTERN} are allowed",
            pointer=place,
        )
    try:
        with warnings.catch_warnings(action="ignore"):  # of sets that Python may read otherwise
            re.compile(expression)
    except (re.error, RecursionError, OverflowError) as error:
        raise Invalid(
            f"the regular expression does not compile: {error}: keep to ECMA-262 without classes "
            "of properties such as \\p{L}",
            pointer=place,
        ) from None


def _at(steps: Step, keyword: str) -> str:
    return pointer((*steps, keyword))
