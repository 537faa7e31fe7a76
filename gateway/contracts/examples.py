"""Examples prove a schema: both validators must say of each what it claims to be."""

from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema_rs
from referencing.exceptions import Unresolvable

from gateway.base.errors import Invalid
from gateway.contracts.compatibility import closed as closed_form
from gateway.contracts.compatibility.dialects import Unreadable
from gateway.contracts.compiling import Compiled, reason
from gateway.contracts.validation import Validator
from gateway.contracts.values import InvalidExample


def require_agreement(
    compiled: Compiled, valid: Mapping[str, Any], invalid: Sequence[InvalidExample]
) -> None:
    """Raises Invalid for an example that is not what it claims to be, or if one kind is missing."""
    type = compiled.judge.type
    if not valid or not invalid:
        raise Invalid(
            f"{type}: give at least one valid and one invalid example", pointer="/examples"
        )
    try:
        for name, data in valid.items():
            if not _decided(compiled, name, data):
                told = _told(compiled.judge, data)
                raise Invalid(f"{type}: the valid example {name} breaks the schema: {told}")
        for example in invalid:
            if _decided(compiled, example.name, example.data):
                raise Invalid(f"{type}: the invalid example {example.name} keeps the schema")
            _require_reason(compiled.judge, example)
    except Unresolvable as error:
        raise Invalid(f"{type}: a $ref leads nowhere in the schema: {error}") from None


def require_closed(compiled: Compiled, valid: Mapping[str, Any]) -> None:
    """Raises Invalid unless what the policy optional-friendly asks of publishers is kept."""
    type = compiled.judge.type
    try:
        judge = Validator(type, compiled.judge.version, closed_form(compiled.whole))
    except (Unreadable, jsonschema_rs.ValidationError) as error:
        raise Invalid(
            f"{type}: the schema has no closed form, which the policy optional-friendly needs: "
            f"{reason(error)}"
        ) from None
    for name, data in valid.items():
        if not judge.accepts(data):
            raise Invalid(
                f"{type}: the valid example {name} holds members that the schema does not name, "
                f"and the policy optional-friendly refuses those: {_told(judge, data)}"
            )


def _decided(compiled: Compiled, name: str, data: Any) -> bool:
    verdict = compiled.judge.accepts(data)
    try:
        agreed = verdict is compiled.reference.is_valid(data)
    except (ArithmeticError, RecursionError, TypeError):
        agreed = False
    if not agreed:
        raise Invalid(
            f"{compiled.judge.type}: the two validators differ on the example {name}, which "
            f"{'jsonschema-rs' if verdict else 'jsonschema'} alone accepts: say it in a way that "
            "both read alike (regular expressions beyond ECMA-262, formats and numbers beyond a "
            "double are the usual places)"
        )
    return verdict


def _require_reason(judge: Validator, example: InvalidExample) -> None:
    if not example.keyword:
        return
    violations, _ = judge.explain(example.data)
    if not any((v.pointer, v.keyword) == (example.pointer, example.keyword) for v in violations):
        raise Invalid(
            f"{judge.type}: the invalid example {example.name} claims {example.keyword} at "
            f"{example.pointer or '(root)'}, but breaks {_told(judge, example.data)}"
        )


def _told(judge: Validator, data: Any) -> str:
    violations, _ = judge.explain(data)
    return ", ".join(f"{v.keyword} at {v.pointer or '(root)'}" for v in violations)
