"""The sign conventions of DISPLAY numbers, as tables of 256 bytes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.copybook.kinds import ZonedSigns

BAD = 0x40  # in `SignTable.read`: not a digit with a sign
NEGATIVE = 0x10
UNUSUAL = 0x20  # zone A, B or E of EBCDIC

_LETTERS_PLUS = b"{ABCDEFGHI"
_LETTERS_MINUS = b"}JKLMNOPQR"


@dataclass(frozen=True, slots=True)
class SignTable:
    """`read[byte]`: the digit with NEGATIVE, UNUSUAL or BAD. `write[negative][digit]`: the byte."""

    read: NDArray[np.uint8]
    write: NDArray[np.uint8]
    zone: int  # of digits without a sign: F0 or 30
    plus: int  # separate signs
    minus: int
    space: int


@lru_cache
def sign_table(signs: ZonedSigns) -> SignTable:
    """The table of a sign convention. It reads all usual forms of plus."""
    read = np.full(256, BAD, np.uint8)
    ebcdic = signs is ZonedSigns.EBCDIC
    zone = 0xF0 if ebcdic else 0x30
    for digit in range(10):
        read[zone + digit] = digit
    plus, minus = _overpunched(signs)
    for digit in range(10):
        read[plus[digit]] = digit
        read[minus[digit]] = digit | NEGATIVE
        if ebcdic:
            read[0xA0 + digit] = read[0xE0 + digit] = digit | UNUSUAL
            read[0xB0 + digit] = digit | NEGATIVE | UNUSUAL
    write = np.frombuffer(plus + minus, np.uint8).reshape(2, 10)
    if ebcdic:
        return SignTable(read, write, zone, plus=0x4E, minus=0x60, space=0x40)
    return SignTable(read, write, zone, plus=0x2B, minus=0x2D, space=0x20)


def _overpunched(signs: ZonedSigns) -> tuple[bytes, bytes]:
    match signs:
        case ZonedSigns.EBCDIC:
            return bytes(range(0xC0, 0xCA)), bytes(range(0xD0, 0xDA))
        case ZonedSigns.ASCII_TRANSLATED:
            return _LETTERS_PLUS, _LETTERS_MINUS
        case ZonedSigns.ASCII_LETTERS:
            return b"0123456789", b"pqrstuvwxy"
        case ZonedSigns.ASCII_REALIA:
            return b"0123456789", bytes(range(0x20, 0x2A))
