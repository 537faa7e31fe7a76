"""Pages that Python lacks: Thai, Latin-2, Cyrillic, and those with two bytes per character."""

import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.kinds import Charset, Edited, National, Text, Zoned
from adapters.legacy_cobol.fields.charsets import character_set
from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Padding, Policy, Trim
from tests.unit.legacy.copybook.reading import kind
from tests.unit.legacy.fields.cells import EBCDIC, read, write

MIXED = {
    "cp930": ("ABカ", "国民"),
    "cp939": ("abカ", "国民"),
    "cp1364": ("ABab", "국민"),
    "cp1388": ("ABab", "国民"),
}


def iconv(page: str, data: bytes) -> str:
    """What glibc reads."""
    command = ["iconv", "-f", f"IBM{page.removeprefix('cp')}", "-t", "UTF-8"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()


@pytest.mark.parametrize(("page", "texts"), MIXED.items())
def test_mixed_text(page: str, texts: tuple[str, str]) -> None:
    encoding = replace(EBCDIC, code_page=page)
    single, double = texts
    for text in (single, double, f"{single}{double}{single}", f"{double} {double}"):
        (cell,) = write(Text(24), text, encoding=encoding)
        assert read(Text(24), cell, encoding=encoding) == [text]
        assert cell.count(b"\x0e") == cell.count(b"\x0f")
        if shutil.which("iconv"):
            assert iconv(page, cell).rstrip(" ") == text
    assert write(Text(6), double, encoding=encoding)[0][:1] == b"\x0e"
    assert write(Text(5), double, encoding=encoding) == [FaultCode.TOO_LONG]
    assert write(Text(9), "😀", encoding=encoding) == [FaultCode.UNENCODABLE]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("0e4562456f0f4040", "国民"),
        ("0e4562456f456240", FaultCode.INVALID_CHARACTER),
        ("0f40404040404040", FaultCode.INVALID_CHARACTER),
        ("0e45620f0e456f0f", "国民"),
        ("0e40400f40404040", "\u3000"),
        ("0e4562456f0f0740", FaultCode.CONTROL_CHARACTER),
        ("c10e0f4040404040", "A"),
        ("0e41000f40404040", FaultCode.INVALID_CHARACTER),
    ],
)
def test_shifts(cell: str, found: str | FaultCode) -> None:
    raw = character_set("cp939").encode("国民")
    cell = cell.replace("4562456f", raw[1:5].hex()).replace("4562", raw[1:3].hex())
    cell = cell.replace("456f", raw[3:5].hex())
    encoding = replace(EBCDIC, code_page="939")
    assert read(Text(8), bytes.fromhex(cell), encoding=encoding) == [found]


def test_padding_and_numbers_of_a_mixed_page() -> None:
    encoding = replace(EBCDIC, code_page="cp930")
    nul = Policy(padding=Padding.NUL)
    assert read(Text(4), b"\xc1\0\0\0", encoding=encoding, policy=nul) == ["A"]
    assert read(Zoned(2, signed=True), b"\xf1\xd2", encoding=encoding) == [-12]
    assert read(Edited("ZZ9.99", 5, 2), b"\x40\x40\xf1\x4b\xf5\xf0", encoding=encoding) == ["1.50"]


@pytest.mark.parametrize("page", ["cp300", "cp930", "cp939"])
def test_pairs_without_shifts(page: str) -> None:
    encoding = replace(EBCDIC, code_page=page)
    for clauses in (
        "PIC G(4)",
        "PIC G(4) DISPLAY-1",
        "PIC N(4) DISPLAY-1",
        "PIC G(4) USAGE DISPLAY-1",
    ):
        field = kind(clauses)
        assert field == National(4, charset=Charset.DBCS)
        (cell,) = write(field, "国民", encoding=encoding)
        assert (len(cell), cell[4:]) == (8, b"\x40\x40\x40\x40")
        assert read(field, cell, encoding=encoding) == ["国民"]
        assert write(field, "A", encoding=encoding) == [FaultCode.UNENCODABLE]
        assert read(field, b"\x0e" * 8, encoding=encoding) == [FaultCode.INVALID_CHARACTER]


def test_a_file_of_pairs_alone() -> None:
    encoding = replace(EBCDIC, code_page="300")
    assert read(Text(6), *write(Text(6), "国", encoding=encoding), encoding=encoding) == ["国"]


def test_utf_8_text() -> None:
    assert kind("PIC U(3)") == National(3, charset=Charset.UTF_8)
    field = kind("PIC U(10) BYTE-LENGTH IS 8")
    assert field.length == 8
    assert kind("PIC U(3)").length == 12
    (cell,) = write(field, "é漢")
    assert cell == "é漢   ".encode()
    assert read(field, cell, cell[:4] + b"    ") == ["é漢", FaultCode.INVALID_CHARACTER]


@pytest.mark.parametrize(
    ("page", "text"), [("838", "กขค ABC"), ("870", "ŁÓDŹ ßab"), ("1025", "Добро abc")]
)
def test_pages_of_one_byte(page: str, text: str) -> None:
    encoding = replace(EBCDIC, code_page=page)
    (cell,) = write(Text(12), text, encoding=encoding)
    assert read(Text(12), cell, encoding=encoding) == [text]
    assert write(Zoned(2), 12, encoding=encoding) == [b"\xf1\xf2"]


@pytest.mark.skipif(not shutil.which("iconv"), reason="no iconv")
@pytest.mark.parametrize(("page", "differ"), [("cp870", {0xB0}), ("cp1025", set())])
def test_glibc_reads_pages_of_one_byte_alike(page: str, differ: set[int]) -> None:
    whole = bytes(range(0x40, 0xFF))
    encoding = replace(EBCDIC, code_page=page)
    ours = read(Text(len(whole)), whole, encoding=encoding, policy=Policy(trim=Trim.NONE))[0]
    pairs = zip(whole, ours, iconv(page, whole), strict=True)
    assert {byte for byte, one, other in pairs if one != other} == differ


CELLS = st.binary(min_size=6, max_size=6).map(lambda raw: b"\x0e" + raw[:4] + b"\x0f" + raw[4:])


@given(st.lists(CELLS, min_size=1, max_size=5), st.sampled_from(sorted(MIXED)))
def test_good_text_comes_back_or_reads_alike(cells: list[bytes], page: str) -> None:
    encoding = replace(EBCDIC, code_page=page)
    for cell, text in zip(cells, read(Text(8), *cells, encoding=encoding), strict=True):
        if not isinstance(text, FaultCode):
            again = write(Text(8), text, encoding=encoding)
            assert read(Text(8), *again, encoding=encoding) == [text], cell
