"""Numeric edited fields: every distinct print of a column is read once."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Edited, Encoding
from adapters.legacy_cobol.fields.codepages import CodePage, code_page
from adapters.legacy_cobol.fields.codes import Codes, FaultCode, mark
from adapters.legacy_cobol.fields.columns import IN_INT64, Column, Mask, Numbers, Rows
from adapters.legacy_cobol.fields.decimals import numbers_of, refuse_unfitting
from adapters.legacy_cobol.fields.editing import Editing, NotPrinted
from adapters.legacy_cobol.fields.policy import Policy
from adapters.legacy_cobol.fields.special_values import SpecialValues

_REMEMBERED = 65_536


class EditedCodec:
    """One numeric edited field. A value is good when the picture prints exactly these bytes."""

    def __init__(self, kind: Edited, encoding: Encoding, policy: Policy) -> None:
        self.length = kind.length
        self._kind = kind
        self._form = policy.form_of(kind.digits, kind.scale)
        self._page = code_page(encoding.code_page) or _ascii()
        self._special = SpecialValues(kind, policy, bytes((self._page.space,)))
        self._editing = Editing(kind)
        self._read = lru_cache(_REMEMBERED)(self._one)
        self._print = lru_cache(_REMEMBERED)(self._bytes)

    def decode(self, rows: Rows, offset: int) -> Numbers:
        """The values; a code where the picture does not print these bytes."""
        raw = rows[:, offset : offset + self.length].tobytes()
        steps = range(0, len(raw), self.length)
        found = [self._read(raw[at : at + self.length]) for at in steps]
        codes: Codes | None = None
        bad = np.array([each is None for each in found], bool)
        codes = mark(codes, bad, FaultCode.INVALID_EDITED)
        dtype = np.int64 if self._kind.digits <= IN_INT64 else object
        value = np.array([each or 0 for each in found], dtype)

        def zero(where: Mask) -> None:
            value[where] = 0

        codes, nulls = self._special.settle(rows, offset, codes, zero)
        if codes is not None:
            blank = (codes == FaultCode.BLANK) & ~bad
            codes[blank] = FaultCode.GOOD
        return Numbers(value, self._kind.scale, self._kind.digits, self._form, codes, nulls)

    def _one(self, raw: bytes) -> int | None:
        try:
            return self._editing.read(self._page.decode(raw))
        except NotPrinted:
            return None

    def _bytes(self, value: int) -> bytes:
        return self._page.encode(self._editing.print(value))

    def column(self, values: Sequence[object]) -> Numbers:
        """Python values as a column, with a code where one is no such number."""
        return numbers_of(values, self._kind.digits, self._kind.scale, self._form)

    def encode(self, column: Column, rows: Rows, offset: int) -> Codes | None:
        """Write the good values; the codes of those that do not fit."""
        assert isinstance(column, Numbers)  # noqa: S101
        kind = self._kind
        value, codes = refuse_unfitting(column, kind.digits, kind.signed, self._special.of_null())
        raw = b"".join(self._print(each) for each in value.tolist())
        rows[:, offset : offset + self.length] = np.frombuffer(raw, np.uint8).reshape(
            -1, self.length
        )
        self._special.write_nulls(column.nulls, rows, offset)
        return codes


def _ascii() -> CodePage:
    page = code_page("ascii")
    assert page is not None  # noqa: S101  (one byte a character)
    return page
