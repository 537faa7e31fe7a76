"""What the layout declares about one field beyond its picture."""

from dataclasses import dataclass
from enum import StrEnum

from adapters.legacy_cobol.copybook.kinds import Binary, Edited, Float, Kind, Packed, Zoned

EXACT_DIGITS = 15  # more than these do not survive a JSON reader that uses doubles


class Meaning(StrEnum):
    """What a field that is all blanks, all X'00' or all X'FF' means."""

    ERROR = "error"
    NULL = "null"
    ZERO = "zero"  # numbers only
    KEEP = "keep"  # as the text or number that the bytes are


class Trim(StrEnum):
    """Which blanks of a text are left away; AUTO is the side that COBOL pads."""

    AUTO = "auto"
    BOTH = "both"
    NONE = "none"


class Form(StrEnum):
    """How a number appears outside of COBOL."""

    AUTO = "auto"  # an integer of up to 15 digits as number, all else as decimal string
    STRING = "string"  # "12.50"
    NUMBER = "number"  # 12.50 in JSON, exact; Decimal in Python
    SCALED = "scaled"  # 1250
    CODE = "code"  # "0000001250": all digits of the picture, an identifier, not a quantity


@dataclass(frozen=True, slots=True)
class Policy:
    """Defaults refuse what is no value; None takes the default of the kind of field.

    Blank text is the empty text, and all bytes of a binary field are numbers, so these keep them.
    """

    blanks: Meaning | None = None
    low_values: Meaning | None = None
    high_values: Meaning | None = None
    trim: Trim = Trim.AUTO
    form: Form = Form.AUTO
    controls: bool = False  # keep control characters in text
    preferred_signs: bool = False  # refuse sign nibbles A, B and E

    def meaning(self, kind: Kind) -> tuple[Meaning, Meaning, Meaning]:
        """For blanks, low-values and high-values of such a field. Raises ValueError."""
        number = isinstance(kind, Zoned | Packed | Edited)
        bits = isinstance(kind, Binary | Float)
        default = Meaning.KEEP if bits else Meaning.ERROR
        blanks = self.blanks or (default if number or bits else Meaning.KEEP)
        found = (blanks, self.low_values or default, self.high_values or default)
        if number and Meaning.KEEP in found:
            raise ValueError(
                "blanks, low-values and high-values are no numbers: error, null or zero"
            )
        if not number and not bits and Meaning.ZERO in found:
            raise ValueError("text has no zero: error, null or keep")
        return found

    def form_of(self, digits: int, scale: int) -> Form:
        """The form that AUTO stands for."""
        if self.form is not Form.AUTO:
            return self.form
        integer = scale <= 0 and digits - scale <= EXACT_DIGITS
        return Form.NUMBER if integer else Form.STRING
