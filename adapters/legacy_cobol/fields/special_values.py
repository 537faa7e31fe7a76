"""Fields that are all blanks, all X'00' or all X'FF': found, and what they mean."""

from collections.abc import Callable

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Edited, Kind, Packed, Zoned
from adapters.legacy_cobol.fields.codes import Codes, FaultCode
from adapters.legacy_cobol.fields.columns import Mask, Rows
from adapters.legacy_cobol.fields.policy import Meaning, Policy

NAMES = (FaultCode.BLANK, FaultCode.LOW_VALUES, FaultCode.HIGH_VALUES)


class SpecialValues:
    """The meaning of the three fillings for one field.

    `blank` is a blank as bytes: one for text and numbers, two for national text.
    """

    def __init__(self, kind: Kind, policy: Policy, blank: bytes) -> None:
        self.meaning = policy.meaning(kind)
        self.fillings = tuple(
            (filling * kind.length)[: kind.length] for filling in (blank, b"\x00", b"\xff")
        )
        self._unmarked = not isinstance(kind, Zoned | Packed | Edited)  # they look like values

    def settle(
        self, rows: Rows, offset: int, codes: Codes | None, zero: Callable[[Mask], None]
    ) -> tuple[Codes | None, Mask | None]:
        """Codes and nulls after the three are told apart from other bad values.

        `zero` is called with where the value is to be zero.
        """
        nulls: Mask | None = None
        for filling, on, name in zip(self.fillings, self.meaning, NAMES, strict=True):
            if on is Meaning.KEEP or not (self._unmarked or codes is not None):
                continue
            found = self._filled(rows, offset, codes, filling)
            if not found.any():
                continue
            if codes is None:
                codes = np.zeros(len(rows), np.uint8)
            codes[found] = name if on is Meaning.ERROR else FaultCode.GOOD
            if on is Meaning.ZERO:
                zero(found)
            if on is Meaning.NULL:
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

    def of_null(self) -> bytes | None:
        """The bytes that say null; None where nothing does."""
        for filling, on in zip(self.fillings, self.meaning, strict=True):
            if on is Meaning.NULL:
                return filling
        return None

    def write_nulls(self, nulls: Mask | None, rows: Rows, offset: int) -> None:
        """Fill the fields of nulls; `refuse_unfitting` has refused them where nothing says null."""
        filling = self.of_null()
        if nulls is not None and filling is not None:
            rows[nulls, offset : offset + len(filling)] = np.frombuffer(filling, np.uint8)
