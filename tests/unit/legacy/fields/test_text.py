"""PIC X, A and N."""

import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.kinds import ByteOrder, Encoding, National, Text
from adapters.legacy_cobol.fields.codepages import UnknownCodePage, code_page, known
from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Meaning, Policy, Trim
from tests.unit.legacy.fields.cells import ASCII, EBCDIC, read, write

KEEPING = Policy(trim=Trim.NONE, controls=True, low_values=Meaning.KEEP, high_values=Meaning.KEEP)


def test_trimmed_on_the_padded_side() -> None:
    cell = "  Añb  ".encode("cp037")
    assert read(Text(7), cell) == ["  Añb"]
    assert read(Text(7, justified=True), cell) == ["Añb  "]
    both = [read(Text(7), cell, policy=Policy(trim=trim))[0] for trim in (Trim.BOTH, Trim.NONE)]
    assert both == ["Añb", "  Añb  "]
    assert write(Text(3), "A") == [b"\xc1\x40\x40"]
    assert write(Text(3, justified=True), "A") == [b"\x40\x40\xc1"]


def test_blank_text_is_empty_unless_declared() -> None:
    assert read(Text(3), b"\x40" * 3) == [""]
    assert read(Text(3), b"\x40" * 3, policy=Policy(blanks=Meaning.NULL)) == [None]
    assert read(Text(3), b"\x40" * 3, policy=Policy(blanks=Meaning.ERROR)) == [FaultCode.BLANK]
    assert write(Text(3), None, policy=Policy(blanks=Meaning.NULL)) == [b"\x40" * 3]


def test_fillings_and_control_characters() -> None:
    cells = (bytes(2), b"\xff" * 2, b"\x05\xc1", b"\xc1\x07")
    assert read(Text(2), *cells) == [
        FaultCode.LOW_VALUES,
        FaultCode.HIGH_VALUES,
        FaultCode.CONTROL_CHARACTER,
        FaultCode.CONTROL_CHARACTER,
    ]
    assert read(Text(2), *cells, policy=KEEPING) == ["\0\0", "\x9f\x9f", "\tA", "A\x7f"]


def test_bytes_that_are_no_character() -> None:
    assert read(Text(1), b"\x81", b"\x80", encoding=replace(ASCII, code_page="cp1252")) == [
        FaultCode.INVALID_CHARACTER, "€",
    ]  # fmt: skip
    assert read(Text(1), b"\xe9", encoding=ASCII) == [FaultCode.INVALID_CHARACTER]


def test_refusals() -> None:
    assert write(Text(2), "ABC", "漢", 5, None, "A\n") == [
        FaultCode.TOO_LONG,
        FaultCode.UNENCODABLE,
        FaultCode.WRONG_TYPE,
        FaultCode.NULL,
        FaultCode.CONTROL_CHARACTER,
    ]


@pytest.mark.parametrize(
    ("page", "cell", "text"),
    [
        ("cp037", "4a5b7bc0d0e0", "¢$#{}\\"),
        ("cp273", "4a5a6ac0d0e0", "ÄÜöäüÖ"),
        ("cp277", "5b7b7cc0d06a", "ÅÆØæåø"),
        ("cp278", "5b7b7cc0d071e0", "ÅÄÖäå\\É"),
        ("cp280", "c0d0e06a5a7b", "àèçòé£"),
        ("cp284", "6a7bbb69", "ñÑ!#"),
        ("cp285", "5b4aa1bc", "£$¯~"),
        ("cp297", "c0d07c6ae0b1", "éèàùç#"),
        ("cp500", "4a5abbb0", "[]|¢"),
        ("cp1047", "adbd5fb0", "[]^¬"),
        ("cp1140", "9f5b", "€$"),
        ("cp1141", "9fc0", "€ä"),
        ("cp1142", "5ac0", "€æ"),
        ("cp1143", "5ac0", "€ä"),
        ("cp1144", "9fc0", "€à"),
        ("cp1145", "9f6a", "€ñ"),
        ("cp1146", "9f5b", "€£"),
        ("cp1147", "9fc0", "€é"),
        ("cp1148", "9f4a", "€["),
        ("cp1149", "9f4a5ac0", "€ÞÆþ"),
        ("latin-1", "e9", "é"),
    ],
)
def test_hand_checked_pages(page: str, cell: str, text: str) -> None:
    raw = bytes.fromhex(cell)
    encoding = replace(EBCDIC, code_page=page)
    assert read(Text(len(raw)), raw, encoding=encoding) == [text]
    assert write(Text(len(raw)), text, encoding=encoding) == [raw]


