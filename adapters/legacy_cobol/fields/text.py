"""PIC X and A in any code page, PIC N in UTF-16, PIC G in two bytes, and PIC U in UTF-8."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Encoding, National, Text
from adapters.legacy_cobol.fields.charsets import WIDE_BLANK, character_set_of
from adapters.legacy_cobol.fields.codepages import CodePage, is_control, normal
from adapters.legacy_cobol.fields.codes import Codes, FaultCode, mark
from adapters.legacy_cobol.fields.columns import (
    Characters,
    Column,
    Mask,
    Rows,
    Strings,
    objects,
)
from adapters.legacy_cobol.fields.policy import Padding, Policy, Trim
from adapters.legacy_cobol.fields.special_values import SpecialValues


class _TooLong(Exception):
    """A text is longer than its field. Never leaves this module."""


class TextCodec:
    """Text of a code page with one byte per character."""

    def __init__(self, kind: Text, page: CodePage, policy: Policy) -> None:
        self.length = kind.length
        self.page = page
        self._policy = policy
        self._justified = kind.justified
        self._left, self._right = sides(policy.trim, kind.justified)
        nul = policy.padding is Padding.NUL
        self._exact = nul and policy.trim is Trim.NONE  # blanks are text
        self._nul = nul and not self._exact
        self._padding = 0 if self._exact else page.space
        self._blank = bytes((page.space,))
        if self._exact:
            self._left, self._right = kind.justified, not kind.justified
        self._special = SpecialValues(kind, policy, self._blank)
        self._harmless_filling = self._special.within(*page.harmless)

    def decode(self, rows: Rows, offset: int) -> Characters:
        """The characters, with a code for an invalid byte or a control character."""
        raw = data = text = column_of(rows, offset, self.length)
        if self._nul:
            data = text = self._filled(data, b"\x00" + self._blank, self._blank)
        elif self._exact:
            text = self._filled(data, b"\x00", self._blank)
        harmless = self._harmless(text)
        codes = None if harmless else self._doubtful(text)
        nulls = None
        if not harmless or self._harmless_filling or text is not raw:
            codes, nulls = self._special.classify(rows, offset, codes, _no_zero)
        if nulls is not None and not harmless:
            harmless = self._harmless(data[~nulls])
        return Characters(
            data, self.page, self._left, self._right, codes, nulls,
            harmless and data is text, self._padding,
        )  # fmt: skip

    def _filled(self, data: Rows, fillings: bytes, new: bytes) -> Rows:
        """The data with a new filling on the side that is padded."""
        step = 1 if self._justified else -1
        filled = _table(fillings)[data[:, ::step]]
        if not data.size or not filled[:, 0].any():
            return data
        side = np.logical_and.accumulate(filled, axis=1)[:, ::step]
        return np.where(side, np.uint8(new[0]), data)

    def _harmless(self, data: Rows) -> bool:
        """Whether no byte needs a closer look. Two fast passes answer it for most columns."""
        low, high = self.page.harmless
        return data.size == 0 or bool(data.min() >= low and data.max() <= high)

    def _doubtful(self, data: Rows) -> Codes | None:
        codes = mark(None, _having(data, self.page.bad), FaultCode.INVALID_CHARACTER)
        if not self._policy.controls:
            codes = mark(codes, self._controls(data), FaultCode.CONTROL_CHARACTER)
        return codes

    def _controls(self, data: Rows) -> Mask:
        """Which rows have C0, DEL or C1 characters."""
        if self._harmless(data):
            return np.zeros(len(data), bool)
        return _having(data, self.page.controls)

    def column(self, values: Sequence[object]) -> Characters:
        """Python strings as a column, with a code for a long text or an unknown character."""
        codes = np.zeros(len(values), np.uint8)
        nulls = np.array([value is None for value in values], bool)
        texts = [value if isinstance(value, str) else "" for value in values]
        for at, value in enumerate(values):
            if value is not None and not isinstance(value, str):
                codes[at] = FaultCode.WRONG_TYPE
        try:
            data = self._padded(texts)
        except (UnicodeEncodeError, _TooLong):
            data = np.concatenate([self._one(text, at, codes) for at, text in enumerate(texts)])
        if not self._policy.controls:
            codes[self._controls(data) & (codes == 0)] = FaultCode.CONTROL_CHARACTER
        if self._exact:
            data = self._ended(texts, data)
        return Characters(
            data, self.page, self._left, self._right,
            codes if codes.any() else None, nulls if nulls.any() else None,
            padding=self._padding,
        )  # fmt: skip

    def _ended(self, texts: Sequence[str], data: Rows) -> Rows:
        """The data of these texts with X'00' for what their blanks fill."""
        lengths = np.array([len(text) for text in texts])[:, None]
        at = np.arange(self.length)
        behind = at < self.length - lengths if self._justified else at >= lengths
        return np.where(behind, np.uint8(0), data)

    def _padded(self, texts: Sequence[str]) -> Rows:
        """The texts padded with blanks. Raises UnicodeEncodeError and _TooLong."""
        if max(map(len, texts), default=0) > self.length:
            raise _TooLong
        pad = str.rjust if self._justified else str.ljust
        whole = "".join([pad(text, self.length) for text in texts])
        return np.frombuffer(self.page.encode(whole), np.uint8).reshape(-1, self.length)

    def _one(self, text: str, at: int, codes: Codes) -> Rows:
        """One row; blanks and a code if the text does not fit."""
        try:
            return self._padded([text])
        except _TooLong:
            codes[at] = FaultCode.TOO_LONG
        except UnicodeEncodeError:
            codes[at] = FaultCode.UNENCODABLE
        return self._padded([""])

    def encode(self, column: Column, rows: Rows, offset: int) -> Codes | None:
        """Write the good values. Returns the codes of the others."""
        assert isinstance(column, Characters)  # noqa: S101
        codes = column.codes
        if column.nulls is not None and self._special.null_bytes() is None:
            codes = mark(codes, column.nulls, FaultCode.NULL)
        data = self._filled(column.data, self._blank, b"\x00") if self._nul else column.data
        rows[:, offset : offset + self.length] = data
        self._special.write_nulls(column.nulls, rows, offset)
        return codes


class WideCodec:
    """Text with several bytes per character: national items, and pages such as Shift JIS."""

    def __init__(self, kind: Text | National, encoding: Encoding, policy: Policy) -> None:
        self.length = kind.length
        self._policy = policy
        self._justified = kind.justified
        self._left, self._right = sides(policy.trim, kind.justified)
        self._set = character_set_of(kind, normal(encoding.code_page), encoding)
        self._padding = self._blank_of()
        self._blank = self._set.encode(self._padding)
        nul = policy.padding is Padding.NUL
        self._filling = bytes(len(self._blank)) if nul else self._blank
        self._special = SpecialValues(kind, policy, self._blank)

    def _blank_of(self) -> str:
        try:
            self._set.encode(" ")
        except UnicodeEncodeError:
            return WIDE_BLANK
        return " "

    def decode(self, rows: Rows, offset: int) -> Strings:
        """The strings, with a code for invalid bytes or a control character."""
        raw = rows[:, offset : offset + self.length].tobytes()
        values: list[str] = []
        codes = np.zeros(len(rows), np.uint8)
        for at in range(len(rows)):
            piece = raw[at * self.length : (at + 1) * self.length]
            text, codes[at] = self._one(piece)
            values.append(text)
        kept = codes if codes.any() else None
        settled, nulls = self._special.classify(rows, offset, kept, _no_zero)
        return Strings(objects(values), settled, nulls)

    def _one(self, piece: bytes) -> tuple[str, FaultCode]:
        try:
            text = self._without_nul(self._set.decode(piece))
        except UnicodeDecodeError:
            return "", FaultCode.INVALID_CHARACTER
        code = FaultCode.CONTROL_CHARACTER if self._refused(text) else FaultCode.GOOD
        text = text.rstrip(self._padding) if self._right else text
        return text.lstrip(self._padding) if self._left else text, code

    def _without_nul(self, text: str) -> str:
        """The text without the X'00' that it is padded with, and blanks between them."""
        if self._policy.padding is not Padding.NUL:
            return text
        filling = f"\0{self._padding}" if self._left or self._right else "\0"
        return text.lstrip(filling) if self._justified else text.rstrip(filling)

    def _refused(self, text: str) -> bool:
        return not self._policy.controls and any(map(is_control, text))

    def column(self, values: Sequence[object]) -> Strings:
        """Python strings as a column, with a code for an invalid value or a control character."""
        codes = np.zeros(len(values), np.uint8)
        nulls = np.array([value is None for value in values], bool)
        for at, value in enumerate(values):
            if isinstance(value, str):
                codes[at] = FaultCode.CONTROL_CHARACTER if self._refused(value) else FaultCode.GOOD
            elif value is not None:
                codes[at] = FaultCode.WRONG_TYPE
        texts = [value if isinstance(value, str) else "" for value in values]
        kept = codes if codes.any() else None
        return Strings(objects(texts), kept, nulls if nulls.any() else None)

    def encode(self, column: Column, rows: Rows, offset: int) -> Codes | None:
        """Write the good values. Returns the codes of the others."""
        assert isinstance(column, Strings)  # noqa: S101
        codes = np.zeros(len(rows), np.uint8) if column.codes is None else column.codes.copy()
        if column.nulls is not None and self._special.null_bytes() is None:
            codes[column.nulls & (codes == 0)] = FaultCode.NULL
        for at, text in enumerate(column.data.tolist()):
            padded, code = self._padded(text)
            rows[at, offset : offset + self.length] = np.frombuffer(padded, np.uint8)
            codes[at] = codes[at] or code
        self._special.write_nulls(column.nulls, rows, offset)
        return codes if codes.any() else None

    def _padded(self, text: str) -> tuple[bytes, FaultCode]:
        filling = self._filling * (self.length // len(self._blank))
        try:
            raw = self._set.encode(text)
        except UnicodeEncodeError:
            return filling, FaultCode.UNENCODABLE
        missing = self.length - len(raw)
        if missing < 0 or missing % len(self._blank):
            return filling, FaultCode.TOO_LONG
        padding = filling[:missing]
        return padding + raw if self._justified else raw + padding, FaultCode.GOOD


def sides(trim: Trim, justified: bool) -> tuple[bool, bool]:
    """Whether to trim blanks on the left, and on the right."""
    match trim:
        case Trim.NONE:
            return False, False
        case Trim.BOTH:
            return True, True
        case Trim.AUTO:
            return justified, not justified


def column_of(rows: Rows, offset: int, length: int) -> Rows:
    """A field of all records, side by side. Each value is copied at once."""
    if not length:
        return rows[:, :0]
    values = np.ascontiguousarray(rows[:, offset : offset + length].view(f"V{length}"))
    return values.view(np.uint8).reshape(len(rows), length)


def _having(data: Rows, wanted: bytes) -> Mask:
    """Which rows have one of these bytes."""
    return np.asarray(_table(wanted)[data].any(axis=1), bool)


@lru_cache(maxsize=64)
def _table(wanted: bytes) -> Mask:
    """For each byte, whether it is one of these."""
    table = np.zeros(256, bool)
    table[list(wanted)] = True
    return table


def _no_zero(where: Mask) -> None:
    """Text has no zero, and its policy cannot ask for one."""
