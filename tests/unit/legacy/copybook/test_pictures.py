"""PICTURE and USAGE: every form, and the bytes it takes."""

from dataclasses import replace

import pytest

from adapters.legacy_cobol.copybook.dialects import GNUCOBOL, MICRO_FOCUS
from adapters.legacy_cobol.copybook.kinds import (
    Binary,
    Edited,
    Float,
    Kind,
    National,
    Packed,
    Text,
    Zoned,
)
from adapters.legacy_cobol.copybook.parser import CopybookOptions
from tests.unit.legacy.copybook.reading import FREE, item, kind, record

KINDS = [
    ("PIC X", Text(1)),
    ("PIC IS X(10)", Text(10)),
    ("PICTURE XX(3)X", Text(5)),
    ("PIC A(4)", Text(4)),
    ("PIC X(2)9A", Text(4)),
    ("PIC X(3)BX/0", Text(7)),
    ("PIC X(5) JUSTIFIED RIGHT", Text(5, justified=True)),
    ("PIC X(5) JUST", Text(5, justified=True)),
    ("PIC N(6)", National(6)),
    ("PIC N(6) USAGE NATIONAL", National(6)),
    ("PIC NBN", National(3)),
    ("PIC 9", Zoned(1)),
    ("PIC 9(5)V99", Zoned(7, 2)),
    ("PIC S9(5)V9(2)", Zoned(7, 2, signed=True)),
    ("PIC SV9(3)", Zoned(3, 3, signed=True)),
    ("PIC V99", Zoned(2, 2)),
    ("PIC 9(3)V", Zoned(3)),
    ("PIC 9(3)PP", Zoned(3, -2)),
    ("PIC 9(3)P(2)V", Zoned(3, -2)),
    ("PIC VPP9(3)", Zoned(3, 5)),
    ("PIC PP9(3)", Zoned(3, 5)),
    ("PIC SVP9", Zoned(1, 2, signed=True)),
    ("PIC S9(4) SIGN LEADING", Zoned(4, 0, signed=True, leading=True)),
    ("PIC S9(4) LEADING SEPARATE", Zoned(4, 0, signed=True, leading=True, separate=True)),
    ("PIC S9(4) SIGN IS TRAILING SEPARATE CHARACTER", Zoned(4, 0, signed=True, separate=True)),
    ("PIC 9(4) BLANK WHEN ZERO", Zoned(4, blank_when_zero=True)),
    ("PIC 9(4) BLANK ZEROES", Zoned(4, blank_when_zero=True)),
    ("PIC 9(38)", Zoned(38)),
    ("PIC S9(7)V99 COMP-3", Packed(9, 2, signed=True)),
    ("PIC 9(4) PACKED-DECIMAL", Packed(4)),
    ("PIC 9(4) COMPUTATIONAL-3", Packed(4)),
    ("PIC 9(5) COMP-6", Packed(5, sign_nibble=False)),
    ("PIC S9(4) COMP", Binary(4, 2, signed=True)),
    ("PIC 9(9) USAGE IS BINARY", Binary(9, 4)),
    ("PIC S9(7)V99 COMP-4", Binary(9, 4, 2, signed=True)),
    ("PIC S9(10) COMPUTATIONAL", Binary(10, 8, signed=True)),
    ("PIC S9(4) COMP-5", Binary(4, 2, signed=True, native=True)),
    ("USAGE COMP-1", Float(4)),
    ("COMP-2", Float(8)),
    ("USAGE IS FLOAT-LONG", Float(8)),
    ("USAGE INDEX", Binary(10, 4, signed=True, native=True)),
    ("BINARY-CHAR", Binary(3, 1, signed=True, native=True)),
    ("BINARY-SHORT UNSIGNED", Binary(5, 2, native=True)),
    ("USAGE BINARY-LONG SIGNED", Binary(10, 4, signed=True, native=True)),
    ("BINARY-DOUBLE", Binary(19, 8, signed=True, native=True)),
    ("BINARY-DOUBLE UNSIGNED", Binary(20, 8, native=True)),
    ("PIC ZZ,ZZ9.99", Edited("ZZ,ZZ9.99", 7, 2)),
    ("PIC Z(4)9-", Edited("ZZZZ9-", 5, 0, signed=True)),
    ("PIC $$,$$9.99CR", Edited("$$,$$9.99CR", 6, 2, signed=True)),
    ("PIC $ZZ9DB", Edited("$ZZ9DB", 3, 0, signed=True)),
    ("PIC +++9", Edited("+++9", 3, 0, signed=True)),
    ("PIC -(5)9.9(3)", Edited("-----9.999", 8, 3, signed=True)),
    ("PIC +9(3)", Edited("+999", 3, 0, signed=True)),
    ("PIC **,***.**", Edited("**,***.**", 7, 2)),
    ("PIC 99/99/9999", Edited("99/99/9999", 8)),
    ("PIC 9(3)B9(3)", Edited("999B999", 6)),
    ("PIC ZZ9V99", Edited("ZZ9V99", 5, 2)),
    ("PIC Z(3)PP", Edited("ZZZPP", 3, -2)),
    ("PIC ---.--", Edited("---.--", 4, 2, signed=True)),
    ("PIC Z9.9 BLANK WHEN ZERO", Edited("Z9.9", 3, 1, blank_when_zero=True)),
    ("PIC 0099", Edited("0099", 2)),
]


