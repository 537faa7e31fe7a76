"""Fixed, variable and free form: what is text, what is not, and where it stood."""

from decimal import Decimal

import pytest

from adapters.legacy_cobol.copybook.layout import Figurative
from adapters.legacy_cobol.copybook.source import Form
from tests.unit.legacy.copybook.reading import copybook, record, refused, with_form

FIXED = with_form(Form.FIXED)


def line(text: str, indicator: str = " ", sequence: str = "000100", tail: str = "") -> str:
    """A line of fixed form."""
    return f"{sequence}{indicator}{text:65}{tail}\n" if tail else f"{sequence}{indicator}{text}\n"


def test_only_columns_8_to_72_are_text() -> None:
    found = copybook(line("01  A.", tail="ID000001") + line("    05 B PIC X(3)."), FIXED)
    assert found.record("A").maximum_length == 3
    assert found.notices == ()


def test_comments_in_fixed_form() -> None:
    text = (
        line(" 05 NOT PIC X.", "*")
        + line("A NEW PAGE", "/")
        + line("    05 DEBUG PIC X.", "D")
        + line("01  A PIC X(2). *> 05 B PIC X.")
        + line("*> a whole line")
        + "\n   \n"
    )
    assert record_names(text) == ["A"]


def record_names(text: str) -> list[str]:
    (found,) = copybook(text, FIXED).records
    return [each.name for each in found.items()]


def test_a_word_is_continued() -> None:
    text = line("01  CUSTO") + line("    MER-NAME PIC X.", "-")
    assert record_names(text) == ["CUSTOMER-NAME"]


def test_a_picture_is_continued() -> None:
    text = line("01  A PIC S9(") + line("", "*") + line("    3)V99.", "-")
    assert copybook(text, FIXED).record("A").root.picture == "S9(3)V99"


def test_a_literal_is_continued_from_the_margin() -> None:
    first = line('01  A PIC X(60) VALUE "ab')
    text = first + line('    "cd".', "-")
    blanks = 72 - (len(first) - 1)
    assert copybook(text, FIXED).record("A").root.value == "ab" + " " * blanks + "cd"


def test_a_literal_of_variable_form_is_continued_at_its_end() -> None:
    text = line('01  A PIC X(60) VALUE "ab') + line('    "cd".', "-")
    assert copybook(text, with_form(Form.VARIABLE)).record("A").root.value == "abcd"


def test_variable_form_has_no_margin() -> None:
    text = line(f"01  A{' ' * 80}PIC X(3).")
    assert copybook(text, with_form(Form.VARIABLE)).record("A").maximum_length == 3


def test_free_form_begins_anywhere() -> None:
    text = "01 A.\n05 B PIC X. *> text\n*> 05 C PIC X.\n    05\nD\nPIC\n X(2)\n.\n"
    assert [each.name for each in record(text).items()] == ["A", "B", "D"]


def test_the_form_may_change() -> None:
    text = line("01  A.") + ">>SOURCE FORMAT IS FREE\n05 B PIC X.\n"
    assert record_names(text) == ["A", "B"]


def test_text_over_the_margin_is_told() -> None:
    text = line(f"01  A. {' ' * 45}05 {'B' * 30} PIC X.") + line("    PIC X.")
    (notice,) = copybook(text, FIXED).notices
    assert (notice.line, notice.column) == (1, 73)
    assert "column 72" in notice.text


def test_directives_of_a_compiler_are_told() -> None:
    (notice,) = copybook("      $SET IBMCOMP\n" + line("01  A PIC X."), FIXED).notices
    assert (notice.line, notice.column) == (1, 7)


def test_line_ends_tabs_and_marks_of_other_systems() -> None:
    text = "\ufeff01 A.\r\n\t05 B PIC X.\r05 C PIC X(2).\n\x1a"
    assert copybook(text).record("A").maximum_length == 3


def test_places_point_into_the_lines_as_they_are() -> None:
    wrong = refused(line("01  A.") + line("    05 B PIC Q."), FIXED)
    assert (wrong.where.line, wrong.where.column) == (2, 21)


def test_what_a_compiler_lists_or_heads_is_no_entry() -> None:
    text = "DATA DIVISION. FILE SECTION. FD F RECORDING MODE F. 01 A. EJECT 05 B PIC X. SKIP1"
    assert copybook(text).record("A").maximum_length == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("VALUE 'it''s'", "it's"),
        ('VALUE IS "a;b, c. d"', "a;b, c. d"),
        ("VALUE 12", Decimal(12)),
        ("VALUE -1.50", Decimal("-1.50")),
        ("VALUE +.5", Decimal("0.5")),
        ("VALUE X'C1c2'", b"\xc1\xc2"),
        ("VALUE SPACES", Figurative.SPACE),
        ("VALUE HIGH-VALUES", Figurative.HIGH_VALUE),
    ],
)
def test_values(text: str, value: object) -> None:
    assert record(f"05 A PIC X(20) {text}.").find("A").value == value
