"""Judges data by a schema: `jsonschema-rs` decides, in about a microsecond.

What is settled here is security: nothing is ever fetched for a `$ref`, patterns run in linear time,
formats count, and no value of the data appears in what is said about them.
"""

from typing import Any

import jsonschema_rs

from gateway.errors import ContractViolation, Violation
from gateway.masking import mask

LISTED = 20  # violations that an answer lists
COUNTED = 1000  # violations after which counting ends
_MASK = "the value"
_MESSAGE_LIMIT = 300  # characters


class Judge:
    """One compiled schema version of a contract."""

    __slots__ = ("_validator", "type", "version")

    def __init__(self, type: str, version: int, schema: Any) -> None:
        """Compile. Raises jsonschema_rs.ValidationError, or ReferencingError for a bad `$ref`."""
        self.type = type
        self.version = version
        self._validator = jsonschema_rs.validator_for(
            schema,
            validate_formats=True,
            ignore_unknown_formats=False,
            offline=True,
            mask=_MASK,
            pattern_options=jsonschema_rs.RegexOptions(),
        )

    def accepts(self, data: Any) -> bool:
        """Whether the parsed data keep the contract."""
        return self._validator.is_valid(data)

    def require(self, data: Any) -> None:
        """Raises ContractViolation with what is wrong, value by value unnamed."""
        if not self._validator.is_valid(data):
            raise ContractViolation(self.type, self.version, *self.explain(data))

    def explain(self, data: Any) -> tuple[list[Violation], int]:
        """The first violations, and how many there are (counted up to 1,000)."""
        listed: list[Violation] = []
        total = 0
        for error in self._validator.iter_errors(data):
            if total < LISTED:
                listed.append(_violation(error))
            total += 1
            if total == COUNTED:
                break
        return listed, total


def pointer(path: list[str | int]) -> str:
    """A path as a JSON pointer (RFC 6901), long numbers in it masked."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return mask("".join(f"/{step}" for step in steps))


def _violation(error: jsonschema_rs.ValidationError) -> Violation:
    message = mask(error.message)  # an unexpected property is named in it
    if len(message) > _MESSAGE_LIMIT:
        message = message[: _MESSAGE_LIMIT - 1] + "…"
    return Violation(pointer(error.instance_path), error.kind.name, message)
