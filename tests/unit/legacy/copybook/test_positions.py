"""Where items stand: groups, tables, redefinitions, slack bytes, other names."""

from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.legacy_cobol.copybook.dialects import GNUCOBOL, MICRO_FOCUS
from adapters.legacy_cobol.copybook.layout import Condition, Figurative, Occurs, Range, Repeated
from tests.unit.legacy.copybook.reading import FREE, copybook, positions, record


def test_groups_of_any_levels() -> None:
    found = record("01 R. 03 A PIC X(3). 03 B. 49 C PIC X(2). 49 D PIC X. 03 E PIC X.")
    assert positions(found) == {
        "R": (0, 7), "A": (0, 3), "B": (3, 3), "C": (3, 2), "D": (5, 1), "E": (6, 1),
    }  # fmt: skip
    assert found.find(
        "C",
    ).path == ("R", "B", "C")
    assert found.find("b", "c").level == 49
    assert found.fixed


def test_neighbours_of_unequal_levels() -> None:
    found = record("01 R. 05 A. 10 B PIC X. 07 C PIC X. 03 D PIC X.")
    assert found.find("C").path == ("R", "A", "C")
    assert found.find("D").path == ("R", "D")


def test_several_records_and_a_77() -> None:
    found = copybook("01 A PIC X. 77 B PIC 99. 01 C. 05 D PIC X(3). 01 E REDEFINES C PIC X(5).")
    assert [(each.name, each.maximum_length) for each in found.records] == [
        ("A", 1), ("B", 2), ("C", 3), ("E", 5),
    ]  # fmt: skip
    assert found.record("e").root.redefines == "C"
    with pytest.raises(KeyError):
        found.record("F")


def test_entries_without_an_01_are_put_below_one() -> None:
    found = copybook("05 A PIC X. 05 B PIC X.")
    assert found.records[0].name == "RECORD"
    assert "RECORD" in found.notices[0].text


def test_fillers_and_doubles_get_names_of_their_own() -> None:
    found = copybook("01 R. 05 FILLER PIC X. 05 PIC X. 05 FILLER-2 PIC X. 05 A PIC X. 05 A PIC X.")
    items = list(found.records[0].items())[1:]
    assert [each.name for each in items] == ["FILLER", "FILLER-2", "FILLER-2-2", "A", "A-2"]
    assert [each.filler for each in items] == [True, True, False, False, False]
    assert len(found.notices) == 2


def test_redefinitions_share_bytes() -> None:
    found = record(
        """05 A PIC X(4). 05 B REDEFINES A PIC 9(4). 05 C REDEFINES B. 10 D PIC X. 10 E PIC X(3).
        05 F REDEFINES A PIC X(6). 05 G PIC X."""
    )
    assert positions(found) == {
        "R": (0, 7), "A": (0, 4), "B": (0, 4), "C": (0, 4), "D": (0, 1), "E": (1, 3),
        "F": (0, 6), "G": (6, 1),
    }  # fmt: skip
    assert [found.find(name).redefines for name in "ABCF"] == [None, "A", "A", "A"]


def test_a_longer_redefinition_is_told() -> None:
    found = copybook("01 R. 05 A PIC X. 05 B REDEFINES A PIC XX.")
    assert "longer" in found.notices[0].text


def test_tables() -> None:
    found = record(
        """05 A OCCURS 3 TIMES ASCENDING KEY IS B DESCENDING C INDEXED BY I, J.
        10 B PIC XX. 10 C PIC 9 OCCURS 4. 05 D PIC X."""
    )
    assert found.find("A").occurs == Occurs(3, 3)
    assert (found.find("A").length, found.find("A").total) == (6, 18)
    assert found.find("C").total == 4
    assert found.find("D").offset == 18


def test_counted_tables_move_what_stands_behind() -> None:
    found = record(
        """05 N PIC 99. 05 A OCCURS 2 TO 5 DEPENDING ON N OF R. 10 B PIC X(3).
        05 C. 10 D PIC X."""
    )
    assert found.find("A").occurs == Occurs(2, 5, ("R", "N"))
    assert (found.minimum_length, found.maximum_length) == (9, 18)
    assert not found.fixed
    assert [found.find(name).moves for name in "NABCD"] == [False, False, False, True, True]
    assert found.root.varies
    assert not found.find("A").varies


def test_dialects_that_reserve_the_largest_table() -> None:
    text = "05 N PIC 9. 05 A PIC X OCCURS 0 TO 5 DEPENDING ON N. 05 C PIC X."
    found = record(text, replace(FREE, dialect=MICRO_FOCUS))
    assert found.find("A").occurs == Occurs(0, 5, ("R", "N"), reserved=True)
    assert (found.minimum_length, found.maximum_length) == (7, 7)
    assert not found.find("C").moves
    (notice,) = copybook(f"01 R. {text}", replace(FREE, dialect=MICRO_FOCUS)).notices
    assert "slides" in notice.text
    last = record(text.rpartition("05 C")[0], replace(FREE, dialect=MICRO_FOCUS))
    assert (last.minimum_length, last.maximum_length) == (1, 6)


