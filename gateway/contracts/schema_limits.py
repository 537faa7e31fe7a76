"""Limits on the size and keywords of a schema, which keep it harmless. Errors carry a pointer."""

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.base.errors import Invalid
from gateway.base.faults import Fault
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

_ESCAPED = r"(?<!\\)(?:\\\\)*"  # before what is not escaped
_BEYOND = [
    (re.compile(_ESCAPED + part), advice)
    for part, advice in (
        (
            r"\(\?[=!]",
            "It looks ahead, which takes unbounded time. Use two patterns in allOf, or not.",
        ),
        (
            r"\(\?<[=!]",
            "It looks behind, which takes unbounded time. Write what comes before, too.",
        ),
        (r"\(\?P?<[A-Za-z_]", "It names a group. Use (?:...), because nothing reads the name."),
        (
            r"\\[pP]\{",
            "It has a Unicode property such as \\p{L}. Write the range that you mean, such "
            "as [A-Za-zÀ-ɏ].",
        ),
        (
            r"\\[1-9]",
            "It refers back to a group, which takes unbounded time. Write out the choices.",
        ),
    )
]
"""What authors write that a validator of bounded time does not know, with what to write instead."""
_REFUSED: Mapping[str, str] = {
    "$vocabulary": "It belongs in meta-schemas. Omit it.",
}


def size_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """What is too much or not supported, with pointers. Ends at too many subschemas or patterns."""
    patterns = 0
    try:
        for steps, schema in bounded(document):
            if isinstance(schema, dict):
                yield from _keyword_faults(schema, steps)
                patterns += len(_patterns(schema))
                if patterns > PATTERNS:
                    yield Fault(
                        json_pointer(steps),
                        f"The schema has more than {PATTERNS} regular expressions. Use fewer.",
                    )
                    return
    except Invalid as error:
        yield Fault(error.pointer or "", str(error))


def pattern_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """The regular expressions that do not compile or are too long, of a schema of bounded size."""
    for steps, schema in subschemas(document):
        if isinstance(schema, dict):
            for more, expression in _patterns(schema):
                yield from _pattern_faults(expression, json_pointer((*steps, *more))[:200])


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


def _keyword_faults(schema: Mapping[str, Any], steps: Step) -> Iterator[Fault]:
    for keyword, value in schema.items():
        reason = _REFUSED.get(keyword)
        if reason is not None:
            yield Fault(_at(steps, keyword), f"{keyword} is not supported here. {reason}")
        if not isinstance(value, list):
            continue
        if keyword in LISTED and len(value) > BRANCHES and keyword != "prefixItems":
            yield Fault(
                _at(steps, keyword),
                f"{keyword} has {len(value)} branches; {BRANCHES} are allowed. Use enum for plain "
                "values, or a separate event type for each kind of event.",
            )
        if keyword == "enum" and len(value) > VALUES:
            yield Fault(
                _at(steps, keyword),
                f"enum has {len(value)} values; {VALUES} are allowed. Describe a long code list by "
                "a pattern, and publish the list as data.",
            )


def _patterns(schema: Mapping[str, Any]) -> list[tuple[Step, str]]:
    """The regular expressions in this schema itself, each with the steps that lead to it."""
    found: list[tuple[Step, str]] = []
    if isinstance(schema.get("pattern"), str):
        found.append((("pattern",), schema["pattern"]))
    named = schema.get("patternProperties")
    if isinstance(named, dict):
        found += [(("patternProperties", name), name) for name in named]
    return found


def _pattern_faults(expression: str, location: str) -> Iterator[Fault]:
    if len(expression) > PATTERN:
        yield Fault(
            location,
            f"The regular expression has {len(expression)} characters; {PATTERN} are allowed.",
        )
        return
    beyond = [advice for part, advice in _BEYOND if part.search(expression)]
    if beyond:
        yield Fault(location, f"The regular expression does not compile: {' '.join(beyond)}")
        return
    try:
        with warnings.catch_warnings(action="ignore"):  # about sets that Python may read otherwise
            re.compile(expression)
    except (re.error, RecursionError, OverflowError) as error:
        reason = f"The regular expression does not compile: {error}. Correct it as ECMA-262 has it."
        yield Fault(location, reason)


def _at(steps: Step, keyword: str) -> str:
    return json_pointer((*steps, keyword))
