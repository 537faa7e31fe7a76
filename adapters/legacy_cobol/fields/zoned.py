"""Zoned decimals: DISPLAY numbers with any of the four sign conventions.

A number in another form than this module writes (plus as zone F in a signed EBCDIC field, minus
zero, zeros with BLANK WHEN ZERO) is a good value; `records.encoder` keeps original bytes if they
must stay the same.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.copybook.kinds import Encoding, Zoned
from adapters.legacy_cobol.fields import machine_words
from adapters.legacy_cobol.fields.codes import Codes, FaultCode, mark
from adapters.legacy_cobol.fields.columns import Column, Mask, Numbers, Rows
from adapters.legacy_cobol.fields.decimals import (
    digits_of,
    numbers_of,
    refuse_unfitting,
    total,
)
from adapters.legacy_cobol.fields.policy import Policy
from adapters.legacy_cobol.fields.signs import BAD, NEGATIVE, UNUSUAL, sign_table
from adapters.legacy_cobol.fields.special_values import SpecialValues


class ZonedCodec:
    """A DISPLAY number."""

    def __init__(self, kind: Zoned, encoding: Encoding, policy: Policy) -> None:
        self.length = kind.length
        self._kind = kind
        self._policy = policy
        self._form = policy.form_of(kind.digits, kind.scale)
        self._table = sign_table(encoding.zoned_signs)
        self._special = SpecialValues(kind, policy, bytes((self._table.space,)))
        self._shared = kind.signed and not kind.separate  # the sign shares a byte with a digit
        self._sign_at = 0 if kind.leading else kind.length - 1
        self._digits_at = 1 if kind.separate and kind.leading else 0

    def decode(self, rows: Rows, offset: int) -> Numbers:
        """The values, with a code for an invalid digit or sign."""
        value, bad = self._magnitude(rows, offset)
        codes = mark(None, bad, FaultCode.INVALID_DIGIT)
        if self._kind.signed:
            value, codes = self._signed(rows, offset, value, codes)

        def zero(where: Mask) -> None:
            value[where] = 0

        codes, nulls = self._special.classify(rows, offset, codes, zero)
        if self._kind.blank_when_zero and codes is not None:
            blank = codes == FaultCode.BLANK
            codes[blank] = FaultCode.GOOD
            zero(blank)
        return Numbers(value, self._kind.scale, self._kind.digits, self._form, codes, nulls)

    def _magnitude(self, rows: Rows, offset: int) -> tuple[NDArray[Any], Mask]:
        """The values without a sign, and which have an invalid digit."""
        start, length = offset + self._digits_at, self._kind.digits
        parts: list[NDArray[np.int64]] = []
        bad = np.zeros(len(rows), np.uint64)
        for at, size in machine_words.split(start, length):
            word = machine_words.words(rows, at, size) ^ machine_words.repeated(
                self._table.zone, size
            )
            if self._shared and at <= offset + self._sign_at < at + size:
                shift = 8 * (at + size - 1 - offset - self._sign_at)
                digit = self._table.read[rows[:, offset + self._sign_at]]
                word &= ~np.uint64(0xFF << shift)
                word |= (digit & np.uint8(0x0F)).astype(np.uint64) << shift
            bad |= machine_words.bytes_beyond_nine(word)
            parts.append(machine_words.of_bytes(word))
        return total(parts, 8, length), bad != 0

    def _signed(
        self, rows: Rows, offset: int, value: NDArray[Any], codes: Codes | None
    ) -> tuple[NDArray[Any], Codes | None]:
        byte = rows[:, offset + self._sign_at]
        if self._kind.separate:
            negative = byte == self._table.minus
            codes = mark(codes, ~negative & (byte != self._table.plus), FaultCode.INVALID_SIGN)
        else:
            sign = self._table.read[byte]
            negative = (sign & NEGATIVE) != 0
            codes = mark(codes, (sign & BAD) != 0, FaultCode.INVALID_SIGN)
            if self._policy.preferred_signs:
                codes = mark(codes, (sign & UNUSUAL) != 0, FaultCode.NON_PREFERRED_SIGN)
        return np.where(negative, -value, value), codes

    def column(self, values: Sequence[object]) -> Numbers:
        """Python values as a column, with a code for each invalid number."""
        return numbers_of(values, self._kind.digits, self._kind.scale, self._form)

    def encode(self, column: Column, rows: Rows, offset: int) -> Codes | None:
        """Write the good values with preferred signs. Returns the codes of the others."""
        assert isinstance(column, Numbers)  # noqa: S101
        kind, table = self._kind, self._table
        value, codes = refuse_unfitting(
            column, kind.digits, kind.signed, self._special.null_bytes()
        )
        digits = digits_of(value, kind.digits)
        start = offset + self._digits_at
        rows[:, start : start + kind.digits] = digits + np.uint8(table.zone)
        negative = (value < 0).astype(np.intp)
        if kind.separate:
            rows[:, offset + self._sign_at] = np.where(negative, table.minus, table.plus)
        elif kind.signed:
            last = digits[:, self._sign_at]
            rows[:, offset + self._sign_at] = table.write[negative, last]
        if kind.blank_when_zero:
            rows[value == 0, offset : offset + self.length] = table.space
        self._special.write_nulls(column.nulls, rows, offset)
        return codes
