"""COMP-1 and COMP-2: IBM's hexadecimal floats and IEEE's.

IBM hexadecimal (z/Architecture Principles of Operation, "Hexadecimal-floating-point"): one sign
bit, seven bits of exponent of 16 with 64 added, and a fraction of 24 or 56 bits. A long fraction
may have three bits more than a Python float: the nearest float is its value.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.copybook.kinds import (
    ByteOrder,
    Encoding,
    Float,
    FloatFormat,
    ZonedSigns,
)
from adapters.legacy_cobol.fields import machine_words
from adapters.legacy_cobol.fields.codes import Codes, FaultCode, mark
from adapters.legacy_cobol.fields.columns import Column, Floats, Mask, Rows
from adapters.legacy_cobol.fields.policy import Policy
from adapters.legacy_cobol.fields.special_values import SpecialValues


class FloatCodec:
    """A float of 4 or 8 bytes. NaN and infinities are errors: COBOL has none."""

    def __init__(self, kind: Float, encoding: Encoding, policy: Policy) -> None:
        self.length = kind.length
        self._ibm = encoding.float_format is FloatFormat.IBM
        self._order = "<" if encoding.native_order is ByteOrder.LITTLE else ">"
        blank = b"\x40" if encoding.zoned_signs is ZonedSigns.EBCDIC else b"\x20"
        self._special = SpecialValues(kind, policy, blank)

    def decode(self, rows: Rows, offset: int) -> Floats:
        """The values, with a code for each that is not finite."""
        if self._ibm:
            value = _from_ibm(machine_words.words(rows, offset, self.length), self.length)
        else:
            raw = np.ascontiguousarray(rows[:, offset : offset + self.length])
            typed = raw.view(f"{self._order}f{self.length}")[:, 0]
            value = typed.astype(typed.dtype.newbyteorder("="))
        codes = mark(None, ~np.isfinite(value), FaultCode.NOT_FINITE)

        def zero(where: Mask) -> None:
            value[where] = 0

        codes, nulls = self._special.classify(rows, offset, codes, zero)
        if codes is not None:
            value[codes != 0] = 0
        return Floats(value, codes, nulls)

    def column(self, values: Sequence[object]) -> Floats:
        """Python numbers as a column, rounded to the nearest value of the field."""
        data = np.zeros(len(values), np.float64)
        codes = np.zeros(len(values), np.uint8)
        nulls = np.array([value is None for value in values], bool)
        for at, value in enumerate(values):
            if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
                data[at], codes[at] = _float(value)
            elif value is not None:
                codes[at] = FaultCode.WRONG_TYPE
        if not self._ibm and self.length == 4:
            with np.errstate(over="ignore"):
                data = data.astype(np.float32)
            codes[~np.isfinite(data) & (codes == 0)] = FaultCode.OVERFLOW
        return Floats(data, codes if codes.any() else None, nulls if nulls.any() else None)

    def encode(self, column: Column, rows: Rows, offset: int) -> Codes | None:
        """Write the good values. Returns the codes of those that do not fit."""
        assert isinstance(column, Floats)  # noqa: S101
        codes = column.codes
        if column.nulls is not None and self._special.null_bytes() is None:
            codes = mark(codes, column.nulls, FaultCode.NULL)
        value = column.data if codes is None else np.where(codes == 0, column.data, 0)
        if self._ibm:
            word, over = _to_ibm(value.astype(np.float64), self.length)
            codes = mark(codes, over, FaultCode.OVERFLOW)
            raw = word.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - self.length :]
        else:
            typed = value.astype(f"{self._order}f{self.length}")
            raw = typed.view(np.uint8).reshape(-1, self.length)
        rows[:, offset : offset + self.length] = raw
        self._special.write_nulls(column.nulls, rows, offset)
        return codes


def _float(value: float | Decimal) -> tuple[float, FaultCode]:
    try:
        found = float(value)
    except OverflowError:
        return 0.0, FaultCode.OVERFLOW
    return (found, FaultCode.GOOD) if np.isfinite(found) else (0.0, FaultCode.NOT_FINITE)


def _from_ibm(word: machine_words.Words, length: int) -> NDArray[Any]:
    bits = 8 * length - 8
    fraction = (word & ((1 << bits) - 1)).astype(np.float64)
    exponent = (word >> bits & 0x7F).astype(np.int64)
    value = np.ldexp(fraction, 4 * (exponent - 64) - bits)
    negative = (word >> (bits + 7)) != 0
    return np.where(negative, -value, value)


def _to_ibm(value: NDArray[np.float64], length: int) -> tuple[machine_words.Words, Mask]:
    """The nearest IBM floats, and where a value is too large. Too small values become zero."""
    bits = 8 * length - 8
    mantissa, two = np.frexp(np.abs(value))
    sixteen = -(-two // 4)  # up, so that the fraction is 1/16 to 1
    fraction = np.rint(np.ldexp(mantissa, two - 4 * sixteen + bits)).astype(np.uint64)
    carried = fraction >> bits != 0
    fraction = np.where(carried, fraction >> 4, fraction)
    exponent = sixteen.astype(np.int64) + carried + 64
    fraction = np.where(exponent < 0, 0, fraction).astype(np.uint64)
    exponent = np.where(fraction == 0, 0, exponent)
    over = exponent > 127
    sign = np.signbit(value).astype(np.uint64) << np.uint64(bits + 7)
    where = np.where(over, 0, exponent).astype(np.uint64) << np.uint64(bits)
    return sign | where | fraction, over
