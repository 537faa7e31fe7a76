"""Special values: fields that are all blanks, all X'00' (low-values) or all X'FF' (high-values)."""

from collections.abc import Callable

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Binary, Edited, Kind, Packed, Zoned
from adapters.legacy_cobol.fields.codes import Codes, FaultCode
from adapters.legacy_cobol.fields.columns import Mask, Rows
from adapters.legacy_cobol.fields.policy import Meaning, Policy, is_number

NAMES = (FaultCode.BLANK, FaultCode.LOW_VALUES, FaultCode.HIGH_VALUES)


class SpecialValues:
    """The special values of one field, and their meanings.

    `blank` are the bytes of a blank: one, or two for national text.
    """

    def __init__(self, kind: Kind, policy: Policy, blank: bytes) -> None:
        self.meaning = policy.meaning(kind)
        if policy.shared and isinstance(kind, Binary) and is_number(kind, blank[0]):
            self.meaning = (Meaning.KEEP, *self.meaning[1:])
        self.fillings = tuple(
            (filling * kind.length)[: kind.length] for filling in (blank, b"\x00", b"\xff")
        )
        self._unmarked = not isinstance(
            kind, Zoned | Packed | Edited
        )  # their special values look like values

    def within(self, low: int, high: int) -> bool:
        """Whether a special value may consist of bytes of this range."""
        return any(
            meaning is not Meaning.KEEP and low <= filling[0] <= high
            for filling, meaning in zip(self.fillings, self.meaning, strict=True)
        )

    def classify(
        self, rows: Rows, offset: int, codes: Codes | None, zero: Callable[[Mask], None]
    ) -> tuple[Codes | None, Mask | None]:
        """Codes and nulls, with special values distinguished from other bad values.

        `zero` is called with a mask of the values that become zero.
        """
        nulls: Mask | None = None
        for filling, meaning, name in zip(self.fillings, self.meaning, NAMES, strict=True):
            if meaning is Meaning.KEEP or not (self._unmarked or codes is not None):
                continue
            found = self._filled(rows, offset, codes, filling)
            if not found.any():
                continue
            if codes is None:
                codes = np.zeros(len(rows), np.uint8)
            codes[found] = name if meaning is Meaning.ERROR else FaultCode.GOOD
            if meaning is Meaning.ZERO:
                zero(found)
            if meaning is Meaning.NULL:
                nulls = found if nulls is None else nulls | found
        return codes, nulls

    def _filled(self, rows: Rows, offset: int, codes: Codes | None, filling: bytes) -> Mask:
        suspects = rows[:, offset] == filling[0]
        if codes is not None and not self._unmarked:
            suspects &= codes != 0
        found = np.zeros(len(rows), bool)
        index = np.flatnonzero(suspects)
        raw = rows[index, offset : offset + len(filling)]
        found[index] = (raw == np.frombuffer(filling, np.uint8)).all(axis=1)
        return found

    def null_bytes(self) -> bytes | None:
        """The bytes that mean null; None if there are none."""
        for filling, meaning in zip(self.fillings, self.meaning, strict=True):
            if meaning is Meaning.NULL:
                return filling
        return None

    def write_nulls(self, nulls: Mask | None, rows: Rows, offset: int) -> None:
        """Write nulls. `refuse_unfitting` has refused them if no bytes mean null."""
        filling = self.null_bytes()
        if nulls is not None and filling is not None:
            rows[nulls, offset : offset + len(filling)] = np.frombuffer(filling, np.uint8)
