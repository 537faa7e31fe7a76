"""Layouts for tests: a copybook and the declarations beside it, in a folder."""

import tomllib
from decimal import Decimal
from pathlib import Path

from adapters.legacy_cobol.mapping.layout_file import Layout, layout_of
from tests.legacy_feeds import a_record

COPYBOOK = """
01 HEAD-REC.
   05 REC-TYPE PIC X.
   05 SERIAL PIC 9(8).
01 CITIZEN-REC.
   05 REC-TYPE PIC X.
      88 IS-CITIZEN VALUE 'C'.
   05 NIK PIC 9(16).
   05 FULL-NAME PIC X(20).
   05 SEX PIC X.
      88 MALE VALUE 'L'.
      88 FEMALE VALUE 'P'.
   05 BALANCE PIC S9(7)V99 COMP-3.
   05 AGE PIC 9(3).
      88 CHILD VALUE 0 THRU 17.
      88 ADULT VALUE 18 THRU 150.
   05 KIND PIC X.
   05 ADDRESS-TEXT PIC X(12).
   05 ADDRESS-PARTS REDEFINES ADDRESS-TEXT.
      10 STREET PIC X(8).
      10 HOUSE PIC 9(4).
   05 FILLER PIC X(3).
   05 PHONES-COUNT PIC 9.
   05 PHONE OCCURS 0 TO 3 DEPENDING ON PHONES-COUNT.
      10 NUMBER-TEXT PIC X(5).
"""
LAYOUT = f"""
copybook = "citizen.cpy"
form = "free"
encoding = {{ code_page = "cp037" }}
framing = {{ kind = "rdw" }}
{a_record("head", "HEAD-REC", "H", "control")}
[[records]]
name = "citizen"
record = "CITIZEN-REC"
when = [{{ condition = "IS-CITIZEN" }}]

[records.fields.NIK]
form = "code"
title = "National identity number"

[records.fields.FULL-NAME]
name = "name"
blanks = "null"

[records.fields.BALANCE]
form = "string"

[records.variants.ADDRESS-TEXT]
when = [{{ field = "KIND", values = ["T"] }}]

[records.variants.ADDRESS-PARTS]
when = [{{ field = "KIND", values = ["P", "Q"] }}]
"""


def a_layout(folder: Path, text: str = LAYOUT, copybook: str = COPYBOOK) -> Layout:
    """The layout of these texts."""
    (folder / "citizen.cpy").write_text(copybook)
    return layout_of(tomllib.loads(text, parse_float=Decimal), folder)