@pytest.mark.parametrize(("clauses", "expected"), KINDS)
def test_kinds(clauses: str, expected: Kind) -> None:
    assert kind(clauses) == expected
    assert kind(clauses.lower()) == expected


@pytest.mark.parametrize(("clauses", "expected"), KINDS)
def test_bytes_of_a_kind(clauses: str, expected: Kind) -> None:
    assert item(clauses).length == expected.length


@pytest.mark.parametrize(
    ("digits", "ibm", "gnucobol", "unsigned", "signed"),
    [
        (1, 2, 1, 1, 1),
        (2, 2, 1, 1, 1),
        (3, 2, 2, 2, 2),
        (5, 4, 4, 3, 3),
        (7, 4, 4, 3, 4),
        (9, 4, 4, 4, 4),
        (10, 8, 8, 5, 5),
        (12, 8, 8, 5, 6),
        (14, 8, 8, 6, 6),
        (16, 8, 8, 7, 7),
        (18, 8, 8, 8, 8),
    ],
)
def test_bytes_of_binary_numbers(
    digits: int, ibm: int, gnucobol: int, unsigned: int, signed: int
) -> None:
    clauses = f"PIC 9({digits}) COMP"
    assert item(clauses).length == ibm
    assert item(clauses, replace(FREE, dialect=GNUCOBOL)).length == gnucobol
    assert item(clauses, replace(FREE, dialect=MICRO_FOCUS)).length == unsigned
    assert item(f"PIC S9({digits}) COMP", replace(FREE, dialect=MICRO_FOCUS)).length == signed


def test_decimal_point_is_comma() -> None:
    options = replace(FREE, decimal_comma=True)
    expected = Edited("Z.ZZ9,99", 6, 2, point=",", separator=".")
    assert kind("PIC Z.ZZ9,99", options) == expected
    assert item("PIC 9V9 VALUE 1,5", options).value is not None


def test_another_currency_sign() -> None:
    options = replace(FREE, currency="€")
    assert kind("PIC €€9,99", replace(options, decimal_comma=True)) == Edited(
        "€€9,99", 4, 2, point=",", separator=".", currency="€"
    )


def test_groups_hand_their_usage_and_sign_down() -> None:
    found = record(
        """05 G COMP-3 SIGN LEADING SEPARATE. 10 A PIC S9(5). 10 B USAGE DISPLAY PIC S9(3).
        10 C. 15 D PIC 9. 15 E PIC S9 SIGN TRAILING DISPLAY."""
    )
    assert found.find("A").kind == Packed(5, signed=True)
    assert found.find("B").kind == Zoned(3, signed=True, leading=True, separate=True)
    assert found.find("D").kind == Packed(1)
    assert found.find("E").kind == Zoned(1, signed=True)
    assert found.find("A").usage == "COMP-3"


def test_a_pointer_is_bytes_and_a_notice() -> None:
    options = CopybookOptions(form=FREE.form)
    found = record("05 A PIC X. 05 P USAGE POINTER. 05 B PIC X.", options)
    assert found.find("P").kind is None
    assert found.find("P").children == ()
    assert found.find("P").length == 4
    assert found.find("B").offset == 5
