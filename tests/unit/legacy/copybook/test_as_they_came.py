"""Copybooks as people send them: with cards, comments, SQL, or the whole program around them."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.legacy_cobol.copybook.errors import CopybookError
from adapters.legacy_cobol.copybook.kinds import Edited, Zoned
from adapters.legacy_cobol.copybook.layout import Copybook
from adapters.legacy_cobol.copybook.parser import CopybookOptions, read_copybook
from adapters.legacy_cobol.copybook.source import Form
from tests.unit.legacy.copybook.reading import copybook

TWO = "       01  R.\n           05  A  PIC X(2).\n           05  B  PIC 9(3).\n"


def read(text: str, *folders: Path) -> Copybook:
    return read_copybook(text, options=CopybookOptions(folders=folders))


def items(book: Copybook) -> list[tuple[str, int]]:
    """The elementary items of the last record, and their lengths."""
    return [(each.name, each.length) for each in book.records[-1].root.children]


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        (TWO, ""),
        (re.sub("(?m)^ ", "", TWO), "text begins in column 7"),
        ("      01  R.\n        05  A  PIC X(2).\n        05 B OCCURS 1\n      DEPENDING ON A.\n"
         .replace("OCCURS 1\n      DEPENDING ON A", "\n      PIC 9(3)"), "text begins in column 7"),
        (f"       * a comment in column 8\n{TWO}       *** and another\n", ""),
        (TWO.rstrip().removesuffix("."), "the last entry, 05, has no period"),
        (f"       CBL LIB,APOST\n{TWO}", "the card CBL is ignored"),
        (f"       PROCESS ARITH(EXTEND)\n{TWO}", "the card PROCESS is ignored"),
        (f"./ ADD NAME=R\n{TWO}", "the card ./ is ignored"),
        (f"//SYSIN DD *\n{TWO}/*\n", "the card //SYSIN is ignored"),
        (f"       TITLE 'THE RECORD'\n{TWO}", ""),
        (f"       TITLE 'THE RECORD'.\n       EJECT\n{TWO}       SKIP1\n", ""),
        (f"           EXEC SQL BEGIN DECLARE SECTION END-EXEC.\n{TWO}"
         "           EXEC SQL END DECLARE SECTION END-EXEC.\n",
         "EXEC SQL BEGIN DECLARE ... is ignored"),
        ("           EXEC SQL DECLARE T TABLE\n           ( A CHAR(2) NOT NULL,\n"
         f"             B DECIMAL(3, 0) DEFAULT 'x''y'\n           ) END-EXEC.\n{TWO}",
         "EXEC SQL DECLARE T ... is ignored"),
        (f"           EXEC SQL INCLUDE SQLCA END-EXEC\n{TWO}", "INCLUDE SQLCA ... is ignored"),
        ("       REPLACE ==:T:== BY ==A== ==XX== BY ==X(2)==.\n"
         + TWO.replace("A  PIC X(2)", ":T:  PIC XX"), ""),
        ("       REPLACE ==Q== BY ==A==.\n" + TWO.replace("05  A", "05  Q").replace(
            "           05  B", "       REPLACE OFF.\n           05  B"), ""),
        ("       REPLACE LEADING ==Q== BY ==A==.\n" + TWO.replace("05  A", "05  Q"), ""),
    ],
)  # fmt: skip
def test_a_copybook(text: str, notice: str) -> None:
    book = read(text)
    assert items(book) == [("A", 2), ("B", 3)]
    notices = [each.text for each in book.notices]
    assert any(notice in each for each in notices) if notice else notices == []


def test_every_line_that_is_ignored_is_told_with_its_place() -> None:
    book = read(f"./ ADD NAME=R\n{TWO}           EXEC SQL INCLUDE SQLCA END-EXEC.\n")
    assert [(each.line, each.column) for each in book.notices] == [(1, 1), (5, 12)]


def test_a_debugging_line_is_none_of_the_text() -> None:
    assert items(read(TWO + "      D    05  C  PIC X.\n      D01  S.\n")) == [("A", 2), ("B", 3)]


def test_a_word_in_column_7_is_text_although_it_begins_with_d() -> None:
    book = read("      01  R.\n        05 N PIC 9.\n        05 T PIC X OCCURS 1 TO 3\n"
                "      DEPENDING ON N.\n")  # fmt: skip
    occurs = book.records[0].find("T").occurs
    assert occurs is not None
    assert occurs.counter == ("R", "N")


PROGRAM = """       IDENTIFICATION DIVISION.
       PROGRAM-ID. BAYAR.
       AUTHOR. MA'RUF.
       ENVIRONMENT DIVISION.
       CONFIGURATION SECTION.
       SPECIAL-NAMES. DECIMAL-POINT IS COMMA CURRENCY SIGN IS 'R'.
       INPUT-OUTPUT SECTION.
       FILE-CONTROL. SELECT F ASSIGN TO "F".
       DATA DIVISION.
       FILE SECTION.
       FD  F RECORDING MODE IS F LABEL RECORDS ARE STANDARD
           BLOCK CONTAINS 0 RECORDS.
       01  R.
           05  A  PIC X(2).
           05  E  PIC R.RR9,99.
       REPORT SECTION.
       RD  LAPORAN PAGE LIMIT 60.
       01  TYPE DETAIL LINE PLUS 1.
           05  COLUMN 1 PIC X SOURCE A.
       WORKING-STORAGE SECTION.
       77  N  PIC 9(4) COMP VALUE 0.
       LINKAGE SECTION.
       01  PARM.
           05  P  PIC S9(3).
       PROCEDURE DIVISION USING PARM.
       MULAI.
           DISPLAY 'IT''S "NOT CLOSED'.
           IF A = 'X' MOVE 1 TO N.
           STOP RUN.
