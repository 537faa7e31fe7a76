"""Whatever is wrong with a copybook is told with its place and what to do."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.legacy_cobol.copybook.errors import CopybookError
from adapters.legacy_cobol.copybook.parser import read_copybook
from adapters.legacy_cobol.copybook.source import Form
from tests.unit.legacy.copybook.reading import FREE, refused, with_form

# The text in free form, the column on its last line, and a word of the problem.
FREE_FORM = [
    ("", 1, "no data description"),
    ("01 A PIC X.\nfoo.", 1, "not a level number"),
    ("50 A PIC X.", 1, "not a level number"),
    ("00 A PIC X.", 1, "not a level number"),
    ("78 A VALUE 5.", 1, "level 78"),
    ("01 -A PIC X.", 4, "not a name"),
    ("01 A! PIC X.", 4, "not a name"),
    ("01 123 PIC X.", 4, "not a name"),
    (f"01 {'A' * 65} PIC X.", 4, "not a name"),
    ("01 A.", 4, "neither a PICTURE"),
    ("01 A PIC X PIC X.", 12, "second PIC"),
    ("01 A PIC X\n05 B PIC X.", 1, "not begin a known clause"),
    ("01 A PIC X FOO.", 12, "not begin a known clause"),
    ("01 A PIC.", 6, "ends without a picture"),
    ("01 A PIC X IS.", 12, "ends without a clause"),
    ("01 A PIC X. 05 B PIC X.", 16, "below A"),
    ("01 A PIC X(0).", 10, "repeats zero times"),
    ("01 A PIC X(.", 10, "not a picture"),
    ("01 A PIC Q.", 10, "not a picture"),
    ("01 A PIC XS.", 10, "not allowed"),
    ("01 A PIC NX(2)N.", 10, "not allowed"),
    ("01 A PIC N9.", 10, "not allowed"),
    ("01 A PIC 9S.", 10, "out of order"),
    ("01 A PIC S.", 10, "without a 9"),
    ("01 A PIC 9V9V9.", 10, "out of order"),
    ("01 A PIC 9P9.", 10, "out of order"),
    ("01 A PIC 9Z.", 10, "out of order"),
    ("01 A PIC Z*9.", 10, "out of order"),
    ("01 A PIC 9.9.9.", 10, "out of order"),
    ("01 A PIC CR9.", 10, "out of order"),
    ("01 A PIC +9+.", 10, "out of order"),
    ("01 A PIC B.", 10, "out of order"),
    ("01 A PIC 9E9.", 10, "floating-point"),
    ("01 A PIC G(5)9.", 10, "DBCS"),
    ("01 A PIC E9.", 10, "floating-point"),
    ("01 A PIC 9(39).", 10, "38 digits"),
    ("01 A PIC 9(99999999).", 10, "characters"),
    ("01 A PIC X(99999999999999999999).", 10, "characters"),
    (f"01 A PIC {'X' * 60}.", 10, "too long"),
    ("01 A PIC 9(39) COMP.", 10, "more than 38 digits"),
    ("01 A PIC X COMP.", 10, "usage COMP"),
    ("01 A PIC Z9 COMP-3.", 10, "usage COMP-3"),
    ("01 A PIC 9 NATIONAL.", 10, "usage NATIONAL"),
    ("01 G COMP. 05 A PIC X.", 21, "usage COMP"),
    ("01 A PIC S9 COMP-6.", 10, "no sign"),
    ("01 A PIC 9 COMP-1.", 10, "no PICTURE"),
    ("01 A USAGE FOO.", 12, "not supported"),
    ("01 A PIC X COMP-X.", 12, "not begin a known clause"),
    ("01 A PIC 9 POINTER.", 10, "pointer"),
    ("01 A PIC S9 SIGN.", 13, "without a position"),
    ("01 A PIC S9 COMP-3 SIGN LEADING.", 20, "usage DISPLAY"),
    ("01 A PIC 9 JUST.", 4, "JUSTIFIED"),
    ("01 A PIC X BLANK WHEN ZERO.", 4, "BLANK"),
    ("01 A PIC 9 BLANK WHEN.", 18, "without ZERO"),
    ("01 G JUST. 05 A PIC X.", 4, "group"),
    ("01 A PIC X OCCURS 2.", 12, "level 01"),
    ("01 G. 05 A PIC X OCCURS.", 18, "ends without"),
    ("01 G. 05 A PIC X OCCURS X.", 25, "not a number"),
    ("01 G. 05 A PIC X OCCURS 0.", 18, "not a valid range"),
    ("01 G. 05 A PIC X OCCURS 5 TO 2 DEPENDING ON A.", 18, "not a valid range"),
    ("01 G. 05 A PIC X OCCURS 9999999999999 TIMES.", 18, "not a valid range"),
    ("01 G. 05 A PIC X OCCURS 1 TO 2.", 18, "counter"),
    ("01 G. 05 A PIC X OCCURS 1 TO UNBOUNDED DEPENDING ON N.", 30, "not a number"),
    ("01 G. 05 A PIC X OCCURS 2 DEPENDING ON N.", 40, "no item N"),
    ("01 G. 05 A PIC X OCCURS 2 DEPENDING ON N. 05 N PIC 9.", 40, "before the table"),
    ("01 N PIC 9. 01 G. 05 A PIC X OCCURS 2 DEPENDING ON N.", 52, "in this record"),
    ("01 G. 05 N PIC X. 05 A PIC X OCCURS 2 DEPENDING ON N.", 52, "not an integer"),
    ("01 G. 05 N PIC 9V9. 05 A PIC X OCCURS 2 DEPENDING ON N.", 54, "not an integer"),
    ("01 G. 05 N PIC 9 OCCURS 2. 05 A PIC X OCCURS 2 DEPENDING ON N.", 61, "not contain the table"),
    ("01 G. 05 B. 10 N PIC 9. 05 C. 10 N PIC 9. 05 A PIC X OCCURS 2 DEPENDING N.", 73, "2 items"),
    ("01 G. 05 A OCCURS 99999. 10 B OCCURS 99999. 15 C PIC X.", 10, "record of more"),
    ("01 G. 05 A REDEFINES B PIC X.", 22, "just before"),
    ("01 G. 05 B PIC X. 05 C PIC X. 05 A REDEFINES B PIC X.", 46, "just before"),
    ("01 G REDEFINES H. 05 A PIC X.", 16, "just before"),
    ("01 G. 05 N PIC 9. 05 B PIC X(9). 05 A REDEFINES B.\n10 C PIC X OCCURS 2 DEPENDING N.",
     None, "OCCURS DEPENDING ON"),
    ("01 G. 05 A PIC X VALUE.", 18, "ends without a literal"),
    ("01 G. 05 A PIC X VALUE FOO.", 24, "not a literal"),
    ("01 G. 05 A PIC X VALUE 'a' 'b'.", 18, "several values"),
    ("01 G. 05 A PIC X VALUE 'a.", 24, "no end"),
    ("01 G. 05 A PIC X VALUE X'ABC'.", 24, "hexadecimal"),
    ("88 A VALUE 'a'.", 4, "without an item"),
    ("01 G PIC X. 88 A.", 16, "without VALUE"),
    ("01 G PIC X. 88 FILLER VALUE 'a'.", 13, "without a name"),
    ("66 A RENAMES B.", 4, "record above"),
    ("01 G. 05 A PIC X. 66 B RENAMES C.", 32, "0 items"),
    ("01 G. 05 A PIC X. 05 C PIC X. 66 B RENAMES C THRU A.", 51, "ends before"),
    ("01 A PIC X. 01 B (PIC) X.", 18, "a known clause"),
    ("01 A\x00 PIC X.", 5, "control character"),
    (">>IF X", 1, "not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "column", "word"), FREE_FORM)
def test_free_form(text: str, column: int | None, word: str) -> None:
    wrong = refused(text)
    assert word in wrong.problem
    assert wrong.remedy
    if column is not None:
        assert (wrong.where.line, wrong.where.column) == (text.count("\n") + 1, column)


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ("01  CUSTOMER.\n", 1, 1, "columns 1 to 6"),
        ("       01  A PIC X.\n      XYZ\n", 2, 7, "not a level number"),
        ("       01  A PIC X VALUE 'abc\n      -    def'.\n", 2, 12, "continued without"),
        ("       01  A PIC X VALUE 'abc\n           def'.\n", 1, 26, "no end"),
    ],
)
def test_fixed_form(text: str, line: int, column: int, word: str) -> None:
    wrong = refused(text, with_form(Form.FIXED))
    assert word in wrong.problem
    assert (wrong.where.line, wrong.where.column) == (line, column)


def test_the_message_says_where_what_and_what_to_do() -> None:
    with pytest.raises(CopybookError) as caught:
        read_copybook("01 A PIC 9P9.", file="kk.cpy", options=FREE)
    assert str(caught.value) == (
        "kk.cpy:1:10: the symbols of the numeric picture 9P9 are out of order. "
        "Write S first, V once, and P only at one end of the nines."
    )


def test_a_copybook_has_a_largest_size() -> None:
    assert "too many" in refused("*" * 2_000_001).problem


WORDS = tuple(
    """01 05 10 66 77 88 A B FILLER PIC X(3) S9(4)V99 Z9.9 . . . OCCURS 2 TO 3 DEPENDING ON
    REDEFINES A COMP COMP-3 VALUE 'a' "b 1.5 THRU RENAMES SIGN LEADING SEPARATE SYNC COPY ==A==
    BY REPLACING INDEXED KEY IS ( ) , ; = - * + $ JUST BLANK WHEN ZERO USAGE POINTER""".split()  # noqa: SIM905  (a list of 60 literals is no better to read)
)


@given(st.lists(st.sampled_from(WORDS), max_size=60), st.sampled_from(Form))
def test_words_in_any_order_are_read_or_refused(words: list[str], form: Form) -> None:
    read_or_refused("       " + " ".join(words), form)


@given(st.text(max_size=300), st.sampled_from(Form))
def test_any_text_is_read_or_refused(text: str, form: Form) -> None:
    read_or_refused(text, form)


def read_or_refused(text: str, form: Form) -> None:
    with suppress(CopybookError):
        assert read_copybook(text, options=with_form(form)).records
