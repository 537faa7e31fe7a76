"""The kinds of elementary fields: the meaning of their bytes, without their position.

Code page, sign convention, byte order and float format belong to the file, not to the field. They
are in `Encoding`.
"""

from dataclasses import dataclass
from enum import StrEnum


class ZonedSigns(StrEnum):
    """How the sign shares a byte with the last (or first) digit of a DISPLAY number."""

    EBCDIC = "ebcdic"  # zone C, D or F: {ABCDEFGHI and }JKLMNOPQR
    ASCII_TRANSLATED = "ascii-translated"  # the same letters, after a translation of the file
    ASCII_LETTERS = "ascii-letters"  # negative digits as p to y: GnuCOBOL's default
    ASCII_REALIA = "ascii-realia"  # negative digits as blank ! " # $ % & ' ( )


class ByteOrder(StrEnum):
    """Byte order of COMP, COMP-4, BINARY and national. COMP-5 and IEEE floats: `native_order`."""

    BIG = "big"
    LITTLE = "little"


class FloatFormat(StrEnum):
    """Format of COMP-1 and COMP-2."""

    IBM = "ibm"  # hexadecimal, base 16, always big endian
    IEEE = "ieee"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file represents characters, signs, integers and floats."""

    code_page: str = "cp037"
    zoned_signs: ZonedSigns = ZonedSigns.EBCDIC
    byte_order: ByteOrder = ByteOrder.BIG
    native_order: ByteOrder = ByteOrder.BIG
    float_format: FloatFormat = FloatFormat.IBM


@dataclass(frozen=True, slots=True)
class Text:
    """PIC X or A, and alphanumeric edited: `length` bytes of the file's code page."""

    length: int
    justified: bool = False  # JUSTIFIED RIGHT: padded on the left


class Charset(StrEnum):
    """The character set of a field that is not in the code page of the file."""

    UTF_16 = "utf-16"  # PIC N
    DBCS = "dbcs"  # PIC G, and PIC N with DISPLAY-1: the pairs of the code page, without shifts
    UTF_8 = "utf-8"  # PIC U


@dataclass(frozen=True, slots=True)
class National:
    """PIC N, G or U: `characters` of a character set of its own.

    PIC U has four bytes for each character, or as many in all as BYTE-LENGTH says.
    """

    characters: int
    justified: bool = False
    charset: Charset = Charset.UTF_16
    byte_length: int = 0

    @property
    def length(self) -> int:
        """The length in bytes."""
        return self.byte_length or (4 if self.charset is Charset.UTF_8 else 2) * self.characters


@dataclass(frozen=True, slots=True)
class Zoned:
    """DISPLAY number. `digits` are stored; the value is the integer times 10 ** -scale.

    `scale` is negative with P on the right (PIC 9(3)PP: digits 3, scale -2), and larger than
    `digits` with P on the left (PIC VPP9(3): digits 3, scale 5).
    """

    digits: int
    scale: int = 0
    signed: bool = False
    leading: bool = False
    separate: bool = False
    blank_when_zero: bool = False

    @property
    def length(self) -> int:
        """The length in bytes, with one for a separate sign."""
        return self.digits + self.separate


@dataclass(frozen=True, slots=True)
class Packed:
    """COMP-3 or PACKED-DECIMAL; COMP-6 without a sign nibble."""

    digits: int
    scale: int = 0
    signed: bool = False
    sign_nibble: bool = True

    @property
    def length(self) -> int:
        """The length in bytes."""
        return (self.digits + self.sign_nibble + 1) // 2


@dataclass(frozen=True, slots=True)
class Binary:
    """COMP, COMP-4, BINARY, COMP-5, INDEX: a two's complement integer of `length` bytes.

    `native` is COMP-5: the whole range of the bytes is valid, in the native byte order.
    `truncated`: a value with more than `digits` digits is an error, as COBOL cuts it when it moves
    it to the field. Not so with TRUNC(BIN).
    """

    digits: int
    length: int
    scale: int = 0
    signed: bool = False
    native: bool = False
    truncated: bool = True

    @property
    def most_digits(self) -> int:
        """The digits of the largest number."""
        if self.truncated and not self.native:
            return self.digits
        return len(str((1 << 8 * self.length) - 1))

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest stored integer."""
        bits = 8 * self.length - self.signed
        low, high = (-(1 << bits) if self.signed else 0), (1 << bits) - 1
        if self.truncated and not self.native:
            largest = 10**self.digits - 1
            low, high = max(low, -largest), min(high, largest)
        return low, high


@dataclass(frozen=True, slots=True)
class Float:
    """COMP-1 (`length` 4) or COMP-2 (8)."""

    length: int


@dataclass(frozen=True, slots=True)
class Edited:
    """A numeric edited picture, expanded (ZZ,ZZ9.99CR).

    `digits` counts the digit positions, `scale` those after the decimal point. `point` and
    `separator` are "." and ",", exchanged by DECIMAL-POINT IS COMMA; `currency` is the sign.
    """

    picture: str
    digits: int
    scale: int = 0
    signed: bool = False
    point: str = "."
    separator: str = ","
    currency: str = "$"
    blank_when_zero: bool = False

    @property
    def length(self) -> int:
        """The length in bytes: one for each symbol, none for V and P, two for CR and DB."""
        return sum(1 for symbol in self.picture if symbol not in "VP")


Kind = Text | National | Zoned | Packed | Binary | Float | Edited
