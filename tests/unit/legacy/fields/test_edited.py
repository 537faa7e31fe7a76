"""Numeric edited pictures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.kinds import Edited
from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Form, Meaning, Policy
from tests.unit.legacy.fields.cells import ASCII, EBCDIC, read, write

PICTURES = [
    # picture, digits, scale, scaled value, print
    ("ZZ,ZZ9.99CR", 7, 2, -123450, " 1,234.50CR"),
    ("ZZ,ZZ9.99CR", 7, 2, 123450, " 1,234.50  "),
    ("ZZ,ZZ9.99DB", 7, 2, -5, "     0.05DB"),
    ("ZZZ.ZZ", 5, 2, 5, "   .05"),
    ("ZZZ.ZZ", 5, 2, 0, "      "),
    ("***.**", 5, 2, 0, "***.**"),
    ("**,**9.99", 7, 2, 1234, "****12.34"),
    ("$$,$$9.99", 6, 2, 1234, "   $12.34"),
    ("$$,$$9.99", 6, 2, 123456, "$1,234.56"),
    ("$9999", 4, 0, 12, "$0012"),
    ("----9", 4, 0, -12, "  -12"),
    ("----9", 4, 0, 12, "   12"),
    ("++++9", 4, 0, 12, "  +12"),
    ("+9999", 4, 0, -12, "-0012"),
    ("9999-", 4, 0, -12, "0012-"),
    ("9999-", 4, 0, 12, "0012 "),
    ("9999+", 4, 0, 12, "0012+"),
    ("ZZ9", 3, 0, 0, "  0"),
    ("99/99/9999", 8, 0, 5112023, "05/11/2023"),
    ("9B999B000", 4, 0, 1234, "1 234 000"),
    ("Z,ZZZ,ZZ9", 7, 0, 1234, "    1,234"),
    ("--,---,--9.99", 9, 2, -1234567, "   -12,345.67"),
]


def edited(picture: str, digits: int, scale: int) -> Edited:
    return Edited(
        picture, digits, scale, signed=any(each in picture for each in ("+", "-", "CR", "DB"))
    )


@pytest.mark.parametrize(("picture", "digits", "scale", "value", "text"), PICTURES)
def test_hand_checked(picture: str, digits: int, scale: int, value: int, text: str) -> None:
    kind, policy = edited(picture, digits, scale), Policy(form=Form.SCALED)
    for encoding, cell in ((ASCII, text.encode()), (EBCDIC, text.encode("cp037"))):
        assert write(kind, value, encoding=encoding, policy=policy) == [cell]
        assert read(kind, cell, encoding=encoding, policy=policy) == [value]


def test_decimal_comma_and_currency() -> None:
    kind = Edited("££.££9,99", 6, 2, point=",", separator=".", currency="£")
    cell = "  £123,45".encode("latin-1")
    assert read(kind, b"  \xa3123,45", encoding=EBCDIC) == [FaultCode.INVALID_EDITED]
    assert cell[2:3] == b"\xa3"
    assert read(kind, "  £123,45".encode("cp037")) == ["123.45"]


def test_blanks() -> None:
    kind = edited("ZZ9", 3, 0)
    assert read(kind, b"   ", encoding=ASCII) == [FaultCode.BLANK]
    assert read(kind, b"   ", encoding=ASCII, policy=Policy(blanks=Meaning.NULL)) == [None]
    blank_when_zero = Edited("ZZ9", 3, blank_when_zero=True)
    assert read(blank_when_zero, b"   ", encoding=ASCII) == [0]
    assert read(edited("ZZZ", 3, 0), b"   ", b" 12", b"012", encoding=ASCII) == [
        0, 12, FaultCode.INVALID_EDITED,
    ]  # fmt: skip


def test_refusals() -> None:
    assert write(edited("ZZ9", 3, 0), -1, 1000, "1.5", None, encoding=ASCII) == [
        FaultCode.NEGATIVE_UNSIGNED, FaultCode.OVERFLOW, FaultCode.FRACTION_LOST, FaultCode.NULL,
    ]  # fmt: skip


@given(st.data(), st.sampled_from(PICTURES))
def test_values_come_back(data: st.DataObject, one: tuple[str, int, int, int, str]) -> None:
    kind, policy = edited(*one[:3]), Policy(form=Form.SCALED)
    limit = 10 ** one[1] - 1
    values = data.draw(st.lists(st.integers(-limit if kind.signed else 0, limit), min_size=1))
    cells = write(kind, *values, encoding=ASCII, policy=policy)
    assert read(kind, *cells, encoding=ASCII, policy=policy) == values


@given(st.lists(st.text(" $*+-,.0123456789CRDB", min_size=11, max_size=11), min_size=1))
def test_any_print_is_exactly_what_the_picture_prints_or_a_code(texts: list[str]) -> None:
    kind = edited("ZZ,ZZ9.99CR", 7, 2)
    cells = [text.encode() for text in texts]
    for cell, value in zip(cells, read(kind, *cells, encoding=ASCII), strict=True):
        if not isinstance(value, FaultCode):
            assert write(kind, value, encoding=ASCII) == [cell]
