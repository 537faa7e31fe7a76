"""Numeric edited fields, by the editing rules of ISO/IEC 1989: simple, special, fixed and floating
insertion, and zero suppression with Z or *. Each distinct text of a column is parsed once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Edited, Encoding
from adapters.legacy_cobol.fields.codepages import single_byte_page
from adapters.legacy_cobol.fields.codes import Codes, FaultCode, mark
from adapters.legacy_cobol.fields.columns import IN_INT64, Column, Mask, Numbers, Rows
from adapters.legacy_cobol.fields.decimals import numbers_of, refuse_unfitting
from adapters.legacy_cobol.fields.policy import Policy
from adapters.legacy_cobol.fields.special_values import SpecialValues

_REMEMBERED = 65_536
_SUPPRESSING = "Z*"


class NotPrinted(ValueError):
    """No number has this text with this picture."""


@dataclass(frozen=True)
class Editing:
    """The parts of one picture."""

    kind: Edited

    @cached_property
    def floating(self) -> str:
        """The floating symbol: + - or the currency sign; empty if there is none."""
        for symbol in ("+", "-", self.kind.currency):
            if self.kind.picture.count(symbol) > 1:
                return symbol
        return ""

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The printed symbols. CR and DB are one symbol of two characters."""
        found: list[str] = []
        for symbol in self.kind.picture:
            if symbol in "RB" and found and found[-1] == {"R": "C", "B": "D"}[symbol]:
                found[-1] += symbol
            elif symbol not in "VP":
                found.append(symbol)
        return tuple(found)

    @cached_property
    def fill(self) -> str:
        """The character in place of suppressed zeros."""
        return "*" if "*" in self.kind.picture else " "

    @cached_property
    def first(self) -> int:
        """The symbol at which suppression may begin; after the end if there is none."""
        found = [at for at, each in enumerate(self.symbols) if self._suppresses(each)]
        return found[0] if found else len(self.symbols)

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """The character positions that may hold digits."""
        found, at = [], 0
        for number, symbol in enumerate(self.symbols):
            if self._digit(number):
                found.append(at)
            at += len(symbol)
        return tuple(found)

    def _suppresses(self, symbol: str) -> bool:
        return symbol in _SUPPRESSING or symbol == self.floating

    def _digit(self, number: int) -> bool:
        symbol = self.symbols[number]
        if symbol == self.floating:
            return number != self.first
        return symbol == "9" or symbol in _SUPPRESSING

    def print(self, value: int) -> str:
        """The text of a scaled integer that fits."""
        kind = self.kind
        if value == 0 and (kind.blank_when_zero or "9" not in kind.picture):
            return self._all_suppressed()
        digits = iter(f"{abs(value):0{len(self.positions)}d}")
        out: list[str] = []
        started = False  # whether a digit was printed
        before = -1  # the position of the floating symbol
        for number, symbol in enumerate(self.symbols):
            is_digit = self._digit(number)
            digit = next(digits) if is_digit else ""
            if not started and number >= self.first:
                begins = symbol in ("9", kind.point) or (is_digit and digit != "0")
                begins = begins or symbol in ("CR", "DB")
                if not begins and (self._suppresses(symbol) or symbol in (kind.separator, *"B0/")):
                    out.append(self.fill)
                    continue
                started, before = True, len(out) - 1
            out.append(digit or self._inserted(symbol, value < 0))
        if self.floating:
            at = before if started else len(out) - 1
            out[at] = self._inserted(self.floating, value < 0)
        return "".join(out)

    def _all_suppressed(self) -> str:
        if self.kind.blank_when_zero or self.fill == " ":
            return " " * self.kind.length
        return "".join(
            each if each == self.kind.point else "*" * len(each) for each in self.symbols
        )

    def _inserted(self, symbol: str, negative: bool) -> str:
        match symbol:
            case "B":
                return " "
            case "+":
                return "-" if negative else "+"
            case "-":
                return "-" if negative else " "
            case "CR" | "DB":
                return symbol if negative else "  "
        return symbol

    def read(self, text: str) -> int:
        """The scaled integer with this text. Raises NotPrinted."""
        digits = "".join(
            each if "0" <= each <= "9" else "0" for each in map(text.__getitem__, self.positions)
        )
        value = int(digits or "0")
        negative = "-" in text or text.endswith(("CR", "DB"))
        value = -value if negative else value
        if self.print(value) != text:
            raise NotPrinted(text)
        return value


class EditedCodec:
    """A numeric edited field. A value is good if the picture prints exactly these bytes."""

    def __init__(self, kind: Edited, encoding: Encoding, policy: Policy) -> None:
        self.length = kind.length
        self._kind = kind
        self._form = policy.form_of(kind.digits, kind.scale)
        self._page = single_byte_page(encoding.code_page)
        self._special = SpecialValues(kind, policy, bytes((self._page.space,)))
        self._editing = Editing(kind)
        self._read = lru_cache(_REMEMBERED)(self._one)
        self._print = lru_cache(_REMEMBERED)(self._bytes)

    def decode(self, rows: Rows, offset: int) -> Numbers:
        """The values, with a code where the picture does not print these bytes."""
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

        codes, nulls = self._special.classify(rows, offset, codes, zero)
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
        """Python values as a column, with a code for each invalid number."""
        return numbers_of(values, self._kind.digits, self._kind.scale, self._form)

    def encode(self, column: Column, rows: Rows, offset: int) -> Codes | None:
        """Write the good values. Returns the codes of those that do not fit."""
        assert isinstance(column, Numbers)  # noqa: S101
        kind = self._kind
        value, codes = refuse_unfitting(
            column, kind.digits, kind.signed, self._special.null_bytes()
        )
        raw = b"".join(self._print(each) for each in value.tolist())
        rows[:, offset : offset + self.length] = np.frombuffer(raw, np.uint8).reshape(
            -1, self.length
        )
        self._special.write_nulls(column.nulls, rows, offset)
        return codes