"""


def test_a_whole_program() -> None:
    book = read(PROGRAM)
    assert [each.name for each in book.records] == ["R", "N", "PARM"]
    edited = book.record("R").find("E").kind
    assert isinstance(edited, Edited)
    assert (edited.point, edited.currency) == (",", "R")
    assert [each.text for each in book.notices] == ["only the data division of the program is read"]


def test_records_of_a_program_that_cannot_be_read_are_left_out() -> None:
    odd = """       WORKING-STORAGE SECTION.
       COPY DFHAID.
       01  HALF.
           05  H  PIC X.
           COPY REST.
           05  I  PIC X.
       01  OBJ USAGE OBJECT REFERENCE.
       01  WRONG.
           05  W  PIC Q(3).
       77  N  PIC 9(4) COMP VALUE 0.
"""
    begin, end = (PROGRAM.index(f"       {each}") for each in ("WORKING", "LINKAGE"))
    book = read(PROGRAM[:begin] + odd + PROGRAM[end:])
    assert [each.name for each in book.records] == ["R", "N", "PARM"]
    assert [each.text for each in book.notices if "left out" in each.text] == [
        "a record is left out: its copybook was not found",
        "HALF is left out: its copybook was not found",
        "a record is left out: the usage OBJECT is not supported",
        "WRONG is left out: Q is not a picture",
    ]


def test_data_before_a_procedure_division() -> None:
    assert items(read(f"{TWO}       PROCEDURE DIVISION.\n           GOBACK.\n")) == [
        ("A", 2),
        ("B", 3),
    ]


def test_a_program_without_data_is_refused() -> None:
    with pytest.raises(CopybookError, match="no DATA DIVISION"):
        read("       IDENTIFICATION DIVISION.\n       PROGRAM-ID. X.\n")


@pytest.mark.parametrize(
    "line",
    [
        "++INCLUDE B",
        "-INC B",
        "           EXEC SQL INCLUDE B END-EXEC.",
        "           EXEC SQL INCLUDE B END-EXEC",
    ],
)
def test_includes_are_copied(tmp_path: Path, line: str) -> None:
    (tmp_path / "B.cpy").write_text("           05  B  PIC 9(3).\n")
    text = TWO.replace("           05  B  PIC 9(3).", line)
    assert items(read(text, tmp_path)) == [("A", 2), ("B", 3)]
    with pytest.raises(CopybookError, match="B was not found"):
        read(text)


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_doubled_quote_on_two_lines(quote: str) -> None:
    begin = f"           05  A  PIC X(9) VALUE {quote}"
    text = begin + "x" * (71 - len(begin)) + quote
    rest = f"      -    {quote}{quote} rest{quote}.\n"
    value = read(f"       01  R.\n{text}\n{rest}").records[0].find("A").value
    assert value == "x" * (71 - len(begin)) + quote + " rest"


@pytest.mark.parametrize(
    ("clauses", "value"),
    [
        ("COMP-2 VALUE 1.5E3", Decimal(1500)),
        ("COMP-2 VALUE +1.0E-02", Decimal("0.010")),
        ("COMP-1 VALUE -.5e1", Decimal(-5)),
        ("COMP-1 VALUE 5.E1", Decimal(50)),
        ("PIC X(4) VALUE 'AB' & 'CD'", "ABCD"),
        ('PIC X(6) VALUE "AB" & "C" & "D"', "ABCD"),
        ("PIC X(2) VALUE X'C1' & X'C2'", b"\xc1\xc2"),
    ],
)
def test_literals(clauses: str, value: object) -> None:
    assert copybook(f"01 R. 05 A {clauses}.").records[0].find("A").value == value


def test_what_cannot_be_added_is_refused() -> None:
    with pytest.raises(CopybookError, match="cannot be added with &"):
        copybook("01 R. 05 A PIC X(4) VALUE 'AB' & X'C1'.")
    with pytest.raises(CopybookError, match="EXEC without END-EXEC"):
        copybook("EXEC SQL INCLUDE B. 01 R PIC X.")
    with pytest.raises(CopybookError, match="REPLACE without a period"):
        copybook("01 R PIC X. REPLACE ==A== BY ==B==")
    with pytest.raises(CopybookError, match="words to replace without BY"):
        copybook("REPLACE ==A== ==B==. 01 R PIC X.")


def test_dclgen() -> None:
    text = """
           EXEC SQL DECLARE SIAK.PENDUDUK TABLE
           ( NIK                            CHAR(16) NOT NULL,
             NAMA                           VARCHAR(60) NOT NULL
           ) END-EXEC.
      ******************************************************************
      * COBOL DECLARATION FOR TABLE SIAK.PENDUDUK                      *
      ******************************************************************
       01  DCLPENDUDUK.
           10 NIK                  PIC X(16).
           10 NAMA.
              49 NAMA-LEN          PIC S9(4) USAGE COMP.
              49 NAMA-TEXT         PIC X(60).
           10 JML                  PIC S9(3) SIGN LEADING SEPARATE.
      ******************************************************************
"""
    record = read(text).records[0]
    assert record.maximum_length == 16 + 62 + 4
    assert record.find("JML").kind == Zoned(3, 0, True, True, True)


@pytest.mark.parametrize("form", list(Form))
def test_every_form_reads_a_program(form: Form) -> None:
    options = CopybookOptions(form=form)
    assert len(read_copybook(PROGRAM, options=options).records) == 3
