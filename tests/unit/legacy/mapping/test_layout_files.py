"""Layout files: what they declare, and what is wrong with one is told with its key."""

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.legacy_cobol.copybook.dialects import TWO_FOUR_EIGHT
from adapters.legacy_cobol.copybook.kinds import ByteOrder, Encoding, ZonedSigns
from adapters.legacy_cobol.copybook.layout import Range
from adapters.legacy_cobol.fields.policy import Form, Meaning, Policy, Trim
from adapters.legacy_cobol.mapping.layout_file import Layout, layout_of, read_layout
from adapters.legacy_cobol.mapping.record_types import Role
from adapters.legacy_cobol.mapping.section import LayoutError
from adapters.legacy_cobol.records.framing import (
    GNUCOBOL,
    RDW,
    Blocked,
    Body,
    Fixed,
    FixedBlocked,
    Lines,
    Prefixed,
    SelfDelimiting,
)
from adapters.legacy_cobol.records.segments import Segment

COPYBOOK = """01 R.
   05 KIND PIC X.
      88 GOOD VALUE 'G'.
   05 AMOUNT PIC S9(5)V99 COMP-3.
   05 G.
      10 CODE-A PIC 9(4) COMP.
   05 H.
      10 CODE-A PIC 9(3) COMP.
"""
ONE = 'copybook = "r.cpy"\nform = "free"\n'
RECORD = ONE + "[[records]]\n"


def layout(folder: Path, text: str) -> Layout:
    (folder / "r.cpy").write_text(COPYBOOK)
    return layout_of(tomllib.loads(text, parse_float=Decimal), folder)


def test_the_least_layout_has_every_record_and_the_dialects_encoding(tmp_path: Path) -> None:
    found = layout(tmp_path, ONE)
    (only,) = found.records
    assert (only.type.name, only.type.when, only.role) == ("r", (), Role.EVENT)
    assert found.encoding == Encoding()
    assert found.framing is None
    assert found.events == found.records


def test_encoding_and_dialect(tmp_path: Path) -> None:
    text = (
        ONE
        + """
[dialect]
name = "gnucobol"
binary_sizes = "2-4-8"
slides = true
[encoding]
code_page = "cp1252"
zoned_signs = "ascii-realia"
byte_order = "little"
"""
    )
    found = layout(tmp_path, text)
    assert found.encoding.code_page == "cp1252"
    assert found.encoding.zoned_signs is ZonedSigns.ASCII_REALIA
    assert found.encoding.byte_order is ByteOrder.LITTLE
    assert found.encoding.native_order is ByteOrder.LITTLE
    assert found.copybook.record("R").find("H", "CODE-A").length == TWO_FOUR_EIGHT[0][1]


def test_names_policies_and_selectors(tmp_path: Path) -> None:
    text = (
        ONE
        + """
[policy]
form = "string"
[[records]]
name = "x"
when = [
  { condition = "GOOD" },
  { field = "G.CODE-A", values = [1, 2] },
  { field = "AMOUNT", from = 1.5, thru = 2 },
]
[records.fields."G.CODE-A"]
name = "first_code"
form = "code"
low_values = "null"
trim = "both"
"""
    )
    (declared,) = layout(tmp_path, text).records
    kind, path = declared.type, ("R", "G", "CODE-A")
    assert kind.names == {path: "first_code"}
    assert kind.policies[path] == Policy(low_values=Meaning.NULL, trim=Trim.BOTH, form=Form.CODE)
    assert kind.policy == Policy(form=Form.STRING)
    assert [each.ranges for each in kind.when] == [
        (Range("G"),),
        (Range(Decimal(1)), Range(Decimal(2))),
        (Range(Decimal("1.5"), Decimal(2)),),
    ]


