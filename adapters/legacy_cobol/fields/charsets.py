"""Character sets with several bytes per character: DBCS of IBM, and those of Python.

IBM's tables for 300, 930, 939, 1364 and 1388 are those of glibc; a file of this package has them,
as Python lacks them. In a mixed page, X'0E' (shift out) begins text of two bytes per character, and
X'0F' (shift in) ends it. The first byte and the second one are X'41' to X'FE', or both X'40'.
"""

import codecs
import json
import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

from adapters.legacy_cobol.copybook.kinds import ByteOrder, Charset, Encoding, National, Text

_TABLES = Path(__file__).parent / "tables"
SHIFT_OUT, SHIFT_IN = 0x0E, 0x0F
_UNDEFINED = "\ufffe"
_FIRST, _ROW = 0x40, 0xBF  # lowest byte of a pair, and how many there are
_DOUBLE = {"cp300": "ibm300", "cp930": "ibm300", "cp939": "ibm300", "cp1364": "ibm1364",
           "cp1388": "ibm1388"}  # fmt: skip
WIDE_BLANK = "\u3000"


class CharacterSet(Protocol):
    """Text as bytes, and back."""

    def decode(self, data: bytes) -> str:
        """The text. Raises UnicodeDecodeError."""
        ...

    def encode(self, text: str) -> bytes:
        """The bytes. Raises UnicodeEncodeError."""
        ...


@dataclass(frozen=True, slots=True)
class OfPython:
    """A character set that Python knows."""

    name: str

    def decode(self, data: bytes) -> str:
        """The text. Raises UnicodeDecodeError."""
        return data.decode(self.name)

    def encode(self, text: str) -> bytes:
        """The bytes. Raises UnicodeEncodeError."""
        return text.encode(self.name)


@dataclass(frozen=True)
class DoubleByte:
    """Two bytes per character, without shifts: PIC G, and page 300."""

    name: str
    table: str

    @cached_property
    def written(self) -> dict[str, bytes]:
        """The bytes of each character."""
        found = enumerate(self.table)
        return {
            each: bytes((_FIRST + at // _ROW, _FIRST + at % _ROW))
            for at, each in found
            if each != _UNDEFINED
        }

    def decode(self, data: bytes) -> str:
        """The text. Raises UnicodeDecodeError."""
        pairs = range(0, len(data), 2)
        return "".join([self.character(data, at) for at in pairs])

    def character(self, data: bytes, at: int) -> str:
        """The character of the two bytes there. Raises UnicodeDecodeError."""
        pair = data[at : at + 2]
        if pair == b"\0\0":
            return "\0"
        if len(pair) == 2 and all(_FIRST <= each < _FIRST + _ROW for each in pair):
            found = self.table[(pair[0] - _FIRST) * _ROW + pair[1] - _FIRST]
            if found != _UNDEFINED:
                return found
        raise UnicodeDecodeError(self.name, data, at, min(at + 2, len(data)), "no character")

    def encode(self, text: str) -> bytes:
        """The bytes. Raises UnicodeEncodeError."""
        try:
            return b"".join([self.written[each] for each in text])
        except KeyError:
            at = next(at for at, each in enumerate(text) if each not in self.written)
            raise UnicodeEncodeError(self.name, text, at, at + 1, "no such character") from None


@dataclass(frozen=True)
class Mixed:
    """One byte per character, and two between X'0E' and X'0F'."""

    name: str
    single: str
    double: DoubleByte

    @cached_property
    def written(self) -> dict[str, bytes]:
        """The byte of each character of one byte."""
        known = {each: bytes((at,)) for at, each in enumerate(self.single) if each != _UNDEFINED}
        return {each: byte for each, byte in known.items() if each not in "\x0e\x0f"}

    def decode(self, data: bytes) -> str:
        """The text. Raises UnicodeDecodeError."""
        found: list[str] = []
        at, wide = 0, False
        while at < len(data):
            byte = data[at]
            if byte == (SHIFT_IN if wide else SHIFT_OUT):
                wide, at = not wide, at + 1
            elif wide:
                found.append(self.double.character(data, at))
                at += 2
            elif byte == SHIFT_IN or self.single[byte] == _UNDEFINED:
                raise UnicodeDecodeError(self.name, data, at, at + 1, "no character")
            else:
                found.append(self.single[byte])
                at += 1
        if wide:
            raise UnicodeDecodeError(self.name, data, len(data) - 1, len(data), "no shift in")
        return "".join(found)

    def encode(self, text: str) -> bytes:
        """The bytes. Raises UnicodeEncodeError."""
        out, wide = bytearray(), False
        for at, each in enumerate(text):
            byte, pair = self.written.get(each), self.double.written.get(each)
            if byte is None and pair is None:
                raise UnicodeEncodeError(self.name, text, at, at + 1, "no such character")
            if (byte is None) != wide:
                out.append(SHIFT_IN if wide else SHIFT_OUT)
                wide = not wide
            out += byte or pair or b""
        return bytes(out) + bytes((SHIFT_IN,) if wide else ())


@lru_cache
def single_bytes() -> dict[str, str]:
    """The 256 characters of pages that Python lacks, also of the single bytes of mixed pages."""
    found: dict[str, str] = json.loads((_TABLES / "pages.json").read_text())
    return found


def is_wide(name: str) -> bool:
    """Whether it is a page of IBM with two bytes per character."""
    return name in _DOUBLE


@lru_cache
def character_set(name: str) -> CharacterSet:
    """The character set of a page, by its normal name. Raises LookupError."""
    if name not in _DOUBLE:
        codecs.lookup(name)
        return OfPython(name)
    double = _double(_DOUBLE[name])
    return double if name == "cp300" else Mixed(name, single_bytes()[name], double)


def character_set_of(kind: Text | National, name: str, encoding: Encoding) -> CharacterSet:
    """The character set of a field in a file with this page. Raises LookupError."""
    match kind:
        case National(charset=Charset.UTF_16):
            little = encoding.byte_order is ByteOrder.LITTLE
            return OfPython("utf-16-le" if little else "utf-16-be")
        case National(charset=Charset.UTF_8):
            return OfPython("utf-8")
        case National(charset=Charset.DBCS) if name in _DOUBLE:
            return _double(_DOUBLE[name])
    return character_set(name)


@lru_cache
def _double(file: str) -> DoubleByte:
    raw = zlib.decompress((_TABLES / f"{file}.bin").read_bytes())
    return DoubleByte(file, raw.decode("utf-16-be"))
