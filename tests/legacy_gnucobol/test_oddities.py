"""Files as thirty-year-old programs leave them: GnuCOBOL writes them, and we read them as they are.

Each case is a copybook, what a program does before each WRITE, and what a layout declares.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.legacy_cobol.mapping.codecs import decoder_of, encoder_of
from adapters.legacy_cobol.mapping.layout_file import layout_of
from adapters.legacy_cobol.records.chunk_reader import chunk_of
from adapters.legacy_cobol.records.encoder import originals_needed
from adapters.legacy_cobol.records.frame_writer import frame_records
from tests.legacy_gnucobol.programs import compiled, needs_cobol, sequential

pytestmark = needs_cobol

HEAD = 'copybook = "a.cpy"\nform = "free"\n'
GNU = '[dialect]\nname = "gnucobol"\n{0}\n[framing]\nkind = "fixed"\n{1}\n'


@dataclass(frozen=True)
class Case:
    """A file of records, each made by some statements, and its documents."""

    items: str
    writes: tuple[str, ...]
    documents: tuple[dict[str, Any], ...]
    dialect: str = ""
    more: str = ""
    flags: tuple[str, ...] = ()
    framing: str = ""


CASES = {
    "text on low-values": Case(
        "05 A PIC X(6). 05 N PIC S9(4) COMP. 05 B PIC X(3).",
        ("MOVE LOW-VALUES TO R. STRING 'AB' DELIMITED SIZE INTO A.",
         "MOVE LOW-VALUES TO R. MOVE 'AB' TO A. MOVE 7 TO N. MOVE 'XYZ' TO B."),
        ({"a": "AB", "n": 0, "b": ""}, {"a": "AB", "n": 7, "b": "XYZ"}),
        more='[policy]\npadding = "nul"',
    ),
    "blanks in edited fields": Case(
        "05 G. 10 E PIC ZZ9.99. 10 D PIC 99/99/9999. 05 X PIC X(2).",
        ("MOVE SPACES TO R.", "MOVE 1.5 TO E. MOVE 31122026 TO D. MOVE 'ab' TO X."),
        ({"g": {"e": None, "d": None}, "x": ""}, {"g": {"e": "1.50", "d": 31122026}, "x": "ab"}),
        more='[policy.edited]\nblanks = "null"',
    ),
    "binary beyond the picture": Case(
        "05 A PIC S9(4) COMP. 05 B PIC 9(4) COMP. 05 C PIC S9(4) COMP-5.",
        ("MOVE 32767 TO A. MOVE 65535 TO B. MOVE -32768 TO C.", "MOVE -1 TO A. MOVE 9999 TO B."),
        ({"a": 32767, "b": 65535, "c": -32768}, {"a": -1, "b": 9999, "c": -32768}),
        dialect='trunc = "bin"', flags=("-fno-binary-truncate",),
    ),
    "a counter of zero": Case(
        "05 N PIC 9. 05 T PIC X(2) OCCURS 1 TO 3 DEPENDING ON N.",
        ("MOVE SPACES TO R. MOVE 0 TO N.", "MOVE 2 TO N. MOVE 'ab' TO T(1). MOVE 'cd' TO T(2)."),
        ({"n": 0, "t": []}, {"n": 2, "t": ["ab", "cd"]}),
        dialect="empty_tables = true",
    ),
    "tables in tables, padded to one length": Case(
        "05 N PIC 9. 05 G OCCURS 0 TO 3 DEPENDING ON N. 10 M PIC 9. 10 V PIC X(2) OCCURS 2.",
        ("MOVE 1 TO N. MOVE 5 TO M(1). MOVE 'ab' TO V(1 1). MOVE 'cd' TO V(1 2).", "MOVE 0 TO N."),
        ({"n": 1, "g": [{"m": 5, "v": ["ab", "cd"]}]}, {"n": 0, "g": []}),
    ),
    "equal names": Case(
        "05 G. 10 K PIC X. 10 J PIC 9. 05 H. 10 K PIC X. 10 J PIC 9.",
        ("MOVE 'A' TO K OF G. MOVE 1 TO J OF G. MOVE 'B' TO K OF H. MOVE 2 TO J OF H.",),
        ({"g": {"k": "A", "j": 1}, "h": {"k": "B", "j": 2}},),
    ),
    "quotes, & and exponents in literals": Case(
        "05 A PIC X(6) VALUE 'it''s' & '!'. 05 C COMP-2 VALUE 1.5E3.",
        ("MOVE 'it''s' & '!' TO A. MOVE 1.5E3 TO C.",),
        ({"a": "it's!", "c": 1500.0},),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_read_as_it_is(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    copybook = f"01 R.\n{case.items}"
    writes = (f"{each} WRITE WRITTEN FROM R." for each in case.writes)
    lines = ["OPEN OUTPUT F.", *writes, "CLOSE F."]
    (tmp_path / "a.cpy").write_text(copybook)
    text = HEAD + case.more + "\n" + GNU.format(case.dialect, case.framing)
    layout = layout_of(tomllib.loads(text), tmp_path)
    area = f"01 WRITTEN PIC X({layout.copybook.records[0].maximum_length})."
    compiled(tmp_path, sequential(area, lines, working=copybook), *case.flags).run()
    data = (tmp_path / "file.dat").read_bytes()
    assert layout.framing is not None
    decoded = decoder_of(layout, layout.framing).decode(chunk_of(data, layout.framing))
    assert not decoded.faults
    documents = decoded.documents()
    assert documents == list(case.documents)
    encoder = encoder_of(layout, layout.framing)
    originals = originals_needed(decoded, encoder)
    records = encoder.encode([each or {} for each in documents], "r", originals).records
    assert b"".join(frame_records([each or b"" for each in records], layout.framing.body)) == data
