"""The table of positions."""

from adapters.legacy_cobol.copybook.listing import layout_table
from tests.unit.legacy.copybook.reading import copybook

TEXT = """
01 R.
   05 N PIC 9(2).
   05 T OCCURS 1 TO 5 TIMES DEPENDING ON N.
      10 A PIC S9(4) COMP SYNC.
      10 B PIC X.
   05 C PIC S9(7)V99 COMP-3.
   05 D REDEFINES C COMP-1.
   66 E RENAMES A THRU B.
01 S.
   05 A PIC X.
   05 B PIC S9(4) COMP SYNC.
   05 C PIC X OCCURS 3.
"""
TABLE = """\
R: 11 to 27 bytes
Level  Name       From   To  Length  Picture    Usage    Occurs    Remarks
----------------------------------------------------------------------------------
01     R             1   27      27             GROUP
05       N           1    2       2  9(2)       DISPLAY
05       T           3    6       4             GROUP    1-5 by N
10         A         3    4       2  S9(4)      COMP
10         B         5    5       1  X          DISPLAY
           (slack)   6    6       1
05       C         ~23  ~27       5  S9(7)V99   COMP-3
05       D         ~23  ~26       4             COMP-1             redefines C
66     E             3    5       3                                renames A thru B
~ moves with the counters; the position is that of the largest record

S: 7 bytes
Level  Name     From  To  Length  Picture  Usage    Occurs  Remarks
-------------------------------------------------------------------
01     S           1   7       7           GROUP
05       A         1   1       1  X        DISPLAY
         (slack)   2   2       1
05       B         3   4       2  S9(4)    COMP
05       C         5   5       1  X        DISPLAY  3
"""


def test_the_table_of_two_records() -> None:
    lines = layout_table(copybook(TEXT)).split("\n")
    assert [line.split() for line in lines if "---" not in line] == [
        line.split() for line in TABLE.split("\n") if "---" not in line
    ]
