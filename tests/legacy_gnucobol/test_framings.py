"""Every framing: COBOL writes a file, we read it; we write it, COBOL reads the same sums."""

import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.legacy_cobol.copybook.kinds import Encoding, ZonedSigns
from adapters.legacy_cobol.copybook.parser import CopybookOptions, read_copybook
from adapters.legacy_cobol.copybook.source import Form
from adapters.legacy_cobol.records.chunk_reader import chunk_of, chunks
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.records.framing import (
    GNUCOBOL,
    RDW,
    RDW_LITTLE,
    Blocked,
    Body,
    Fixed,
    FixedBlocked,
    Framing,
    Lines,
    SelfDelimiting,
)
from adapters.legacy_cobol.records.record_length import RecordLength
from adapters.legacy_cobol.records.record_type import RecordType
from tests.legacy_gnucobol.programs import compiled, needs_cobol, sequential

pytestmark = needs_cobol

ASCII = Encoding(code_page="ascii", zoned_signs=ZonedSigns.ASCII_LETTERS)
COPYBOOK = """
01 R.
   05 SERIAL-NO PIC 9(5).
   05 N         PIC 9(2).
   05 AMOUNTS   PIC S9(5)V99 SIGN TRAILING SEPARATE
                OCCURS 0 TO 9 DEPENDING ON N.
"""
COUNT = 120
VARYING = "RECORD IS VARYING IN SIZE FROM 7 TO 79 CHARACTERS DEPENDING ON SIZE-OF-R"
WORKING = """
01 SIZE-OF-R PIC 9(4) COMP-5.
01 I PIC 9(5) COMP-5.
01 J PIC 9(5) COMP-5.
01 V PIC S9(5)V99 COMP-3.
01 SUM-SERIAL PIC 9(9) VALUE 0.
01 SUM-AMOUNT PIC S9(9)V99 SIGN LEADING SEPARATE VALUE 0.
01 READ-COUNT PIC 9(9) VALUE 0.
"""
FILL_RECORD = """
    MOVE I TO SERIAL-NO
    COMPUTE N = FUNCTION MOD(I, 10)
    COMPUTE SIZE-OF-R = 7 + 8 * N
    PERFORM VARYING J FROM 1 BY 1 UNTIL J > N
        COMPUTE V = (I * 7 + J) / 100
        IF FUNCTION MOD(J, 2) = 0 COMPUTE V = 0 - V END-IF
        MOVE V TO AMOUNTS(J)
    END-PERFORM
"""
ADD_RECORD = """
    ADD 1 TO READ-COUNT
    ADD SERIAL-NO TO SUM-SERIAL
    PERFORM VARYING J FROM 1 BY 1 UNTIL J > N
        ADD AMOUNTS(J) TO SUM-AMOUNT
    END-PERFORM
"""
SHOW = 'DISPLAY READ-COUNT " " SUM-SERIAL " " SUM-AMOUNT.'
WRITER = [
    "OPEN OUTPUT F.",
    f"PERFORM VARYING I FROM 1 BY 1 UNTIL I > {COUNT}",
    FILL_RECORD,
    "WRITE R END-PERFORM.",
    "CLOSE F.",
]
READER = [
    "OPEN INPUT F.",
    "PERFORM UNTIL AT-END = 1",
    "READ F AT END MOVE 1 TO AT-END NOT AT END",
    ADD_RECORD,
    "END-READ END-PERFORM.",
    SHOW,
]


def documents() -> list[dict[str, Any]]:
    """What the programs compute."""
    return [
        {"serial_no": i, "n": i % 10, "amounts": [_amount(i, j) for j in range(1, i % 10 + 1)]}
        for i in range(1, COUNT + 1)
    ]


def _amount(i: int, j: int) -> str:
    value = Decimal(i * 7 + j).scaleb(-2)
    return str(-value if j % 2 == 0 else value)


def sums() -> str:
    """What the programs display."""
    amount = sum((Decimal(each) for one in documents() for each in one["amounts"]), Decimal(0))
    return f"{COUNT:09} {sum(one['serial_no'] for one in documents()):09} {amount * 100:+012.0f}"


def kind() -> RecordType:
    (record,) = read_copybook(COPYBOOK, options=CopybookOptions(form=Form.FREE)).records
    return RecordType("r", record)


def read(data: bytes, body: Body, *, padded: bool = False, head: int = 0, tail: int = 0) -> Any:
    """The documents of a file, in small chunks."""
    decoder = Decoder([kind()], ASCII, padded=padded)
    found = chunks(io.BytesIO(data), Framing(body, head, tail), size=500)
    decoded = [decoder.decode(chunk) for chunk in found]
    assert not any(each.faults for each in decoded)
    return [document for each in decoded for document in each.documents()]


