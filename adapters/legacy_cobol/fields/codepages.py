"""Code pages: those of Python, and the national EBCDIC pages that Python lacks.

Each of these is page 500 with some characters at other bytes, as registered by IBM. IBM is right
where glibc differs (278 at 71 and E0, 285 at A1, 871 at 4A and C0) or Python (273 at BC). In all of
them, 15 is the control NEL and 25 is LF. Pages 1140 to 1149 are the older ones with the euro sign.
Pages 838 (Thai), 870 (Latin-2), 1025 (Cyrillic), and those with two bytes per character: see
`charsets`.
"""

import codecs
import encodings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from adapters.legacy_cobol.fields.charsets import is_wide, single_bytes

_MOVED = {
    "cp273": "43{ 4AÄ 59~ 5AÜ 63[ 6Aö 7C§ A1ß B5@ C0ä CC¦ D0ü DC} E0Ö EC\\ FC]",
    "cp277": "47} 4A# 5A¤ 5BÅ 67$ 6Aø 70¦ 7BÆ 7CØ 80@ 9C{ 9E[ 9F] A1ü C0æ D0å DC~",
    "cp278": "43{ 47} 4A§ 51` 5A¤ 5BÅ 63# 67$ 6Aö 71\\ 79é 7BÄ 7CÖ 9F] A1ü B5[ C0ä CC¦ D0å DC~ E0É "
    "EC@",
    "cp280": "44{ 48\\ 4A° 51] 54} 58~ 5Aé 6Aò 79ù 7B£ 7C§ 90[ A1ì B1# B5@ C0à CD¦ D0è DD` E0ç",
    "cp284": "49¦ 4F| 5F¬ 69# 6Añ 7BÑ A1¨ BA^ BB! BD~",
    "cp285": "4A$ 4F| 5A! 5B£ 5F¬ A1¯ B1[ BA^ BB] BC~",
    "cp297": "44@ 48\\ 4A° 51{ 54} 5A§ 6Aù 79µ 7B£ 7Cà 90[ A0` A1¨ B1# B5] BD~ C0é D0è DD¦ E0ç",
    "cp871": "4AÞ 5AÆ 5FÖ 79ð 7CÐ 8C` 8E{ 9C} 9E] A1ö AC@ AE[ BE\\ C0þ CC~ D0æ E0´ EC^",
    "cp1047": "4A¢ 4F| 5A! AD[ B0¬ BAÝ BB¨ BD]",
}
_EURO = {
    "cp1141": ("cp273", 0x9F),
    "cp1142": ("cp277", 0x5A),
    "cp1143": ("cp278", 0x5A),
    "cp1144": ("cp280", 0x9F),
    "cp1145": ("cp284", 0x9F),
    "cp1146": ("cp285", 0x9F),
    "cp1147": ("cp297", 0x9F),
    "cp1148": ("cp500", 0x9F),
    "cp1149": ("cp871", 0x9F),
}
UNDEFINED = "\ufffe"  # not a character, as in the tables of Python
LATIN = "".join(map(chr, range(256)))
_SPARE = range(0xFF, 0x7F, -1)


class UnknownCodePage(ValueError):
    """An unknown code page. The text lists the known ones."""


@dataclass(frozen=True, slots=True)
class CodePage:
    """A code page of 256 characters, with tables for whole columns.

    `read` turns bytes into indexes of `alphabet`, in which ASCII and Latin-1 characters keep their
    code and others have a spare one. `write` is its inverse. `bad` are the bytes that are not
    characters, `controls` those and the control characters. `harmless` is the longest range
    (lowest and highest byte) with the blank and without controls.
    """

    name: str
    alphabet: str
    read: bytes
    write: bytes
    bad: bytes
    controls: bytes
    harmless: tuple[int, int]
    space: int

    def encode(self, text: str) -> bytes:
        """The bytes of a text. Raises UnicodeEncodeError for a character that the page lacks."""
        return self.codes(text).translate(self.write)

    def codes(self, text: str) -> bytes:
        """The codes of a text. Raises UnicodeEncodeError for a character that the page lacks."""
        return codecs.charmap_encode(text, "strict", _encoding_map(self.alphabet))[0]

    def decode(self, data: bytes) -> str:
        """The text of bytes, with UNDEFINED for bytes that are not characters."""
        text = data.translate(self.read).decode("latin-1")
        return text if self.alphabet == LATIN else text.translate(dict(enumerate(self.alphabet)))


