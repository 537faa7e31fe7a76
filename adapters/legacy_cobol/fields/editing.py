"""Numeric editing: what a picture such as $$,$$9.99CR prints, and what a print means.

The rules are those of ISO/IEC 1989, "Editing rules": simple, special, fixed and floating insertion,
zero suppression with Z or *.
"""

from dataclasses import dataclass
from functools import cached_property

from adapters.legacy_cobol.copybook.kinds import Edited

_SUPPRESSING = "Z*"


class NotPrinted(ValueError):
    """No number prints as this with this picture."""


@dataclass(frozen=True)
class Editing:
    """One picture, taken apart once."""

    kind: Edited

    @cached_property
    def floating(self) -> str:
        """The symbol that floats: + - or the currency sign; empty where none does."""
        for symbol in ("+", "-", self.kind.currency):
            if self.kind.picture.count(symbol) > 1:
                return symbol
        return ""

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """One for each printed place, CR and DB as one of two places."""
        found: list[str] = []
        for symbol in self.kind.picture:
            if symbol in "RB" and found and found[-1] == {"R": "C", "B": "D"}[symbol]:
                found[-1] += symbol
            elif symbol not in "VP":
                found.append(symbol)
        return tuple(found)

    @cached_property
    def fill(self) -> str:
        """What stands where zeros are suppressed."""
        return "*" if "*" in self.kind.picture else " "

    @cached_property
    def first(self) -> int:
        """Where suppression may begin; behind the end where there is none."""
        found = [at for at, each in enumerate(self.symbols) if self._suppresses(each)]
        return found[0] if found else len(self.symbols)

    @cached_property
    def places(self) -> tuple[int, ...]:
        """The printed places that may hold digits, counted in characters."""
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
        """The characters for a scaled integer that fits."""
        kind = self.kind
        if value == 0 and (kind.blank_when_zero or "9" not in kind.picture):
            return self._all_suppressed()
        digits = iter(f"{abs(value):0{len(self.places)}d}")
        out: list[str] = []
        started = False  # whether a digit was printed that is not suppressed
        before = -1  # where a floating symbol goes
        for number, symbol in enumerate(self.symbols):
            is_digit = self._digit(number)
            digit = next(digits) if is_digit else ""
            if not started and number >= self.first:
                starts = symbol in ("9", kind.point) or (is_digit and digit != "0")
                starts = starts or symbol in ("CR", "DB")
                if not starts and (self._suppresses(symbol) or symbol in (kind.separator, *"B0/")):
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
        """The scaled integer that prints as this. Raises NotPrinted."""
        digits = "".join(
            each if "0" <= each <= "9" else "0" for each in map(text.__getitem__, self.places)
        )
        value = int(digits or "0")
        negative = "-" in text or text.endswith(("CR", "DB"))
        value = -value if negative else value
        if self.print(value) != text:
            raise NotPrinted(text)
        return value
