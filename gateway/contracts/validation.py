"""Validates data against a schema, with `jsonschema-rs`, in about a microsecond.

It is safe by construction: nothing is fetched for a `$ref`, patterns run in linear time, formats
are asserted, and no value of the data appears in a violation.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jsonschema_rs
import msgspec

from gateway.base import strict_json
from gateway.base.errors import ContractViolation, Violation
from gateway.base.json_pointer import json_pointer
from gateway.base.masking import mask
from gateway.contracts.complexity import SchemaComplexity
from gateway.contracts.enumerations import with_hashed_enums
from gateway.contracts.keywords import annotations
from gateway.contracts.personal_data import NameMask

LISTED = 20  # violations that are listed
_SCHEMA_DEPTH = strict_json.DEPTH  # a closed form and embedded schemas are deeper than as written
COUNTED = 1000  # violations after which counting ends
MAX_CHECKS = 10_000  # of one explanation; a violation costs 15 to 50 us, measured
_MASK = "the value"
_MESSAGE_LIMIT = 300  # characters
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Validator:
    """One compiled schema version of a contract."""

    __slots__ = ("_explaining", "_text", "_validator", "type", "version")

    def __init__(self, type: str, version: int, schema: Any, text: bytes | None = None) -> None:
        """Compile a parsed schema; `text` is its JSON, if the caller has it.

        Raises jsonschema_rs.ValidationError, or ReferencingError for a bad `$ref`.
        """
        self.type = type
        self.version = version
        self._text = text or _encode(schema)
        self._explaining: _Explaining | None = None
        self._validator = compiled(*with_hashed_enums(schema))

    def accepts(self, data: Any) -> bool:
        """Whether the parsed data are valid."""
        return self._validator.is_valid(data)

    def require(self, data: Any) -> None:
        """Raises ContractViolation with the violations, without any value of the data."""
        if not self._validator.is_valid(data):
            raise ContractViolation(self.type, self.version, *self.explain(data))

    def explain(self, data: Any) -> tuple[list[Violation], int]:
        """The first violations, and how many there are (counted up to 1,000).

        The time to find all of them grows with the document, with recursive schemas even
        exponentially. Beyond a limit only the first one is found, or only that there is one.
        """
        values, depth = _measured(data)
        if self._explaining is None:
            self._explaining = _Explaining(strict_json.parse(self._text, depth=_SCHEMA_DEPTH))
        explaining = self._explaining
        evaluations = explaining.complexity.evaluations(depth)
        if values * evaluations > MAX_CHECKS:
            return [explaining.first(data, evaluations)], 1
        listed: list[Violation] = []
        total = 0
        for error in explaining.validator.iter_errors(data):
            if total < LISTED:
                listed.append(_violation(error, explaining.names))
            total += 1
            if total == COUNTED:
                break
        return listed, total


class _Explaining:
    """The schema as its author wrote it: the violations name its own keywords."""

    def __init__(self, schema: Any) -> None:
        self.validator = compiled(schema)
        self.complexity = SchemaComplexity(schema)
        self.names = NameMask(schema)

    def first(self, data: Any, evaluations: int) -> Violation:
        """The first violation, if it is found within the limit."""
        if evaluations <= MAX_CHECKS // 10:
            try:
                self.validator.validate(data)
            except jsonschema_rs.ValidationError as error:
                return _violation(error, self.names)
        return Violation(
            "", "$schema", "the data are invalid, and too large and deep to locate the violation"
        )


def compiled(
    schema: Any,
    keywords: Mapping[str, Any] = MappingProxyType({}),
    *,
    registry: jsonschema_rs.Registry | None = None,
) -> jsonschema_rs.Validator:
    """The library's validator of a schema, as all data are validated."""
    return jsonschema_rs.validator_for(
        schema,
        validate_formats=True,
        offline=True,
        mask=_MASK,
        pattern_options=jsonschema_rs.RegexOptions(),
        keywords={**annotations(schema), **keywords} or None,
        registry=registry,
    )


def _measured(data: Any) -> tuple[int, int]:
    """The number of values (counting ends beyond the limit), and how deep they nest."""
    values, depth, level = 0, -1, [data]
    while level and values <= MAX_CHECKS:
        values += len(level)
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
        level, depth = below, depth + 1
    return values, max(depth, 0)


def pointer(path: list[str | int]) -> str:
    """A path as a JSON pointer (RFC 6901), long numbers in it masked."""
    return mask(json_pointer(path))


def _violation(error: jsonschema_rs.ValidationError, names: NameMask) -> Violation:
    keyword = error.kind.name
    unexpected = getattr(error.kind, "unexpected", None)
    message = mask(names.message(error.message, keyword, unexpected))
    if len(message) > _MESSAGE_LIMIT:
        message = message[: _MESSAGE_LIMIT - 1] + "…"
    return Violation(pointer(names.path(error.instance_path)), keyword, message)
