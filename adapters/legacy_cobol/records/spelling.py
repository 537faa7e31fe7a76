"""How JSON text is spelled in matrices, before one pass over all records turns it into UTF-8.

The pass deletes X'00' and translates every byte, so both cost nothing more than either. Columns of
text are therefore laid out in the code page of the file, and constants and digits are spelled in
it. A quote in a text must be escaped, but the quotes around it must not: those are spelled as a
control character, and everything that JSON escapes or writes in several bytes sets off an alarm.
Then the records are spelled in UTF-8, character by character.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.codepages import CodePage
from adapters.legacy_cobol.fields.columns import Rows

_ALARM = 0xFF  # never in UTF-8
_LINE_END, _QUOTE, _BACKSLASH = 0x0A, 0x22, 0x5C
WORD = 8  # bytes; the width of a matrix for `finish` is a multiple of it


class NotPlain(Exception):
    """A text has characters that JSON escapes or writes in several bytes."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """`write` spells a byte of UTF-8 in the matrix, and `read` is the way back.

    `inner` and `last` are the four digits of 0 to 9999; from index 10000 on without leading zeros.
    In the first table 0 is then empty, in the second it is "0". `page`: whose text may be laid out
    as it is. Without one, the spelling is UTF-8 itself.
    """

    page: CodePage | None
    write: bytes
    read: bytes | None
    inner: NDArray[np.uint32]
    last: NDArray[np.uint32]

    def finish(self, matrix: Rows) -> bytes:
        """The text of all rows in UTF-8. Raises NotPlain."""
        words = matrix.view(np.uint64).ravel()
        raw: bytes = words[words != 0].tobytes()
        found = raw.translate(self.read, b"\x00")
        if self.read is not None and found and np.frombuffer(found, np.uint8).max() == _ALARM:
            raise NotPlain
        return found


@lru_cache(maxsize=64)
def plain(page: CodePage) -> Spelling | None:
    """The spelling for plain text of a page; None if the page is not suitable."""
    characters = [page.alphabet[code] for code in page.read]
    low, high = page.harmless
    spare = [byte for byte in range(1, 256) if not low <= byte <= high]
    if low == 0 or len(spare) < 3:
        return None
    quote, line_end, alarm = spare[:3]
    read = bytearray((_ALARM,)) * 256
    write = bytearray((alarm,)) * 256
    for byte, character in enumerate(characters):
        code = ord(character)
        if low <= byte <= high and 0x20 <= code < 0x7F and code not in (_QUOTE, _BACKSLASH):
            read[byte], write[code] = code, byte
    read[quote], write[_QUOTE] = _QUOTE, quote
    read[line_end], write[_LINE_END] = _LINE_END, line_end
    write[0] = 0
    return _spelling(page, bytes(write), bytes(read))


def _spelling(page: CodePage | None, write: bytes, read: bytes | None) -> Spelling:
    numbers = np.arange(10_000, dtype=np.uint16)[:, None]
    powers = np.array([1000, 100, 10, 1], np.uint16)
    padded = (numbers // powers % 10 + ord("0")).astype(np.uint8)
    bare = np.where(numbers < powers, np.uint8(0), padded)
    zero = bytes(3) + b"0"
    inner = padded.tobytes() + bare.tobytes()
    last = padded.tobytes() + zero + bare[1:].tobytes()
    tables = (np.frombuffer(each.translate(write), np.uint32) for each in (inner, last))
    return Spelling(page, write, read, *tables)


UTF_8 = _spelling(None, bytes(range(256)), None)
