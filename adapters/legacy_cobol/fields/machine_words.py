"""Columns of bytes as 64-bit words, and the decimal digits in them.

The bytes of each record become one big-endian word, so that one numpy operation works on all
records: three steps join eight digits, whatever the number of records.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.columns import Rows

Words = NDArray[Any]  # uint64; the types of numpy lack operations with int

NIBBLES = 0x0F0F0F0F0F0F0F0F
BYTES = 0x00FF00FF00FF00FF
PAIRS = 0x0000FFFF0000FFFF
HALF = 0x00000000FFFFFFFF


def words(rows: Rows, offset: int, length: int) -> Words:
    """Up to eight bytes of each record as an unsigned big-endian integer."""
    width = rows.shape[1]
    if offset + length >= 8:
        start = offset + length - 8
        found: Words = _window(rows, start)
        return found & _low(length) if length < 8 else found
    if width - offset >= 8:
        return _window(rows, offset) >> (8 * (8 - length))
    padded = np.zeros((len(rows), 8), np.uint8)
    padded[:, 8 - length :] = rows[:, offset : offset + length]
    return _window(padded, 0)


def split(offset: int, length: int) -> list[tuple[int, int]]:
    """(offset, length) of the words that cover a field. All but the first have eight bytes."""
    first = length % 8 or 8
    lengths = [first] + [8] * ((length - first) // 8)
    return [(offset + sum(lengths[:at]), each) for at, each in enumerate(lengths)]


def repeated(byte: int, length: int) -> int:
    """A word that repeats a byte `length` times."""
    return int.from_bytes(bytes((byte,)) * length)


def beyond_nine(word: Words) -> Words:
    """Nonzero where a nibble is A to F."""
    found: Words = word & (word << 1 | word << 2) & 0x8888888888888888
    return found


def bytes_beyond_nine(word: Words) -> Words:
    """Nonzero where a byte is more than 9."""
    return (word + 0x7676767676767676 | word) & 0x8080808080808080


def of_nibbles(word: Words) -> NDArray[np.int64]:
    """The value of sixteen decimal nibbles."""
    pairs = word - (word >> 4 & NIBBLES) * 6
    return _joined((pairs >> 8 & BYTES) * 100 + (pairs & BYTES), 10_000, 100_000_000)


def of_bytes(word: Words) -> NDArray[np.int64]:
    """The value of eight bytes of 0 to 9."""
    return _joined((word >> 8 & BYTES) * 10 + (word & BYTES), 100, 10_000)


def _joined(lanes: Words, first: int, second: int) -> NDArray[np.int64]:
    lanes = (lanes >> 16 & PAIRS) * first + (lanes & PAIRS)
    values: NDArray[np.int64] = ((lanes >> 32) * second + (lanes & HALF)).view(np.int64)
    return values


def _window(rows: Rows, start: int) -> Words:
    found: Words = rows[:, start : start + 8].view(">u8")[:, 0].astype(np.uint64)
    return found


def _low(length: int) -> int:
    return (1 << 8 * length) - 1