def records() -> list[bytes]:
    """The documents as our encoder writes them."""
    encoded = Encoder([kind()], ASCII).encode(documents(), "r")
    return [each or b"" for each in encoded.records]


@pytest.mark.parametrize("number", range(4))
def test_variable_formats(number: int, tmp_path: Path) -> None:
    environment = {"COB_VARSEQ_FORMAT": str(number)}
    source = sequential(COPYBOOK, WRITER, working=WORKING, record=VARYING)
    compiled(tmp_path, source).run(environment)
    data = (tmp_path / "file.dat").read_bytes()
    assert read(data, GNUCOBOL[number]) == documents()
    ours = b"".join(frame_records(records(), GNUCOBOL[number]))
    assert ours == data
    reader = compiled(tmp_path, sequential(COPYBOOK, READER, working=WORKING, record=VARYING))
    assert _unpointed(reader.run(environment)) == sums()


def test_lines(tmp_path: Path) -> None:
    more = {"working": WORKING, "organization": "LINE SEQUENTIAL", "record": VARYING}
    compiled(tmp_path, sequential(COPYBOOK, WRITER, **more)).run()
    data = (tmp_path / "file.dat").read_bytes()
    assert read(data, Lines()) == documents()
    (tmp_path / "file.dat").write_bytes(b"".join(frame_records(records(), Lines())))
    reader = compiled(tmp_path, sequential(COPYBOOK, READER, **more))
    assert _unpointed(reader.run()) == sums()


def test_trimmed_lines_stand_for_blanks(tmp_path: Path) -> None:
    copybook = "01 R. 05 A PIC 9(3). 05 B PIC X(9)."
    lines = [
        "OPEN OUTPUT F.",
        *(f'MOVE {at} TO A. MOVE "{"x" * at}" TO B. WRITE R.' for at in (0, 4, 9)),
        "CLOSE F.",
    ]
    compiled(tmp_path, sequential(copybook, lines, organization="LINE SEQUENTIAL")).run()
    data = (tmp_path / "file.dat").read_bytes()
    assert data == b"000\n004xxxx\n009xxxxxxxxx\n"
    (record,) = read_copybook(copybook, options=CopybookOptions(form=Form.FREE)).records
    decoder = Decoder([RecordType("r", record)], ASCII, padded=True)
    found = decoder.decode(chunk_of(data, Framing(Lines()))).documents()
    assert found == [{"a": at, "b": "x" * at} for at in (0, 4, 9)]


BYTES_WORKING = (
    COPYBOOK
    + WORKING
    + """
01 SHAPE PIC X(10).
01 BIG. 05 BIG-LENGTH PIC 9(4) COMP. 05 FILLER PIC XX VALUE LOW-VALUE.
01 LITTLE. 05 LITTLE-LENGTH PIC 9(4) COMP-5. 05 FILLER PIC XX VALUE LOW-VALUE.
01 PIECE PIC X(100).
01 PIECE-SIZE PIC 9(4) COMP-5.
01 K PIC 9(5) COMP-5.
01 BLOCK-LEFT PIC 9(5) COMP-5 VALUE 0.
"""
)
BYTES_WRITER = f"""
    ACCEPT SHAPE FROM ENVIRONMENT "SHAPE".
    OPEN OUTPUT F.
    IF SHAPE = "ENCLOSED" MOVE "HEADER" TO PIECE MOVE 6 TO PIECE-SIZE PERFORM PUT-PIECE.
    PERFORM VARYING I FROM 1 BY 1 UNTIL I > {COUNT}
        IF SHAPE = "BDW" AND FUNCTION MOD(I, 10) = 1
*> ten records: their data, their descriptors, and the block's
            COMPUTE BIG-LENGTH = 10 * 7 + 45 * 8 + 10 * 4 + 4
            MOVE BIG TO PIECE MOVE 4 TO PIECE-SIZE PERFORM PUT-PIECE
        END-IF
        {FILL_RECORD}
        COMPUTE BIG-LENGTH = SIZE-OF-R + 4
        COMPUTE LITTLE-LENGTH = SIZE-OF-R + 4
        MOVE 4 TO PIECE-SIZE
        EVALUATE SHAPE
            WHEN "RDW" MOVE BIG TO PIECE PERFORM PUT-PIECE
            WHEN "BDW" MOVE BIG TO PIECE PERFORM PUT-PIECE
            WHEN "LITTLE" MOVE LITTLE TO PIECE PERFORM PUT-PIECE
        END-EVALUATE
        MOVE R TO PIECE MOVE SIZE-OF-R TO PIECE-SIZE PERFORM PUT-PIECE
    END-PERFORM.
    IF SHAPE = "ENCLOSED" MOVE "END" TO PIECE MOVE 3 TO PIECE-SIZE PERFORM PUT-PIECE.
    CLOSE F.
    STOP RUN.
PUT-PIECE.
    PERFORM VARYING K FROM 1 BY 1 UNTIL K > PIECE-SIZE
        MOVE PIECE(K:1) TO B WRITE B
    END-PERFORM.
DUMMY.
"""
BYTES_READER = f"""
    ACCEPT SHAPE FROM ENVIRONMENT "SHAPE".
    OPEN INPUT F.
    PERFORM UNTIL AT-END = 1
        IF SHAPE = "BDW" AND BLOCK-LEFT = 0
            MOVE 4 TO PIECE-SIZE PERFORM TAKE-PIECE
            IF AT-END = 0 MOVE PIECE TO BIG COMPUTE BLOCK-LEFT = BIG-LENGTH - 4 END-IF
        END-IF
        IF AT-END = 0 MOVE 4 TO PIECE-SIZE PERFORM TAKE-PIECE END-IF
        IF AT-END = 0
            MOVE PIECE TO BIG LITTLE
            IF SHAPE = "LITTLE" MOVE LITTLE-LENGTH TO BIG-LENGTH END-IF
            COMPUTE PIECE-SIZE = BIG-LENGTH - 4
            IF SHAPE = "BDW" SUBTRACT BIG-LENGTH FROM BLOCK-LEFT END-IF
            PERFORM TAKE-PIECE
            MOVE PIECE(6:2) TO N
            MOVE PIECE TO R
            {ADD_RECORD}
        END-IF
    END-PERFORM.
    {SHOW}
    STOP RUN.
TAKE-PIECE.
    PERFORM VARYING K FROM 1 BY 1 UNTIL K > PIECE-SIZE OR AT-END = 1
        READ F AT END MOVE 1 TO AT-END NOT AT END MOVE B TO PIECE(K:1) END-READ
    END-PERFORM.
DUMMY.
"""
BY_BYTE: dict[str, Body] = {
    "RDW": RDW,
    "LITTLE": RDW_LITTLE,
    "BDW": Blocked(),
    "SELF": SelfDelimiting(RecordLength((kind(),), ASCII)),
}


