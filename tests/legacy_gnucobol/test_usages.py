"""Every usage and sign: COBOL moves a value, we read it; we write it, COBOL finds it equal."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.legacy_cobol.copybook.dialects import GNUCOBOL
from adapters.legacy_cobol.copybook.kinds import ByteOrder, Encoding, FloatFormat, ZonedSigns
from adapters.legacy_cobol.copybook.parser import CopybookOptions, read_copybook
from adapters.legacy_cobol.copybook.source import Form as SourceForm
from adapters.legacy_cobol.fields.policy import Form, Policy
from adapters.legacy_cobol.records.chunk_reader import chunk_of
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.records.framing import Fixed, Framing
from adapters.legacy_cobol.records.record_type import RecordType
from tests.legacy_gnucobol.programs import compiled, needs_cobol, sequential

pytestmark = needs_cobol

FILE = Encoding(
    code_page="latin-1",
    zoned_signs=ZonedSigns.ASCII_LETTERS,
    byte_order=ByteOrder.BIG,
    native_order=ByteOrder.LITTLE,
    float_format=FloatFormat.IEEE,
)
COMPILERS: dict[str, tuple[tuple[str, ...], Encoding]] = {
    "default": ((), FILE),
    "ebcdic-signs": (("-fsign=EBCDIC",), replace(FILE, zoned_signs=ZonedSigns.ASCII_TRANSLATED)),
    "little": (("-fbinary-byteorder=native",), replace(FILE, byte_order=ByteOrder.LITTLE)),
}
WHOLE = ("0", "1", "-1", "12345", "-99999")
CENTS = ("0", "0.01", "-0.01", "12345.67", "-99999.99")
LARGE = ("0", "-1", "123456789012345678", "-999999999999999999", "7")
HUGE = ("0", "-1", "1" * 36 + ".25", "-" + "9" * 36 + ".99", "0.01")
POSITIVE = ("0", "1", "42", "99999", "10000")
FIELDS: list[tuple[str, tuple[str, ...]]] = [
    ("PIC S9(5)", WHOLE),
    ("PIC S9(5) SIGN LEADING", WHOLE),
    ("PIC S9(5) SIGN TRAILING SEPARATE", WHOLE),
    ("PIC S9(5) SIGN LEADING SEPARATE", WHOLE),
    ("PIC S9(5)V99", CENTS),
    ("PIC S9(18)", LARGE),
    ("PIC S9(36)V99", HUGE),
    ("PIC 9(5)", POSITIVE),
    ("PIC 9(5) BLANK WHEN ZERO", POSITIVE),
    ("PIC 9(3)PP", ("0", "100", "4200", "99900", "10000")),
    ("PIC VPP9(3)", ("0", "0.00001", "0.00042", "0.00999", "0.001")),
    ("PIC S9(5) COMP-3", WHOLE),
    ("PIC S9(5)V99 COMP-3", CENTS),
    ("PIC S9(6)V99 COMP-3", CENTS),
    ("PIC S9(18) PACKED-DECIMAL", LARGE),
    ("PIC S9(36)V99 COMP-3", HUGE),
    ("PIC 9(5) COMP-3", POSITIVE),
    ("PIC 9(5) COMP-6", POSITIVE),
    ("PIC 9(6) COMP-6", POSITIVE),
    ("PIC S9(2) COMP", ("0", "1", "-1", "99", "-99")),
    ("PIC S9(4) COMP", ("0", "1", "-1", "9999", "-9999")),
    ("PIC S9(7)V99 COMP", CENTS),
    ("PIC S9(18) BINARY", LARGE),
    ("PIC 9(5) COMP", POSITIVE),
    ("PIC S9(4) COMP-5", ("0", "1", "-1", "32767", "-32768")),
    ("PIC 9(9) COMP-5", ("0", "1", "42", "4294967295", "10000")),
    ("PIC S9(18) COMP-5", LARGE),
    ("COMP-1", ("0", "0.5", "-118.625", "1000000", "0.1")),
    ("COMP-2", ("0", "0.5", "-118.625", "1.0E20", "0.25")),
    ("PIC X(7)", ("", "A", "SITI N", "1234567", "é")),
    ("PIC X(7) JUSTIFIED RIGHT", ("", "A", "SITI N", "1234567", "é")),
    ("PIC ZZ,ZZ9.99CR", CENTS),
    ("PIC ZZ,ZZZ.ZZ-", CENTS),
    ("PIC $$$,$$9.99DB", CENTS),
    ("PIC ---,--9.99", CENTS),
    ("PIC ++++++", ("0", "1", "-1", "12345", "-99999")),
    ("PIC +99,999.99", CENTS),
    ("PIC **,**9.99", ("0", "0.01", "1.5", "12345.67", "99999.99")),
    ("PIC **,***.**", ("0", "0.01", "1.5", "12345.67", "99999.99")),
    ("PIC $ZZ,ZZ9.99", ("0", "0.01", "1.5", "12345.67", "99999.99")),
    ("PIC 99/99/9999", ("5112023", "31121999", "1", "0", "10101010")),
    ("PIC 9B99B0099", ("0", "1", "42", "99999", "10000")),
    ("PIC ZZZZ9 BLANK WHEN ZERO", POSITIVE),
    ("PIC $$$$9-", ("0", "1", "-1", "2345", "-9999")),
]
NAMES = [f"F{number}" for number in range(len(FIELDS))]
COPYBOOK = "01 R.\n" + "\n".join(
    f"   05 {name} {clauses}." for name, (clauses, _) in zip(NAMES, FIELDS, strict=True)
)
RECORDS = len(WHOLE)


@dataclass(frozen=True)
class Dialected:
    """The record type of one compiler setting."""

    flags: tuple[str, ...]
    encoding: Encoding
    kind: RecordType


@pytest.fixture(params=sorted(COMPILERS))
def compiler(request: pytest.FixtureRequest) -> Dialected:
    flags, encoding = COMPILERS[request.param]
    dialect = replace(GNUCOBOL, encoding=encoding)
    options = CopybookOptions(form=SourceForm.FREE, dialect=dialect)
    (record,) = read_copybook(COPYBOOK, options=options).records
    return Dialected(flags, encoding, RecordType("r", record, policy=Policy(form=Form.STRING)))


def literal(clauses: str, value: str) -> str:
    """As a program writes it."""
    return f'"{value}"' if "X" in clauses else value


def expected(clauses: str, value: str) -> Any:
    """What a document holds."""
    if "X" in clauses:
        return value
    return float(value) if clauses.startswith("COMP") else Decimal(value)


def found(clauses: str, value: Any) -> Any:
    """The value of a document, to compare."""
    plain = "X" in clauses or clauses.startswith("COMP")
    return value if plain else Decimal(value)


def statements(each: Callable[[str, str, str], str]) -> list[list[str]]:
    """For every record one statement for every field: each(name, clauses, literal)."""
    return [
        [
            each(name, clauses, literal(clauses, values[number]))
            for name, (clauses, values) in zip(NAMES, FIELDS, strict=True)
        ]
        for number in range(RECORDS)
    ]


def test_what_cobol_moves_is_what_we_read(compiler: Dialected, tmp_path: Path) -> None:
    moves = statements(lambda name, _, value: f"MOVE {value} TO {name}.")
    lines = ["OPEN OUTPUT F."]
    for record in moves:
        lines += ["INITIALIZE R.", *record, "WRITE R."]
    source = sequential(COPYBOOK, [*lines, "CLOSE F."])
    compiled(tmp_path, source, *compiler.flags).run()
    data = (tmp_path / "file.dat").read_bytes()
    framing = Framing(Fixed(compiler.kind.record.maximum_length))
    decoded = Decoder([compiler.kind], compiler.encoding).decode(chunk_of(data, framing))
    assert not decoded.faults
    for number, document in enumerate(decoded.documents()):
        assert document is not None
        for name, (clauses, values) in zip(NAMES, FIELDS, strict=True):
            value = found(clauses, document[name.lower()])
            assert value == expected(clauses, values[number]), (number, clauses)


def test_what_we_write_is_what_cobol_would_have_moved(compiler: Dialected, tmp_path: Path) -> None:
    documents = [
        {
            name.lower(): expected(clauses, values[number])
            for name, (clauses, values) in zip(NAMES, FIELDS, strict=True)
        }
        for number in range(RECORDS)
    ]
    encoded = Encoder([compiler.kind], compiler.encoding).encode(documents, "r")
    assert not encoded.faults
    (tmp_path / "file.dat").write_bytes(b"".join(each or b"" for each in encoded.records))
    checks = statements(
        lambda name, _, value: (
            f"MOVE {value} TO {name} OF W.\n"
            f'IF {name} OF W NOT = {name} OF R DISPLAY "{name} " {name} OF R.'
        )
    )
    lines = ["OPEN INPUT F."]
    for record in checks:
        lines += ["READ F AT END DISPLAY 'TOO SHORT'.", *record]
    lines += ["READ F AT END DISPLAY 'END'."]
    working = COPYBOOK.replace("01 R.", "01 W.")
    program = compiled(tmp_path, sequential(COPYBOOK, lines, working=working), *compiler.flags)
    assert program.run() == "END\n"
