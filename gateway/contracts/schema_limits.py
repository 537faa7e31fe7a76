"""Limits on the size and keywords of a schema, which keep it harmless. Errors carry a pointer."""

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.base.errors import Invalid
from gateway.base.json_pointer import json_pointer
from gateway.contracts.keywords import LISTED, Step, subschemas

SCHEMA_LIMIT = 1 << 20  # bytes of one schema
SCHEMA_DEPTH = 32
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFINITIONS = {
    DIALECT: "$defs",
    "https://json-schema.org/draft/2019-09/schema": "$defs",
    "http://json-schema.org/draft-07/schema": "definitions",
    "http://json-schema.org/draft-06/schema": "definitions",
}
"""The dialects by their id, with the keyword for definitions in each."""

SCHEMAS = 4000  # schemas inside one schema
BRANCHES = 250  # of one allOf, anyOf or oneOf
VALUES = 5000  # of one enum
PATTERN = 1000  # characters of one regular expression
PATTERNS = 500  # regular expressions in one schema

_REFUSED: Mapping[str, str] = {
    "$vocabulary": "It belongs in meta-schemas. Omit it.",
}


def require_within_limits(document: Mapping[str, Any]) -> None:
    """Raises Invalid with the pointer of the first violation of a limit."""
    patterns = 0
    for steps, schema in bounded(document):
        if isinstance(schema, dict):
            _require_keywords(schema, steps)
            patterns += _patterns(schema, steps)
            if patterns > PATTERNS:
                raise Invalid(
                    f"The schema has more than {PATTERNS} regular expressions. Use fewer.",
                    pointer=json_pointer(steps),
                )


def bounded(document: Any) -> Iterator[tuple[Step, Any]]:
    """The subschemas as `subschemas` gives them. Raises Invalid if there are too many."""
    for number, found in enumerate(subschemas(document), 1):
        if number > SCHEMAS:
            raise Invalid(
                f"The schema has more than {SCHEMAS} subschemas. Register parts of it as separate "
                "contracts.",
                pointer=json_pointer(found[0]),
            )
        yield found


def _require_keywords(schema: Mapping[str, Any], steps: Step) -> None:
    for keyword, value in schema.items():
        reason = _REFUSED.get(keyword)
        if reason is not None:
            raise Invalid(f"{keyword} is not supported here. {reason}", pointer=_at(steps, keyword))
        if not isinstance(value, list):
            continue
        if keyword in LISTED and len(value) > BRANCHES and keyword != "prefixItems":
            raise Invalid(
                f"{keyword} has {len(value)} branches; {BRANCHES} are allowed. Use enum for plain "
                "values, or a separate event type for each kind of event.",
                pointer=_at(steps, keyword),
            )
        if keyword == "enum" and len(value) > VALUES:
            raise Invalid(
                f"enum has {len(value)} values; {VALUES} are allowed. Describe a long code list by "
                "a pattern, and publish the list as data.",
                pointer=_at(steps, keyword),
            )


def _patterns(schema: Mapping[str, Any], steps: Step) -> int:
    """The number of regular expressions in this schema itself. Raises Invalid for a long one."""
    found = [(("pattern",), schema["pattern"])] if "pattern" in schema else []
    named = schema.get("patternProperties")
    if isinstance(named, dict):
        found += [(("patternProperties", name), name) for name in named]  # type: ignore[misc]  # steps of two lengths
    for more, expression in found:
        if isinstance(expression, str):
            _require_pattern(expression, json_pointer((*steps, *more))[:200])
    return len(found)


def _require_pattern(expression: str, location: str) -> None:
    if len(expression) > PATTERN:
        raise Invalid(
            f"The regular expression has {len(expression)} characters; {PATTERN} are allowed.",
            pointer=location,
        )
    try:
        with warnings.catch_warnings(action="ignore"):  # about sets that Python may read otherwise
            re.compile(expression)
    except (re.error, RecursionError, OverflowError) as error:
        raise Invalid(
            f"The regular expression does not compile: {error}. Use ECMA-262 without property "
            "classes such as \\p{L}.",
            pointer=location,
        ) from None


def _at(steps: Step, keyword: str) -> str:
    return json_pointer((*steps, keyword))
