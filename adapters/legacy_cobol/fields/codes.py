"""What can be wrong with one field: stable codes, and what a person does about each."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]


class Code(IntEnum):
    """0 is a good value. Numbers live in memory only; `label` is the name in reports."""

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
        """As it stands in reports: lower case with hyphens."""
        return self.name.lower().replace("_", "-")

    @property
    def advice(self) -> str:
        """What to do, as a sentence."""
        return _ADVICE[self]


_ADVICE = {
    Code.GOOD: "Nothing.",
    Code.INVALID_DIGIT: "Correct the digit in the sending system, or check usage, offset and code "
    "page of this field in the layout.",
    Code.INVALID_SIGN: "Correct the sign in the sending system, or check the sign convention of "
    "the layout.",
    Code.BLANK: "Send a number, or declare in the layout what blanks mean (null or zero).",
    Code.LOW_VALUES: "Send a value, or declare in the layout what low-values mean (null, zero or "
    "keep).",
    Code.HIGH_VALUES: "Send a value, or declare in the layout what high-values mean (null or "
    "keep).",
    Code.OUT_OF_RANGE: "The number has more digits than its picture: correct it, or widen the "
    "picture.",
    Code.NEGATIVE_UNSIGNED: "Send no negative value here, or give the picture an S.",
    Code.INVALID_CHARACTER: "The byte stands for no character: check the code page of the layout.",
    Code.CONTROL_CHARACTER: "Text holds a control character: check framing and code page, or "
    "declare that this field keeps them.",
    Code.NOT_FINITE: "Send a finite number.",
    Code.INVALID_EDITED: "The characters are not what this picture prints: correct them or the "
    "picture.",
    Code.NON_PREFERRED_SIGN: "Send sign C, D or F, or allow the others in the layout.",
    Code.NO_VARIANT: "No selector of this REDEFINES holds: correct the selecting field or the "
    "layout.",
    Code.COUNTER_OUT_OF_RANGE: "The counter is outside of the bounds of its OCCURS: correct the "
    "counter.",
    Code.RECORD_LENGTH: "The record is longer or shorter than its layout: check the framing, the "
    "counters and the copybook.",
    Code.NO_RECORD_TYPE: "No selector of the layout fits this record: correct it, or add its type.",
    Code.NULL: "Give a value; the layout declares no way to write none.",
    Code.WRONG_TYPE: "Give a value of the field's type.",
    Code.OVERFLOW: "Give a value that fits the picture.",
    Code.FRACTION_LOST: "Round the value to the decimals of the picture first.",
    Code.UNENCODABLE: "Use only characters of the file's code page.",
    Code.TOO_LONG: "Shorten the text to the length of the field.",
    Code.MISSING: "Give every field of the record.",
    Code.UNKNOWN_FIELD: "Leave out what the layout does not name.",
    Code.COUNT_MISMATCH: "Give as many elements as the table and its counter allow.",
}


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One bad field of one record. `offset` counts from the start of the record."""

    field: str
    code: Code
    offset: int | None = None
    raw: bytes = b""
    detail: str = ""

    def __str__(self) -> str:
        """One line for a report."""
        place = "" if self.offset is None else f" at byte {self.offset}"
        raw = f" (hex {self.raw.hex()})" if self.raw else ""
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.field}{place}: {self.code.label}{raw}{detail}. {self.code.advice}"


def mark(codes: Codes | None, where: NDArray[np.bool_], code: Code) -> Codes | None:
    """Put `code` where no earlier code stands. None stays None while nothing is marked."""
    if not where.any():
        return codes
    if codes is None:
        codes = np.zeros(len(where), np.uint8)
    codes[where & (codes == 0)] = code
    return codes


def join(first: Codes | None, second: Codes | None) -> Codes | None:
    """The codes of both, the first one's where both have one."""
    if first is None or second is None:
        return second if first is None else first
    return np.where(first != 0, first, second)