@pytest.mark.parametrize("name", sorted(known()))
def test_pages_are_one_to_one(name: str) -> None:
    page = code_page(name)
    assert page is not None
    everything = bytes(range(256))
    assert page.encode(page.decode(everything)) == everything
    characters = "ABCXYZabcxyz0189 .,-+/"
    assert page.encode(characters) == characters.encode("cp037")


def test_names_of_pages() -> None:
    for name in ("037", "IBM037", "IBM-037", "cp037", "CP37"):
        page = code_page(name)
        assert page is not None
        assert page.name == "cp037"
    with pytest.raises(UnknownCodePage, match="cp1047"):
        code_page("ebcdic-klingon")


def test_pages_of_several_bytes() -> None:
    encoding = replace(ASCII, code_page="shift_jis")
    assert read(Text(4), "あ".encode("shift_jis") + b"  ", encoding=encoding) == ["あ"]
    assert write(Text(4), "あ", "あああ", "é", encoding=encoding) == [
        b"\x82\xa0  ", FaultCode.TOO_LONG, FaultCode.UNENCODABLE,
    ]  # fmt: skip
    assert read(Text(1), b"\x82", encoding=encoding) == [FaultCode.INVALID_CHARACTER]


def test_national() -> None:
    little = Encoding(byte_order=ByteOrder.LITTLE)
    assert read(National(3), "漢A ".encode("utf-16-be")) == ["漢A"]
    assert read(National(3), "漢A ".encode("utf-16-le"), encoding=little) == ["漢A"]
    assert read(National(2, justified=True), " A".encode("utf-16-be")) == ["A"]
    assert read(National(2), "😀".encode("utf-16-be"), b"\xd8\x3d\x00\x41") == [
        "😀", FaultCode.INVALID_CHARACTER,
    ]  # fmt: skip
    assert read(National(2), b"\x00\x20" * 2, policy=Policy(blanks=Meaning.NULL)) == [None]
    assert write(National(2), "漢", "abc", None) == [
        "漢 ".encode("utf-16-be"), FaultCode.TOO_LONG, FaultCode.NULL,
    ]  # fmt: skip


@given(st.lists(st.binary(min_size=5, max_size=5), min_size=1), st.sampled_from(sorted(known())))
def test_kept_bytes_come_back(cells: list[bytes], page: str) -> None:
    encoding = replace(EBCDIC, code_page=page)
    texts = read(Text(5), *cells, encoding=encoding, policy=KEEPING)
    assert write(Text(5), *texts, encoding=encoding, policy=KEEPING) == cells


@given(st.lists(st.binary(min_size=5, max_size=5), min_size=1), st.booleans())
def test_good_text_comes_back(cells: list[bytes], justified: bool) -> None:
    kind = Text(5, justified)
    for cell, text in zip(cells, read(kind, *cells), strict=True):
        if not isinstance(text, FaultCode):
            assert write(kind, text) == [cell]


GLIBC_DIFFERS = {
    "cp278": {0x71, 0xE0},
    "cp285": {0xA1},
    "cp871": {0x4A, 0xC0},
    "cp1047": set(),
}


@pytest.mark.skipif(shutil.which("iconv") is None, reason="no iconv to compare with")
@pytest.mark.parametrize("name", sorted(known()))
def test_pages_as_glibc_has_them(name: str) -> None:
    command = ["iconv", "-f", f"IBM{name[2:]}", "-t", "UTF-16LE"]
    run = subprocess.run(command, input=bytes(range(256)), capture_output=True, check=True)
    page = code_page(name)
    assert page is not None
    pairs = zip(page.decode(bytes(range(256))), run.stdout.decode("utf-16-le"), strict=True)
    different = {at for at, (ours, theirs) in enumerate(pairs) if ours != theirs}
    assert different == GLIBC_DIFFERS.get(name, set())
