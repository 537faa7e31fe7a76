"""Exact decimals as columns of scaled integers: from Python values, and to digits."""

import re
from collections.abc import Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.codes import Codes, FaultCode, mark
from adapters.legacy_cobol.fields.columns import IN_INT64, Numbers, objects
from adapters.legacy_cobol.fields.policy import Form

_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_EXACT = Context(prec=200, traps=[Inexact, InvalidOperation])
_LARGEST_POWER = 60  # more than any picture has
_LARGEST = 2**63 - 1


def total(parts: Sequence[NDArray[np.int64]], width: int, digits: int) -> NDArray[Any]:
    """Join parts of `width` digits, the last one lowest, to numbers of up to `digits` digits."""
    value: NDArray[Any] = parts[0] if digits <= IN_INT64 else parts[0].astype(object)
    for part in parts[1:]:
        value = value * 10**width + part
    return value


def digits_of(value: NDArray[Any], count: int) -> NDArray[np.uint8]:
    """The last `count` decimal digits of each magnitude, the highest first."""
    found = np.empty((len(value), count), np.uint8)
    rest = abs(value)
    for at in range(count - 1, -1, -1):
        rest, found[:, at] = rest // 10, rest % 10
    return found


def numbers_of(values: Sequence[object], digits: int, scale: int, form: Form) -> Numbers:
    """Scaled integers of int, Decimal or decimal text. Floats are refused: they are inexact."""
    shift = 0 if form in (Form.SCALED, Form.CODE) else scale
    codes = np.zeros(len(values), np.uint8)
    nulls = np.zeros(len(values), bool)
    scaled: list[int] = []
    for at, value in enumerate(values):
        number = _quickly(value, shift)
        if number is None:
            nulls[at] = value is None
            number, codes[at] = (0, FaultCode.GOOD) if value is None else _scaled(value, shift)
        scaled.append(number)
    fits = digits <= IN_INT64 and min(scaled, default=0) > -_LARGEST
    fits = fits and max(scaled, default=0) < _LARGEST
    return Numbers(
        np.array(scaled, np.int64) if fits else objects(scaled), scale, digits, form,
        codes if codes.any() else None, nulls if nulls.any() else None,
    )  # fmt: skip


def _quickly(value: object, scale: int) -> int | None:
    """The scaled integer of a common value; None for a value that needs more checks."""
    if type(value) is int and scale == 0:
        return value
    if type(value) is not str or scale < 0 or len(value) > _LARGEST_POWER:
        return None
    whole, point, part = value.partition(".")
    digits = whole[1:] if whole[:1] in "+-" else whole
    usual = value.isascii() and digits.isdigit() and (part.isdigit() or not point)
    return int(whole + part.ljust(scale, "0")) if usual and len(part) <= scale else None


def _scaled(value: object, scale: int) -> tuple[int, FaultCode]:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return 0, FaultCode.WRONG_TYPE
    number = Decimal(value)
    if not number.is_finite():
        return 0, FaultCode.WRONG_TYPE
    if number.adjusted() > _LARGEST_POWER:
        return 0, FaultCode.OVERFLOW
    try:
        shifted = number.scaleb(scale, _EXACT)
    except (Inexact, InvalidOperation):
        return 0, FaultCode.FRACTION_LOST
    whole = int(shifted)
    return whole, FaultCode.GOOD if whole == shifted else FaultCode.FRACTION_LOST


def refuse_unfitting(
    column: Numbers, digits: int, signed: bool, null: bytes | None
) -> tuple[NDArray[Any], Codes | None]:
    """The values to write (0 for refused values and nulls), and all codes."""
    value = column.data
    limit = 10**digits
    codes = column.codes
    if digits <= IN_INT64 or value.dtype == object:
        codes = mark(codes, (value >= limit) | (value <= -limit), FaultCode.OVERFLOW)
    if not signed:
        codes = mark(codes, value < 0, FaultCode.NEGATIVE_UNSIGNED)
    if column.nulls is not None:
        codes = mark(codes, column.nulls & (null is None), FaultCode.NULL)
    if codes is None:
        return value, None
    return np.where(codes == 0, value, 0), codes
