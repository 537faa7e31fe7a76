"""COMP-3 and COMP-6: two decimal digits per byte.

Sign nibbles: A, C, E and F are plus, B and D are minus, as in the hardware. This module writes C
and D, and F in unsigned fields. Unsigned fields may have any plus sign. A value with another sign
than the written one is good; `records.encoder` keeps original bytes if they must stay the same.
`Policy.preferred_signs` refuses A, B and E.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.copybook.kinds import Encoding, Packed, ZonedSigns
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
from adapters.legacy_cobol.fields.special_values import SpecialValues

_MINUS = (1 << 0xB) | (1 << 0xD)
_UNUSUAL = (1 << 0xA) | (1 << 0xB) | (1 << 0xE)


class PackedCodec:
    """A packed number."""

    def __init__(self, kind: Packed, encoding: Encoding, policy: Policy) -> None:
        self.length = kind.length
        self._kind = kind
        self._policy = policy
        self._form = policy.form_of(kind.digits, kind.scale)
        blank = b"\x40" if encoding.zoned_signs is ZonedSigns.EBCDIC else b"\x20"
        self._special = SpecialValues(kind, policy, blank)
        self._stored = (
            2 * kind.length - kind.sign_nibble
        )  # digits in the bytes; at most one more than in the picture

    def decode(self, rows: Rows, offset: int) -> Numbers:
        """The values, with a code for an invalid digit or sign, or a digit too many."""
        parts = []
        bad = np.zeros(len(rows), np.uint64)
        sign: machine_words.Words | None = None
        words = machine_words.split(offset, self.length)
        for at, size in words:
            word = machine_words.words(rows, at, size)
            if self._kind.sign_nibble and (at, size) == words[-1]:
                sign, word = word & 0x0F, word >> 4
            bad |= machine_words.beyond_nine(word)
            parts.append(machine_words.of_nibbles(word))
        codes = mark(None, bad != 0, FaultCode.INVALID_DIGIT)
        value = self._value(parts)
        if self._stored > self._kind.digits:
            codes = mark(codes, rows[:, offset] > 0x0F, FaultCode.OUT_OF_RANGE)
        if sign is not None:
            value, codes = self._signed(value, sign, codes)

        def zero(where: Mask) -> None:
            value[where] = 0

        codes, nulls = self._special.classify(rows, offset, codes, zero)
        return Numbers(value, self._kind.scale, self._kind.digits, self._form, codes, nulls)

    def _value(self, parts: list[NDArray[np.int64]]) -> NDArray[Any]:
        if not self._kind.sign_nibble or len(parts) == 1:
            return total(parts, 16, self._kind.digits)
        front = total(parts[:-1], 16, self._kind.digits)
        return front * 10**15 + parts[-1]

    def _signed(
        self, value: NDArray[Any], sign: machine_words.Words, codes: Codes | None
    ) -> tuple[NDArray[Any], Codes | None]:
        codes = mark(codes, sign < 10, FaultCode.INVALID_SIGN)
        negative = (np.uint64(_MINUS) >> sign & 1) != 0
        if self._policy.preferred_signs:
            unusual = (np.uint64(_UNUSUAL) >> sign & 1) != 0
            codes = mark(codes, unusual, FaultCode.NON_PREFERRED_SIGN)
        if not self._kind.signed:
            return value, mark(codes, negative, FaultCode.NEGATIVE_UNSIGNED)
        return np.where(negative, -value, value), codes

    def column(self, values: Sequence[object]) -> Numbers:
        """Python values as a column, with a code for each invalid number."""
        return numbers_of(values, self._kind.digits, self._kind.scale, self._form)

    def encode(self, column: Column, rows: Rows, offset: int) -> Codes | None:
        """Write the good values with preferred signs. Returns the codes of the others."""
        assert isinstance(column, Numbers)  # noqa: S101
        kind = self._kind
        value, codes = refuse_unfitting(
            column, kind.digits, kind.signed, self._special.null_bytes()
        )
        nibbles = np.zeros((len(rows), 2 * self.length), np.uint8)
        end = 2 * self.length - kind.sign_nibble
        nibbles[:, end - kind.digits : end] = digits_of(value, kind.digits)
        if kind.sign_nibble:
            nibbles[:, -1] = np.where(value < 0, 0xD, 0xC) if kind.signed else 0xF
        rows[:, offset : offset + self.length] = nibbles[:, ::2] << 4 | nibbles[:, 1::2]
        self._special.write_nulls(column.nulls, rows, offset)
        return codes