@lru_cache(maxsize=64)
def _encoding_map(alphabet: str) -> Any:
    return codecs.charmap_build(alphabet)


def characters(name: str) -> str | None:
    """The 256 characters of a page; None for an encoding with several bytes per character.

    Raises UnknownCodePage.
    """
    name = normal(name)
    if name in _EURO:
        base, euro = _EURO[name]
        table = characters(base)
        assert table is not None  # noqa: S101  (the older pages have one byte per character)
        return f"{table[:euro]}€{table[euro + 1 :]}"
    if name in _MOVED:
        table_500 = list(bytes(range(256)).decode("cp500"))
        for each in _MOVED[name].split():
            table_500[int(each[:2], 16)] = each[2]
        return "".join(table_500)
    if is_wide(name):
        return None
    return single_bytes().get(name) or _of_python(name)


def _of_python(name: str) -> str | None:
    try:
        codec = codecs.lookup(name)
    except LookupError:
        pages = known() | {"cp300"} | set(single_bytes())
        raise UnknownCodePage(
            f"unknown code page {name}: use an EBCDIC page ({', '.join(sorted(pages))}) or an "
            "encoding of Python"
        ) from None
    if any(len(_encoded(codec, each)) > 1 for each in "aé€ßあ漢가"):
        return None
    return "".join(_decoded(codec, byte) for byte in range(256))


def _encoded(codec: codecs.CodecInfo, character: str) -> bytes:
    try:
        return codec.encode(character)[0]
    except UnicodeEncodeError:
        return b""


def _decoded(codec: codecs.CodecInfo, byte: int) -> str:
    try:
        return codec.decode(bytes((byte,)))[0]
    except UnicodeDecodeError:
        return UNDEFINED


def normal(name: str) -> str:
    """The normal form of a name: 037, IBM037, CP-037 and cp037 are one page."""
    bare = name.strip().lower().replace("_", "-")
    for prefix in ("ibm-", "ibm", "cp-", "cp", "ccsid", "ebcdic-"):
        if bare.startswith(prefix) and bare[len(prefix) :].isdigit():
            bare = bare[len(prefix) :]
            break
    return f"cp{int(bare):03d}" if bare.isdigit() else encodings.normalize_encoding(bare)


def known() -> set[str]:
    """The names of the EBCDIC pages for Latin letters."""
    return {"cp037", "cp500", "cp1140"} | set(_MOVED) | set(_EURO)


@lru_cache(maxsize=64)
def code_page(name: str) -> CodePage | None:
    """A page by its name; None for several bytes per character. Raises UnknownCodePage."""
    table = characters(name)
    return None if table is None else _page(normal(name), table)


@lru_cache(maxsize=64)
def single_byte_page(name: str) -> CodePage:
    """The page of digits and signs: of the single bytes if the page also has pairs."""
    if is_wide(normal(name)):
        table = single_bytes().get(normal(name)) or single_bytes()["cp939"]
        return _page(normal(name), table)
    page = code_page(name) or code_page("ascii")
    assert page is not None  # noqa: S101  (ASCII has one byte per character)
    return page


def _page(name: str, table: str) -> CodePage:
    spare = [code for code in _SPARE if chr(code) not in table]
    read = bytearray(256)
    alphabet = [UNDEFINED] * 256
    for byte, character in enumerate(table):
        plain = ord(character) < 256 and alphabet[ord(character)] == UNDEFINED
        code = ord(character) if plain else spare.pop()
        read[byte], alphabet[code] = code, character
    write = bytearray(256)
    for byte, code in enumerate(read):
        write[code] = byte
    bad = bytes(byte for byte, character in enumerate(table) if character == UNDEFINED)
    controls = bytes(byte for byte, character in enumerate(table) if is_control(character))
    return CodePage(
        name, "".join(alphabet), bytes(read), bytes(write), bad, controls,
        _range_around(write[0x20], controls), write[0x20],
    )  # fmt: skip


def is_control(character: str) -> bool:
    """Whether it is C0, DEL or C1, or not a character."""
    return character < " " or "\x7f" <= character < "\xa0" or character == UNDEFINED


def _range_around(byte: int, without: bytes) -> tuple[int, int]:
    """The longest range with `byte` that has none of the others."""
    low = max((each + 1 for each in without if each < byte), default=0)
    high = min((each - 1 for each in without if each > byte), default=255)
    return low, high
