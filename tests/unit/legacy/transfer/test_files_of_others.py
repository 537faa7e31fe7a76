"""Small files that others wrote, with flags alone: read as they came, and written byte by byte."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.cli.app import run
from adapters.cli.legacy.proposals import framing_keys, write_layout
from adapters.legacy_cobol.copybook.kinds import ByteOrder
from adapters.legacy_cobol.mapping.layout_file import read_layout
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.records.framing import (
    GNUCOBOL,
    RDW,
    SPANNED,
    Blocked,
    Body,
    Fixed,
    FixedBlocked,
    Lines,
    Prefixed,
)

ASCII = "--code-page ascii --zoned-signs ascii-letters --framing fixed"
LITTLE = Prefixed(order=ByteOrder.LITTLE, counts_header=False)
CHOICE = "when=[{{field='T',values=['{0}']}}]"
VARIANTS = "--framing rdw --set records=[{{variants={{A={{{a}}},B={{{b}}}}}}}]".format(
    a=CHOICE.format("A"), b=CHOICE.format("B")
)


@pytest.mark.parametrize(
    ("copybook", "flags", "data", "documents"),
    [
        ("05 FILLER. 10 KODE PIC X. 10 JML PIC 9. 05 FILLER. 10 KODE PIC X. 10 JML PIC 9.", ASCII,
         "41314232", [{"kode": "A", "jml": 1, "kode_2": "B", "jml_2": 2}]),
        ("05 A PIC S9(4) COMP-3. 05 B PIC S9(3)V99.", "--framing fixed --numbers code",
         "00005df0f0f1f2d5", [{"a": "-0005", "b": "-00125"}]),
        ("05 N PIC 9. 05 T PIC X(2) OCCURS 0 TO 3 DEPENDING ON N.", ASCII,
         "31414220202020" + "32414243442020", [{"n": 1, "t": ["AB"]}, {"n": 2, "t": ["AB", "CD"]}]),
        ("05 NAMA PIC X(6). 05 JML PIC S9(4) COMP.", "--framing fixed --padding nul",
         "c1c2000000000000c1c2c3c4c5c60005",
         [{"nama": "AB", "jml": 0}, {"nama": "ABCDEF", "jml": 5}]),
        ("05 NAMA PIC X(2). 05 JML PIC S9(4) COMP. 05 SEL PIC S9(4) COMP. 05 Z PIC 9(2).",
         "--framing fixed --low-values null --high-values null --blanks null",
         "00000000fffff0f7c1c24040fffff0f7",
         [{"nama": None, "jml": 0, "sel": -1, "z": 7},
          {"nama": "AB", "jml": None, "sel": -1, "z": 7}]),
        ("05 A PIC S9(4) COMP.", "--framing fixed --trunc bin", "7fff270f",
         [{"a": 32767}, {"a": 9999}]),
        ("05 T PIC X. 05 A PIC X(6). 05 B REDEFINES A PIC X(3).", VARIANTS,
         "000b0000c1f1f2f3f4f5f600080000c2f1f2f3",
         [{"t": "A", "a": "123456"}, {"t": "B", "b": "123"}]),
        ("05 A PIC X. 05 B PIC X(2).", "--framing rdw --optional B", "00050000c100070000c1c2c3",
         [{"a": "A"}, {"a": "A", "b": "BC"}]),
        ("05 N PIC 9. 05 T PIC X OCCURS 1 TO 3 DEPENDING ON N.", "--framing rdw --empty-tables",
         "00050000f0", [{"n": 0, "t": []}]),
        ("05 E PIC ZZ9.99. 05 X PIC X(2).", "--framing fixed --set policy.edited.blanks=null",
         "4040404040404040", [{"e": None, "x": ""}]),
        ("05 A PIC 9(20) COMP. 05 B PIC 99V9 SIGN LEADING SEPARATE.", "--framing fixed",
         "0000000000000000074ef0f1f5", [{"a": "7", "b": "1.5"}]),
        ("05 A PIC X(6). 05 G PIC G(2).", "--framing fixed --code-page 939",
         "c10e4562" + "0f40" + "45624040", None),
    ],
)  # fmt: skip
def test_a_file_with_flags_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], copybook: str, flags: str, data: str,
    documents: list[dict[str, Any]] | None,
) -> None:  # fmt: skip
    (tmp_path / "a.cpy").write_text(f"01 R. {copybook}")
    file, again, lines = (tmp_path / name for name in ("a.dat", "b.dat", "a.ndjson"))
    file.write_bytes(bytes.fromhex(data))
    given = ["--copybook", str(tmp_path / "a.cpy"), "--form", "free", *flags.split()]
    assert run(["legacy", "decode", str(file), *given, "--originals", "-o", str(lines)]) == 0
    assert capsys.readouterr().err == ""
    found = [json.loads(line)["data"] for line in lines.read_text().splitlines()]
    assert documents in (None, found)
    assert "\0" not in str(found)
    assert run(["legacy", "encode", str(lines), *given, "-o", str(again)]) == 0
    assert again.read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    "body",
    [RDW, LITTLE, GNUCOBOL[1], GNUCOBOL[3], SPANNED, Blocked(), Blocked(LITTLE), Fixed(30),
     FixedBlocked(30, 100), Lines(end=0x15, blank=0x40), Prefixed(2, 0, 2, ByteOrder.LITTLE)],
)  # fmt: skip
def test_a_written_layout_says_what_was_proposed(tmp_path: Path, body: Body) -> None:
    (tmp_path / "a.cpy").write_text("       01  R PIC X(30).\n")
    file = tmp_path / "layout.toml"
    write_layout(file, tmp_path / "a.cpy", framing_keys(body), {"code_page": "cp037"})
    framing = read_layout(file).framing
    assert framing is not None
    assert framing.body == body


@pytest.mark.parametrize("body", [LITTLE, RDW, Lines(), Fixed(31)])
def test_inspect_gives_flags_that_read_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: Body
) -> None:
    random = Random(7)
    page = "ascii" if isinstance(body, Lines) else "cp037"
    lengths = [31 if isinstance(body, Fixed) else random.randint(26, 31) for _ in range(60)]
    records = [
        f"{random.randint(0, 10**8):08}{'ANI':14}Z{'':9}"[:length].encode(page)
        for length in lengths
    ]
    (tmp_path / "a.dat").write_bytes(b"".join(frame_records(records, body)))
    (tmp_path / "a.cpy").write_text("       01  R.\n           05  A PIC X(31).\n")
    given = [str(tmp_path / "a.dat"), "--json"]
    copybook = ["--copybook", str(tmp_path / "a.cpy")]
    more = copybook if isinstance(body, Fixed) else []
    layout = tmp_path / "layout.toml"
    assert run(["legacy", "inspect", *given, *more, "--write-layout", str(layout)]) == 0
    best = json.loads(capsys.readouterr().out)["framings"][0]
    flags = ["--set", 'records=[{optional="A"}]', *best["flags"].split()]
    assert run(["legacy", "layout", *copybook, *flags]) == 0
    layout.write_text(layout.read_text().replace("copybook.cpy", "a.cpy"))
    framing = read_layout(layout).framing
    assert framing is not None
    assert type(framing.body) is type(body)
    assert best["flags"].split()[-1] in (page, "ascii-letters")


def test_inspect_overwrites_no_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.dat").write_bytes(b"".join(frame_records([b"\xc1\xc2\xc3\xc4"] * 9, RDW)))
    (tmp_path / "layout.toml").write_text("mine")
    given = [str(tmp_path / "a.dat"), "--write-layout", str(tmp_path / "layout.toml")]
    assert run(["legacy", "inspect", *given]) == 1
    assert "exists. Name another file" in capsys.readouterr().err
    assert (tmp_path / "layout.toml").read_text() == "mine"