@pytest.mark.parametrize("mode", sorted(BY_BYTE))
def test_descriptors(mode: str, tmp_path: Path) -> None:
    compiled(tmp_path, _by_byte(BYTES_WRITER)).run({"SHAPE": mode})
    data = (tmp_path / "file.dat").read_bytes()
    assert read(data, BY_BYTE[mode]) == documents()
    if mode == "SELF":
        assert b"".join(frame_records(records(), BY_BYTE[mode])) == data
        return
    body = replace(Blocked(), block=500) if mode == "BDW" else BY_BYTE[mode]
    (tmp_path / "file.dat").write_bytes(b"".join(frame_records(records(), body)))
    reader = compiled(tmp_path, _by_byte(BYTES_READER))
    assert _unpointed(reader.run({"SHAPE": mode})) == sums()


def test_header_and_trailer(tmp_path: Path) -> None:
    compiled(tmp_path, _by_byte(BYTES_WRITER)).run({"SHAPE": "ENCLOSED"})
    data = (tmp_path / "file.dat").read_bytes()
    assert data[:6] == b"HEADER"
    assert read(data, BY_BYTE["SELF"], head=6, tail=3) == documents()


def test_fixed_and_fixed_blocked(tmp_path: Path) -> None:
    """Blocks of 30 bytes: three records of 8, and 6 bytes of padding."""
    copybook = "01 R. 05 A PIC 9(4). 05 B PIC S9(4) SIGN LEADING."
    blocked = "BLOCK CONTAINS 30 CHARACTERS"
    lines = ["OPEN OUTPUT F."]
    lines += [f"MOVE {at} TO A. MOVE -{at} TO B. WRITE R." for at in range(1, 8)]
    compiled(tmp_path, sequential(copybook, [*lines, "CLOSE F."], record=blocked)).run()
    data = (tmp_path / "file.dat").read_bytes()
    (record,) = read_copybook(copybook, options=CopybookOptions(form=Form.FREE)).records
    decoder = Decoder([RecordType("r", record)], ASCII)
    expected = [{"a": at, "b": -at} for at in range(1, 8)]
    chunk = chunk_of(data, Framing(Fixed(8)))
    assert decoder.decode(chunk).documents() == expected
    padded = b"".join(frame_records([chunk.raw(at) for at in range(7)], FixedBlocked(8, 30)))
    assert len(padded) == 2 * 30 + 8
    assert decoder.decode(chunk_of(padded, Framing(FixedBlocked(8, 30)))).documents() == expected


def _by_byte(statements: str) -> str:
    return sequential("01 B PIC X.", [statements], working=BYTES_WORKING)


def _unpointed(displayed: str) -> str:
    return displayed.strip().replace(".", "")
