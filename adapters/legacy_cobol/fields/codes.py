"""Fault codes of fields, and the advice for each."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]


class FaultCode(IntEnum):
    """0 is a good value. The numbers are internal; `label` is the stable name."""

    GOOD = 0
    # reading
    INVALID_DIGIT = 1
    INVALID_SIGN = 2
    BLANK = 3
    LOW_VALUES = 4
    HIGH_VALUES = 5
    OUT_OF_RANGE = 6
    NEGATIVE_UNSIGNED = 7
    INVALID_CHARACTER = 8
    CONTROL_CHARACTER = 9
    NOT_FINITE = 10
    INVALID_EDITED = 11
    NON_PREFERRED_SIGN = 12
    NO_VARIANT = 13
    COUNTER_OUT_OF_RANGE = 14
    RECORD_LENGTH = 15
    NO_RECORD_TYPE = 16
    # writing
    NULL = 20
    WRONG_TYPE = 21
    OVERFLOW = 22
    FRACTION_LOST = 23
    UNENCODABLE = 24
    TOO_LONG = 25
    MISSING = 26
    UNKNOWN_FIELD = 27
    COUNT_MISMATCH = 28

    @property
    def label(self) -> str:
        """The name in reports: lower case with hyphens."""
        return self.name.lower().replace("_", "-")

    @property
    def advice(self) -> str:
        """What to do, as a sentence."""
        return _ADVICE[self]


_ADVICE = {
    FaultCode.GOOD: "Nothing.",
    FaultCode.INVALID_DIGIT: "Correct the digit in the sending system, or check usage, offset and "
    "code page of this field in the layout.",
    FaultCode.INVALID_SIGN: "Correct the sign in the sending system, or check the sign convention "
    "of the layout.",
    FaultCode.BLANK: "Send a number, or declare in the layout what blanks mean (null or zero).",
    FaultCode.LOW_VALUES: "Send a value, or declare in the layout what low-values mean (null, zero "
    "or keep).",
    FaultCode.HIGH_VALUES: "Send a value, or declare in the layout what high-values mean (null or "
    "keep).",
    FaultCode.OUT_OF_RANGE: "The number has more digits than its picture: correct it, or widen the "
    "picture. For COMP of a compiler with TRUNC(BIN), declare trunc = bin.",
    FaultCode.NEGATIVE_UNSIGNED: "Send no negative value here, or give the picture an S.",
    FaultCode.INVALID_CHARACTER: "The byte is not a character: check the code page of the layout.",
    FaultCode.CONTROL_CHARACTER: "The text has a control character: check framing and code page, "
    "or declare that this field keeps control characters. For X'00' after the text, declare "
    "padding = nul.",
    FaultCode.NOT_FINITE: "Send a finite number.",
    FaultCode.INVALID_EDITED: "The characters do not match the picture: correct them or the "
    "picture.",
    FaultCode.NON_PREFERRED_SIGN: "Send sign C, D or F, or allow the others in the layout.",
    FaultCode.NO_VARIANT: "No selector of this REDEFINES matches: correct the selecting field or "
    "the layout.",
    FaultCode.COUNTER_OUT_OF_RANGE: "The counter is out of the bounds of its OCCURS: correct the "
    "counter. If OCCURS 1 TO may have no occurrence, declare empty_tables.",
    FaultCode.RECORD_LENGTH: "The record is longer or shorter than its layout: check the framing, "
    "the counters and the copybook. If fields at its end may be missing, declare the first of them "
    "as optional; if old bytes follow its last field, declare rest = any.",
    FaultCode.NO_RECORD_TYPE: "No selector of the layout matches this record: correct it, or add "
    "its type.",
    FaultCode.NULL: "Give a value; the layout declares no bytes for null.",
    FaultCode.WRONG_TYPE: "Give a value of the field's type.",
    FaultCode.OVERFLOW: "Give a value that fits the picture.",
    FaultCode.FRACTION_LOST: "Round the value to the decimals of the picture first.",
    FaultCode.UNENCODABLE: "Use only characters of the file's code page.",
    FaultCode.TOO_LONG: "Shorten the text to the length of the field.",
    FaultCode.MISSING: "Give every field of the record.",
    FaultCode.UNKNOWN_FIELD: "Leave out fields that the layout does not name.",
    FaultCode.COUNT_MISMATCH: "Give as many elements as the table and its counter allow.",
}


_OF_TEXT = {
    FaultCode.INVALID_CHARACTER,
    FaultCode.CONTROL_CHARACTER,
    FaultCode.NO_RECORD_TYPE,
    FaultCode.RECORD_LENGTH,
    FaultCode.UNENCODABLE,
}
_FEW = 2  # bytes that tell nothing about a person
_FIRST_PRINTABLE = 0x20  # in EBCDIC 0x40; below it are control characters in both
_ZONED = frozenset((*range(0x30, 0x3A), *range(0xF0, 0xFA)))  # digits of ASCII and EBCDIC
_LETTERS = frozenset(
    each
    for page in ("ascii", "cp037")
    for each in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".encode(page)
)


@dataclass(frozen=True, slots=True)
class FieldFault:
    """A bad field of a record. `offset` counts from the start of the record."""

    field: str
    code: FaultCode
    offset: int | None = None
    raw: bytes = b""
    detail: str = ""

    @property
    def hidden(self) -> str:
        """The bytes in hexadecimal, as far as they show the fault and not the value."""
        if self.code in _OF_TEXT and len(self.raw) > _FEW:
            return hidden_text(self.raw)
        hidden = hidden_number(self.raw)
        if self.code is FaultCode.INVALID_SIGN:  # the half byte at fault is none of the value
            return hidden[:-1] + self.raw.hex()[-1:]
        return hidden

    def __str__(self) -> str:
        """One line for a report."""
        at = "" if self.offset is None else f" at byte {self.offset}"
        raw = f" (hex {self.hidden})" if self.raw else ""
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.field}{at}: {self.code.label}{raw}{detail}. {self.code.advice}"


def hidden_number(raw: bytes) -> str:
    """A number in hexadecimal with x for its digits: zones, signs and what is no digit stay.

    What looks like a text is hidden whole: the field may stand at a wrong offset, on a name.
    """
    odd = [each for each in raw if each not in _ZONED]
    if len(odd) <= _FEW and len(odd) < len(raw):
        return "".join(f"{each >> 4:x}x" if each in _ZONED else f"{each:02x}" for each in raw)
    textual = sum(each in _LETTERS for each in raw[:-1])
    return "".join(
        "xx" if textual > _FEW and each in _LETTERS else _without_digits(each) for each in raw
    )


def hidden_text(raw: bytes) -> str:
    """A text in hexadecimal with x for all but a few control characters.

    Many of them are no text: a packed number, perhaps.
    """
    controls = sum(each < _FIRST_PRINTABLE for each in raw)
    least = _FIRST_PRINTABLE if controls <= _FEW else 0
    return "".join(f"{each:02x}" if each < least else "xx" for each in raw)


def _without_digits(byte: int) -> str:
    return "".join("x" if each.isdigit() else each for each in f"{byte:02x}")


def mark(codes: Codes | None, where: NDArray[np.bool_], code: FaultCode) -> Codes | None:
    """Set `code` where there is no code yet. None stays None while nothing is marked."""
    if not where.any():
        return codes
    if codes is None:
        codes = np.zeros(len(where), np.uint8)
    codes[where & (codes == 0)] = code
    return codes


def join(first: Codes | None, second: Codes | None) -> Codes | None:
    """The codes of both; the first one's if both have one."""
    if first is None or second is None:
        return second if first is None else first
    return np.where(first != 0, first, second)