def test_slack_bytes_as_in_the_manual_of_ibm() -> None:
    """Language Reference, SYNCHRONIZED clause: the worked examples."""
    inside = record("05 B PIC X(5). 05 C. 10 D PIC XX. 10 E COMP PIC S9(6) SYNC.")
    assert positions(inside)["E"] == (8, 4)
    assert inside.find("E").slack == 1
    redefined = record("05 B PIC X(8). 05 C REDEFINES B. 10 D PIC X(2). 10 E COMP PIC S9(6) SYNC.")
    assert positions(redefined)["E"] == (4, 4)
    before = record("05 M PIC X(5). 05 N PIC XX. 05 O. 10 P COMP PIC S9(6) SYNC.")
    assert positions(before)["O"] == (8, 4)
    assert (before.find("O").slack, before.find("P").slack) == (1, 0)
    table = record(
        """05 W PIC X. 05 T OCCURS 10. 10 A PIC X. 10 B PIC S9(4)V99 COMP SYNC.
        10 C PIC S9(4) COMP SYNC. 10 D PIC X(5)."""
    )
    assert positions(table) == {
        "R": (0, 161), "W": (0, 1), "T": (1, 16), "A": (1, 1), "B": (4, 4), "C": (8, 2),
        "D": (10, 5),
    }  # fmt: skip
    assert (table.find("T").padding, table.find("B").slack) == (2, 2)


def test_slack_bytes_of_gnucobol_and_none_of_micro_focus() -> None:
    text = "05 A PIC X. 05 G. 10 B PIC S9(10) COMP SYNC. 05 C COMP-2 SYNC."
    gnucobol = record(text, replace(FREE, dialect=GNUCOBOL))
    assert positions(gnucobol) == {
        "R": (0, 24),
        "A": (0, 1),
        "G": (1, 15),
        "B": (8, 8),
        "C": (16, 8),
    }
    assert positions(record(text)) == {
        "R": (0, 24), "A": (0, 1), "G": (4, 8), "B": (4, 8), "C": (16, 8),
    }  # fmt: skip
    none = record(text, replace(FREE, dialect=MICRO_FOCUS))
    assert positions(none)["C"] == (6, 8)


def test_gnucobol_pads_tables_before_their_last_item() -> None:
    text = "05 T OCCURS 2. 10 A PIC S9(9) COMP SYNC. 10 B PIC X(5). 10 G. 15 C PIC S9(4) COMP SYNC."
    found = record(f"{text} 15 D PIC X.", replace(FREE, dialect=GNUCOBOL))
    assert (found.find("T").length, found.find("C").offset, found.find("D").offset) == (14, 10, 13)
    assert found.find("D").slack == 1


def test_pointers_and_floats_may_be_aligned() -> None:
    found = record("05 A PIC X. 05 B POINTER SYNC. 05 C PIC X. 05 D COMP-1 SYNC.")
    assert (found.find("B").offset, found.find("D").offset) == (4, 12)


def test_synchronized_groups() -> None:
    found = record("01 R SYNC. 05 A PIC X. 05 B PIC S9(4) COMP. 05 C PIC S9(4) COMP-3.")
    assert positions(found)["B"] == (2, 2)
    assert positions(found)["C"] == (4, 3)


def test_conditions() -> None:
    found = record(
        """05 A PIC X. 88 YES VALUE 'Y' 'y'. 88 MANY VALUES ARE 'A' THRU 'C', SPACE, ALL '*'
        WHEN SET TO FALSE 'N'. 05 B PIC S9V9. 88 LOW VALUE -1 THROUGH 1.5."""
    )
    assert found.find("A").conditions == (
        Condition("YES", (Range("Y"), Range("y"))),
        Condition("MANY", (Range("A", "C"), Range(Figurative.SPACE), Range(Repeated("*")))),
    )
    assert found.find("B").conditions[0].ranges == (Range(Decimal(-1), Decimal("1.5")),)


def test_renames() -> None:
    found = record(
        """05 A PIC X. 05 G. 10 B PIC XX. 10 C PIC X(3). 66 D RENAMES A THRU B OF G.
        66 E RENAMES G."""
    )
    assert [(each.name, each.offset, each.length) for each in found.renames] == [
        ("D", 0, 3), ("E", 1, 5),
    ]  # fmt: skip


def test_find_wants_one_item() -> None:
    found = record("05 G. 10 A PIC X. 05 H. 10 A PIC X.")
    assert found.find("H", "A").offset == 1
    with pytest.raises(KeyError, match="2 items"):
        found.find("A")


def test_clauses_without_bytes() -> None:
    found = copybook("01 R IS EXTERNAL. 05 A PIC X. 77 B GLOBAL PIC X.")
    assert [each.maximum_length for each in found.records] == [1, 1]
