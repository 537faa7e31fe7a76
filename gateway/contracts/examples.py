"""Checks the examples of a schema: both validators must agree with what each example claims."""

from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema_rs
from referencing.exceptions import Unresolvable

from gateway.base.errors import Invalid
from gateway.contracts.compatibility import UnreadableSchema, closed_form
from gateway.contracts.compilation import CompiledSchema, reason
from gateway.contracts.validation import Validator
from gateway.contracts.values import InvalidExample


def require_agreement(
    compiled: CompiledSchema, valid: Mapping[str, Any], invalid: Sequence[InvalidExample]
) -> None:
    """Raises Invalid for an example that does not do what it claims, or if one kind is missing."""
    type = compiled.validator.type
    if not valid or not invalid:
        raise Invalid(
            f"{type}: at least one valid and one invalid example are required.", pointer="/examples"
        )
    try:
        for name, data in valid.items():
            if not _accepted(compiled, name, data):
                violations = _summary(compiled.validator, data)
                raise Invalid(f"{type}: the valid example {name} is invalid: {violations}.")
        for example in invalid:
            if _accepted(compiled, example.name, example.data):
                raise Invalid(f"{type}: the invalid example {example.name} is valid.")
            _require_reason(compiled.validator, example)
    except Unresolvable as error:
        raise Invalid(f"{type}: a $ref has no target in the schema: {error}") from None


def require_closed(compiled: CompiledSchema, valid: Mapping[str, Any]) -> None:
    """Raises Invalid unless the valid examples are valid under the closed form of the schema."""
    type = compiled.validator.type
    try:
        validator = Validator(type, compiled.validator.version, closed_form(compiled.document))
    except (UnreadableSchema, jsonschema_rs.ValidationError) as error:
        raise Invalid(
            f"{type}: the schema has no closed form, which the policy optional-friendly needs: "
            f"{reason(error)}"
        ) from None
    for name, data in valid.items():
        if not validator.accepts(data):
            raise Invalid(
                f"{type}: the valid example {name} has members that the schema does not name. The "
                f"policy optional-friendly refuses them: {_summary(validator, data)}."
            )


def _accepted(compiled: CompiledSchema, name: str, data: Any) -> bool:
    """Whether the schema accepts an example. Raises Invalid if the validators differ."""
    accepted = compiled.validator.accepts(data)
    try:
        agreed = accepted is compiled.reference.is_valid(data)
    except (ArithmeticError, RecursionError, TypeError):
        agreed = False
    if not agreed:
        raise Invalid(
            f"{compiled.validator.type}: the two validators differ on the example {name}: only "
            f"{'jsonschema-rs' if accepted else 'jsonschema'} accepts it. Write the schema so that "
            "both agree. Usual causes are regular expressions beyond ECMA-262, formats, and "
            "numbers beyond a double."
        )
    return accepted


def _require_reason(validator: Validator, example: InvalidExample) -> None:
    if not example.keyword:
        return
    violations, _ = validator.explain(example.data)
    if not any((v.pointer, v.keyword) == (example.pointer, example.keyword) for v in violations):
        raise Invalid(
            f"{validator.type}: the invalid example {example.name} claims {example.keyword} at "
            f"{example.pointer or '(root)'}, but violates {_summary(validator, example.data)}."
        )


def _summary(validator: Validator, data: Any) -> str:
    violations, _ = validator.explain(data)
    return ", ".join(f"{v.keyword} at {v.pointer or '(root)'}" for v in violations)
