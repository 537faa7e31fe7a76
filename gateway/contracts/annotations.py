"""The locations in data that the validator itself annotates as personal data."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from gateway.base.errors import Invalid
from gateway.contracts.complexity import SchemaComplexity
from gateway.contracts.enumerations import with_hashed_enums
from gateway.contracts.keywords import annotations

MARK = "x-pii"
MAX_EVALUATIONS = 250_000  # about a quarter of a second
# In these a step that is named propertyNames is the name of a member.
_NAMES = re.compile(
    r"(?<!/properties)(?<!/patternProperties)(?<!/dependentSchemas)(?<!/dependencies)"
    r"/propertyNames(/|$)"
)


class InDoubt(Exception):
    """Which locations are personal data cannot be found out within the limits."""


def annotated(schema: dict[str, Any], data: Any) -> frozenset[str]:
    """The locations of values that the validator marks, as pointers. Raises InDoubt.

    Data that are not valid have few annotations. A schema that names no dialect has none.
    """
    if "$schema" not in schema or not any(each.get(MARK) for each in objects(schema)):
        return frozenset()
    values, depth = _measured(data)
    try:
        evaluations = SchemaComplexity(schema).evaluations(depth)
    except (Invalid, AttributeError, TypeError):
        evaluations = values  # admission refuses such a schema: its work is not known
    if values * evaluations > MAX_EVALUATIONS:
        raise InDoubt
    try:
        fast, keywords = with_hashed_enums(schema)
        validator = jsonschema_rs.validator_for(
            fast,
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(),
            keywords={**annotations(fast), **keywords} or None,
        )
        details = validator.evaluate(data).list()["details"]
    except (ValueError, jsonschema_rs.ReferencingError):
        raise InDoubt from None
    return frozenset(
        each["instanceLocation"]
        for each in details
        if isinstance(found := each.get("annotations"), dict)
        and found.get(MARK)
        and not _NAMES.search(each["evaluationPath"])
    )


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document, whatever holds it."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _measured(data: Any) -> tuple[int, int]:
    """The number of values (counting ends beyond the limit), and how deep they nest."""
    values, depth, level = 0, -1, [data]
    while level and values <= MAX_EVALUATIONS:
        values, depth = values + len(level), depth + 1
        level = [
            below
            for each in level
            if isinstance(each, dict | list)
            for below in (each.values() if isinstance(each, dict) else each)
        ]
    return values, max(depth, 0)
