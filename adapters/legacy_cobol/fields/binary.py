"""COMP, COMP-4, COMP-5, BINARY: two's complement integers of 1 to 16 bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.copybook.kinds import Binary, ByteOrder, Encoding, ZonedSigns
from adapters.legacy_cobol.fields import machine_words
from adapters.legacy_cobol.fields.codes import Codes, FaultCode, mark
from adapters.legacy_cobol.fields.columns import Column, Mask, Numbers, Rows, objects
from adapters.legacy_cobol.fields.decimals import numbers_of, refuse_unfitting
from adapters.legacy_cobol.fields.policy import Policy
from adapters.legacy_cobol.fields.special_values import SpecialValues


class BinaryCodec:
    """A binary integer.

    Except in COMP-5 and with TRUNC(BIN), a number with more digits than its picture is an error:
    COBOL with TRUNC(STD) does not write one.
    """

    def __init__(self, kind: Binary, encoding: Encoding, policy: Policy) -> None:
        self.length = kind.length
        self._kind = kind
        self._digits = kind.most_digits
        self._form = policy.form_of(self._digits, kind.scale)
        order = encoding.native_order if kind.native else encoding.byte_order
        self._little = order is ByteOrder.LITTLE
        blank = b"\x40" if encoding.zoned_signs is ZonedSigns.EBCDIC else b"\x20"
        self._special = SpecialValues(kind, policy, blank)
        self._low, self._high = kind.bounds

    def decode(self, rows: Rows, offset: int) -> Numbers:
        """The values, with a code for each that has more digits than its picture."""
        value = self._integers(rows, offset)
        codes = mark(None, (value < self._low) | (value > self._high), FaultCode.OUT_OF_RANGE)

        def zero(where: Mask) -> None:
            value[where] = 0

        codes, nulls = self._special.classify(rows, offset, codes, zero)
        return Numbers(value, self._kind.scale, self._digits, self._form, codes, nulls)

    def _integers(self, rows: Rows, offset: int) -> NDArray[Any]:
        length = self.length
        if self._little:
            rows, offset = np.ascontiguousarray(rows[:, offset : offset + length][:, ::-1]), 0
        if length > 8:
            raw = rows[:, offset : offset + length].tobytes()
            steps = range(0, len(raw), length)
            signed = self._kind.signed
            found = [int.from_bytes(raw[at : at + length], signed=signed) for at in steps]
            return objects(found)
        word = machine_words.words(rows, offset, length)
        if self._kind.signed:
            shift = 64 - 8 * length
            return (word << shift).view(np.int64) >> shift
        if length == 8:
            return word.astype(object)
        return word.view(np.int64)

    def column(self, values: Sequence[object]) -> Numbers:
        """Python values as a column, with a code for each invalid number."""
        return numbers_of(values, self._digits, self._kind.scale, self._form)

    def encode(self, column: Column, rows: Rows, offset: int) -> Codes | None:
        """Write the good values. Returns the codes of those that do not fit."""
        assert isinstance(column, Numbers)  # noqa: S101
        kind, length = self._kind, self.length
        column.codes = mark(
            column.codes,
            (column.data > self._high) | ((column.data < self._low) & kind.signed),
            FaultCode.OVERFLOW,
        )
        null = self._special.null_bytes()
        value, codes = refuse_unfitting(column, max(self._digits, 20), kind.signed, null)
        if length > 8 or value.dtype == object:
            raw = b"".join(int(each).to_bytes(length, "big", signed=kind.signed) for each in value)
            found = np.frombuffer(raw, np.uint8).reshape(-1, length)
        else:
            eight = value.astype(">i8").view(np.uint8).reshape(-1, 8)
            found = eight[:, 8 - length :]
        rows[:, offset : offset + length] = found[:, ::-1] if self._little else found
        self._special.write_nulls(column.nulls, rows, offset)
        return codes