def test_segments(tmp_path: Path) -> None:
    text = ONE + '[[records]]\nname = "a"\n[[records]]\nname = "b"\nparent = "a"\n'
    found = layout(tmp_path, text)
    assert [each.segment for each in found.records] == [None, Segment("b", "a", "bs")]
    assert [each.type.name for each in found.events] == ["a"]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ('kind = "fixed"', Fixed(9)),
        ('kind = "fixed"\nlength = 80', Fixed(80)),
        ('kind = "fixed-blocked"\nblock = 100', FixedBlocked(9, 100)),
        ('kind = "rdw"', RDW),
        ('kind = "rdw"\norder = "little"\nat = 2', Prefixed(order=ByteOrder.LITTLE, at=2)),
        ('kind = "rdw"\ncounts_header = false\nadjustment = -4',
         Prefixed(counts_header=False, adjustment=-4)),
        ('kind = "blocked"\nblock = 4096\nrecords = { order = "little" }',
         Blocked(Prefixed(order=ByteOrder.LITTLE), block=4096)),
        ('kind = "lines"\nend = 0x15\ntrimmed = false', Lines(0x15, trimmed=False)),
        ('kind = "gnucobol"\nformat = 3', GNUCOBOL[3]),
    ],
)  # fmt: skip
def test_framings(tmp_path: Path, text: str, body: Body) -> None:
    found = layout(tmp_path, f"{ONE}[framing]\n{text}\nhead = 5\n").framing
    assert found is not None
    assert (found.body, found.head, found.tail) == (body, 5, 0)


def test_records_that_delimit_themselves(tmp_path: Path) -> None:
    found = layout(tmp_path, f'{ONE}[framing]\nkind = "self-delimiting"\n').framing
    assert found is not None
    assert isinstance(found.body, SelfDelimiting)


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("", "copybook", "missing"),
        ('copybook = "../r.cpy"', "copybook", "in another folder"),
        (ONE + 'from = "x"', "from", "unknown"),
        (ONE + "decimal_comma = 1", "decimal_comma", "not true or false"),
        (ONE.replace("free", "loose"), "form", "unknown"),
        (ONE + '[dialect]\nname = "vms"', "dialect.name", "not a dialect"),
        (ONE + '[dialect]\nbinary_sizes = "3"', "dialect.binary_sizes", "unknown"),
        (ONE + '[encoding]\ncodepage = "cp037"', "encoding.codepage", "unknown"),
        (ONE + '[framing]\nkind = "odd"', "framing.kind", "not a framing"),
        (ONE + '[framing]\nkind = "gnucobol"\nformat = 4', "framing.format", "not a format"),
        (ONE + '[framing]\nkind = "rdw"\nhead = -1', "framing.head", "negative"),
        (ONE + '[policy]\nblanks = "void"', "policy.blanks", "unknown"),
        (ONE + "records = 5", "records", "not a list"),
        (ONE + "records = [5]", "records[1]", "not a table"),
        (RECORD + 'record = "Q"', "records[1].record", "no record"),
        (RECORD + 'name = "a"\n[[records]]\nname = "a"', "records", "unique"),
        (RECORD + 'name = "a"\nparent = "z"', "records", "unique"),
        (RECORD + '[records.fields.NONE]\nname = "x"', "records[1].fields.NONE", "0 items"),
        (RECORD + '[records.fields.CODE-A]\nname = "x"', "records[1].fields.CODE-A", "2 items"),
        (RECORD + '[records.fields.KIND]\nnam = "x"', "records[1].fields.KIND.nam", "unknown"),
        (RECORD + 'when = [{ condition = "BAD" }]', "records[1].when[1].condition", "no level 88"),
        (RECORD + 'when = [{ field = "KIND" }]', "records[1].when[1].values", "no values are"),
        (RECORD + 'when = [{ field = "KIND", values = [true] }]', "records[1].when[1].values",
         "not a value"),
        (RECORD + 'when = [{ field = "KIND", values = "G" }]', "records[1].when[1].values",
         "not a list"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_key(
    tmp_path: Path, text: str, key: str, problem: str
) -> None:
    with pytest.raises(LayoutError) as caught:
        layout(tmp_path, text)
    assert caught.value.where == f"layout: {key}"
    assert problem in caught.value.problem
    assert caught.value.remedy


def test_a_file(tmp_path: Path) -> None:
    layout(tmp_path, ONE)
    file = tmp_path / "layout.toml"
    file.write_text(ONE)
    assert read_layout(file).copybook.record("R")
    file.write_text("copybook = ")
    with pytest.raises(LayoutError, match=r"layout\.toml"):
        read_layout(file)
