"""Numbers whose minus, digits or bytes other programs would lose."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.dialects import GNUCOBOL, IBM, MICRO_FOCUS, Dialect
from adapters.legacy_cobol.copybook.kinds import Binary, Zoned
from adapters.legacy_cobol.copybook.parser import CopybookOptions, read_copybook
from adapters.legacy_cobol.copybook.source import Form
from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Form as NumberForm
from adapters.legacy_cobol.fields.policy import Policy
from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.schema.values import value_schema
from tests.unit.legacy.copybook.reading import copybook, kind
from tests.unit.legacy.fields.cells import ASCII, EBCDIC, read, write
from tests.unit.legacy.records.files import a_type, decode_fixed

CODE = Policy(form=NumberForm.CODE)
SIGNED = "01 R. 05 A PIC S9(4) COMP-3. 05 B PIC S9(3)V99. 05 C PIC S9(9) COMP. 05 D PIC S9(20)."


@given(st.integers(-9999, 9999), st.integers(-99999, 99999), st.integers(-(10**9) + 1, 10**9 - 1))
def test_a_code_keeps_its_minus(a: int, b: int, c: int) -> None:
    kind_of = a_type(SIGNED, policy=CODE)
    documents = [
        {name: f"{'-' if n < 0 else ''}{abs(n):0{digits}d}" for name, n, digits in each}
        for each in (
            (("a", a, 4), ("b", b, 5), ("c", c, 9), ("d", a * b * c, 20)),
            (("a", 0, 4), ("b", 5, 5), ("c", -1, 9), ("d", -7, 20)),
        )
    ]
    records = Encoder([kind_of], EBCDIC).encode(documents, "test").records
    decoded = decode_fixed(kind_of, b"".join(each or b"" for each in records), encoding=EBCDIC)
    assert decoded.documents() == documents
    assert [json.loads(each or b"") for each in decoded.json()] == documents


def test_the_schema_of_a_code_has_a_minus_if_the_field_is_signed() -> None:
    assert value_schema(Zoned(4, signed=True), CODE)["pattern"] == "^-?[0-9]{4}$"
    assert value_schema(Zoned(4), CODE)["pattern"] == "^[0-9]{4}$"


def test_trunc_bin_reads_what_the_bytes_hold() -> None:
    whole = Binary(4, 2, signed=True, truncated=False)
    cells = [bytes.fromhex(each) for each in ("7fff", "270f", "8000")]
    assert read(whole, *cells) == [32767, 9999, -32768]
    assert write(whole, 32767, 9999, -32768, 32768) == [*cells, FaultCode.OVERFLOW]
    assert read(Binary(4, 2, signed=True), *cells) == [
        FaultCode.OUT_OF_RANGE, 9999, FaultCode.OUT_OF_RANGE,
    ]  # fmt: skip
    schema = value_schema(whole, Policy())
    assert (schema["minimum"], schema["maximum"]) == (-32768, 32767)
    assert "trunc = bin" in FaultCode.OUT_OF_RANGE.advice


@pytest.mark.parametrize(
    ("clauses", "dialect", "length"),
    [
        ("PIC 9(19) COMP", IBM, 8),
        ("PIC S9(19) COMP", IBM, 9),
        ("PIC 9(20) BINARY", IBM, 9),
        ("PIC S9(18)V9(10) COMP", IBM, 12),
        ("PIC S9(37) COMP", IBM, 16),
        ("PIC S9(37) COMP", MICRO_FOCUS, 16),
        ("PIC 9(20) COMP", MICRO_FOCUS, 9),
        ("PIC 9(19) COMP", MICRO_FOCUS, 8),
        ("PIC 9(19) COMP", GNUCOBOL, 16),
    ],
)
def test_comp_above_18_digits(clauses: str, dialect: Dialect, length: int) -> None:
    found = kind(clauses, CopybookOptions(dialect=dialect, form=Form.FREE))
    assert isinstance(found, Binary)
    assert found.length == length
    largest = 10**found.digits - 1
    shown = str(largest) if not found.scale else f"{'9' * 18}.{'9' * 10}"
    (cell,) = write(found, shown)
    assert int.from_bytes(cell) == largest
    assert read(found, cell) == [shown]


@pytest.mark.parametrize("digits", range(19, 39))
@pytest.mark.parametrize("signed", [True, False])
def test_a_long_comp_has_as_few_bytes_as_hold_it(digits: int, signed: bool) -> None:
    length = IBM.binary_length(digits, signed=signed)
    assert length is not None
    assert 1 << 8 * length - signed > 10**digits - 1 >= 1 << 8 * (length - 1) - signed


def test_a_separate_sign_without_s_is_a_sign() -> None:
    book = copybook("01 R. 05 A PIC 9(2)V99 SIGN IS LEADING SEPARATE. 05 B PIC 99 SIGN TRAILING.")
    a, b = (each.kind for each in book.records[0].root.children)
    assert isinstance(a, Zoned)
    assert (a.length, a.signed, b) == (5, True, Zoned(2))
    assert read(a, b"-1234", b"+0001", encoding=ASCII) == ["-12.34", "0.01"]
    assert [each.text for each in book.notices] == [
        "A has SIGN but no S in its picture: it is read as signed",
        "B has SIGN but no S in its picture: SIGN is ignored",
    ]


def test_a_sign_of_a_group_is_for_its_signed_items() -> None:
    text = "01 R SIGN LEADING SEPARATE. 05 A PIC 9(2). 05 B PIC S9(2)."
    (found,) = read_copybook(text, options=CopybookOptions(form=Form.FREE)).records
    assert [each.length for each in found.root.children] == [2, 3]
