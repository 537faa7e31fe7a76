"""The JSON Schema of an elementary field, by its kind and policy."""

from typing import Any

from adapters.legacy_cobol.copybook.kinds import (
    Binary,
    Edited,
    Float,
    Kind,
    National,
    Packed,
    Text,
    Zoned,
)
from adapters.legacy_cobol.fields.policy import Form, Meaning, Policy

Schema = dict[str, Any]
Number = Zoned | Packed | Binary | Edited


def value_schema(kind: Kind, policy: Policy) -> Schema:
    """The schema of the value of a field."""
    match kind:
        case Text(length=length) | National(characters=length):
            schema = _text(length, policy, kind)
        case Float():
            schema = {"type": "number"}
        case _:
            schema = _number(kind, policy)
    if nullable(kind, policy):
        schema["type"] = [schema["type"], "null"]
    return schema


def nullable(kind: Kind, policy: Policy) -> bool:
    """Whether blanks, low-values or high-values mean null."""
    return Meaning.NULL in policy.meaning(kind)


def form_of(kind: Number, policy: Policy) -> Form:
    """The form of a number; never AUTO."""
    return policy.form_of(digits_of(kind), kind.scale)


def digits_of(kind: Number) -> int:
    """The largest number of digits."""
    return kind.most_digits if isinstance(kind, Binary) else kind.digits


def bounds(kind: Number) -> tuple[int, int]:
    """The smallest and the largest scaled integer."""
    if isinstance(kind, Binary):
        return kind.bounds
    high = 10**kind.digits - 1
    return (-high if kind.signed else 0), high


def _text(length: int, policy: Policy, kind: Kind) -> Schema:
    schema: Schema = {"type": "string", "maxLength": length}
    if policy.meaning(kind)[0] is not Meaning.KEEP:
        schema["minLength"] = 1
    return schema


def _number(kind: Number, policy: Policy) -> Schema:
    low, high = bounds(kind)
    scale = kind.scale
    match form_of(kind, policy):
        case Form.CODE:
            sign = "-?" if kind.signed else ""
            return {"type": "string", "pattern": f"^{sign}[0-9]{{{digits_of(kind)}}}$"}
        case Form.SCALED:
            return {"type": "integer", "minimum": low, "maximum": high}
        case Form.NUMBER if scale <= 0:
            unit = 10**-scale
            schema: Schema = {"type": "integer", "minimum": low * unit, "maximum": high * unit}
            return schema | ({"multipleOf": unit} if unit > 1 else {})
        case Form.NUMBER:
            return {"type": "number"}
    return {"type": "string", "pattern": decimal_pattern(digits_of(kind), scale, kind.signed)}


def decimal_pattern(digits: int, scale: int, signed: bool) -> str:
    """The pattern of "12.50": no leading zeros, all trailing zeros, a minus if signed."""
    sign = "-?" if signed else ""
    if scale <= 0:
        zeros = f"0{{{-scale}}}" if scale else ""
        rest = f"[0-9]{{0,{digits - 1}}}" if digits > 1 else ""
        return f"^(0|{sign}[1-9]{rest}{zeros})$"
    whole = digits - scale
    if whole > 1:
        return f"^{sign}(0|[1-9][0-9]{{0,{whole - 1}}})\\.[0-9]{{{scale}}}$"
    if whole == 1:
        return f"^{sign}[0-9]\\.[0-9]{{{scale}}}$"
    zeros = f"0{{{-whole}}}" if whole else ""
    return f"^{sign}0\\.{zeros}[0-9]{{{digits}}}$"
