"""The policy of a field: what the layout declares beyond the picture."""

from dataclasses import dataclass, replace
from enum import StrEnum

from adapters.legacy_cobol.copybook.kinds import Binary, Edited, Float, Kind, Packed, Zoned

EXACT_DIGITS = 15  # the digits that a JSON reader with doubles preserves


class Meaning(StrEnum):
    """The meaning of a field that is all blanks, all X'00' or all X'FF'."""

    ERROR = "error"
    NULL = "null"
    ZERO = "zero"  # numbers only
    KEEP = "keep"  # the text or number that the bytes are


class Trim(StrEnum):
    """Which blanks of a text are removed. AUTO: those on the side that COBOL pads."""

    AUTO = "auto"
    BOTH = "both"
    NONE = "none"


def is_number(kind: Binary, byte: int) -> bool:
    """Whether a binary field of only this byte is a good number."""
    low, high = kind.bounds
    return low <= int.from_bytes(bytes((byte,)) * kind.length, signed=kind.signed) <= high


class Padding(StrEnum):
    """What the sender fills a text with that is shorter than its field."""

    BLANK = "blank"
    NUL = "nul"  # X'00', as programs in C do, or COBOL that begins with LOW-VALUES


class Form(StrEnum):
    """How a number appears in documents."""

    AUTO = "auto"  # number for an integer of up to 15 digits, else string
    STRING = "string"  # "12.50"
    NUMBER = "number"  # 12.50 in JSON, exact; Decimal in Python
    SCALED = "scaled"  # 1250
    CODE = "code"  # "0000001250": an identifier with all digits, not a quantity


@dataclass(frozen=True, slots=True)
class Policy:
    """How to read one field. None is the default of the kind of field.

    By default, fillings that are not values are errors. Text keeps blanks, as blank text is the
    empty text, and X'00' if that is its padding; binary fields keep all fillings, as all their
    bytes are numbers.
    """

    blanks: Meaning | None = None
    low_values: Meaning | None = None
    high_values: Meaning | None = None
    trim: Trim = Trim.AUTO
    padding: Padding = Padding.BLANK
    form: Form = Form.AUTO
    controls: bool = False  # keep control characters in text
    preferred_signs: bool = False  # refuse sign nibbles A, B and E
    shared: bool = False  # of many fields: what is a good number of a binary field is that number

    def meaning(self, kind: Kind) -> tuple[Meaning, Meaning, Meaning]:
        """The meanings of blanks, low-values and high-values for a kind. Raises ValueError."""
        number = isinstance(kind, Zoned | Packed | Edited)
        bits = isinstance(kind, Binary | Float)
        default = Meaning.KEEP if bits else Meaning.ERROR
        empty = default if number or bits else Meaning.KEEP
        low = empty if self.padding is Padding.NUL else default
        found = (self.blanks or empty, self.low_values or low, self.high_values or default)
        if self.shared and isinstance(kind, Binary):
            fillings = ((0x20, 0x40), (0x00,), (0xFF,))
            blanks, low, high = (
                Meaning.KEEP if all(is_number(kind, byte) for byte in filling) else meaning
                for filling, meaning in zip(fillings, found, strict=True)
            )
            found = (blanks, low, high)
        if number and Meaning.KEEP in found:
            raise ValueError(
                "blanks, low-values and high-values are not numbers: use error, null or zero"
            )
        if not number and not bits and Meaning.ZERO in found:
            raise ValueError("text has no zero: use error, null or keep")
        return found

    def suited_to(self, kind: type[Kind]) -> "Policy":
        """This policy of many fields, without the meanings that fields of this kind cannot have.

        X'00' is zero in binary fields, and X'FF' often -1: a field says itself that it is not.
        """
        if issubclass(kind, Binary):
            return replace(self, shared=True)
        if issubclass(kind, Float):
            return replace(self, blanks=None, low_values=None, high_values=None)
        unsuited = Meaning.KEEP if issubclass(kind, Zoned | Packed | Edited) else Meaning.ZERO
        blanks, low, high = (
            None if each is unsuited else each
            for each in (self.blanks, self.low_values, self.high_values)
        )
        return replace(self, blanks=blanks, low_values=low, high_values=high)

    def form_of(self, digits: int, scale: int) -> Form:
        """The form of a number; never AUTO."""
        if self.form is not Form.AUTO:
            return self.form
        integer = scale <= 0 and digits - scale <= EXACT_DIGITS
        return Form.NUMBER if integer else Form.STRING
