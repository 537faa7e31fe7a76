"""`nusabus legacy`: files looked at and converted, and a feed that is asked how it is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.cli.app import run
from adapters.cli.exits import Exit
from tests.legacy_feeds import COPYBOOK, LAYOUT, a_feed, a_file, a_payment, payments, submit


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Folder:
    """A folder with a layout and a file, in which commands run."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys
        (path / "pay.cpy").write_text(COPYBOOK)
        (path / "layout.toml").write_text(LAYOUT)
        (path / "PAY.DAT").write_bytes(a_file(payments(3)))

    def do(self, *arguments: object) -> Done:
        """One command."""
        code = run(["legacy", *map(str, arguments)])
        captured = self._capsys.readouterr()
        return Done(code, captured.out, captured.err)

    def lay(self, command: str, *arguments: object) -> Done:
        """One command with the layout."""
        return self.do(command, *arguments, "--layout", self.path / "layout.toml")


@pytest.fixture
def folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Folder:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path, capsys)


def test_inspect_proposes_with_evidence(folder: Folder) -> None:
    asked = ("inspect", "PAY.DAT", "--copybook", "pay.cpy", "--form", "free")
    done = folder.do(*asked)
    assert done.code == Exit.OK
    assert "ASCII" in done.out
    assert "fixed, 33 bytes" in done.out
    found = folder.do(*asked, "--json").json
    assert found["framings"][0]["name"] == "fixed, 33 bytes"


def test_layout_prints_positions(folder: Folder) -> None:
    assert "PAY-REC: 33 bytes" in folder.lay("layout").out
    items = folder.lay("layout", "--json").json["records"][1]["items"]
    assert [(each["name"], each["from"]) for each in items[1:3]] == [
        ("PAY-REC.REC-TYPE", 1), ("PAY-REC.TAXPAYER", 2),
    ]  # fmt: skip


def test_schema(folder: Folder) -> None:
    schema = folder.lay("schema").json
    assert schema["properties"]["amount"]["pattern"].endswith(r"\.[0-9]{2}$")


def test_a_file_comes_back_byte_by_byte(folder: Folder) -> None:
    assert folder.lay("decode", "PAY.DAT", "-o", "out.ndjson").code == Exit.OK
    lines = (folder.path / "out.ndjson").read_text().splitlines()
    assert json.loads(lines[1])["data"]["amount"] == "12.50"
    assert folder.lay("encode", "out.ndjson", "-o", "AGAIN.DAT").code == Exit.OK
    assert folder.lay("diff", "PAY.DAT", "AGAIN.DAT").out == "No difference.\n"
    assert (folder.path / "AGAIN.DAT").read_bytes() == (folder.path / "PAY.DAT").read_bytes()


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ('{"record": "pay", "data": {}, "original": "zz"}', "Line 1: `original` is not hex"),
        ('{"record": "pay", "data": {}, "original": 1}', "Line 1: `original` is not hex"),
        ('{"record": 1, "data": {}}', "Line 1: write"),
        ('{"record": "pay", "data": []}', "Line 1: write"),
        ('{"record": "pax", "data": {}}', "Unknown record type 'pax'"),
        ("[]", "Line 1 is not a JSON object"),
        ("{", "Line 1 is not JSON"),
    ],
)
def test_what_is_no_document_leaves_no_file(folder: Folder, line: str, printed: str) -> None:
    (folder.path / "bad.ndjson").write_text(f"{line}\n")
    done = folder.lay("encode", "bad.ndjson", "-o", "BAD.DAT")
    assert done.code == Exit.ERROR
    assert printed in done.err
    assert not list(folder.path.glob("*BAD.DAT*"))


def test_many_bad_records_are_counted(folder: Folder) -> None:
    (folder.path / "BAD.DAT").write_bytes(b"D" * 33 * 30)
    done = folder.lay("decode", "BAD.DAT", "-o", "out.ndjson")
    assert done.code == Exit.CHANGES
    assert done.err.count("Record ") == 20
    assert "and 10 more" in done.err
    done = folder.lay("validate", "BAD.DAT", "--json")
    assert (done.json["rejected"], len(done.json["rejects"])) == (30, 30)


def test_everything_by_flags(folder: Folder) -> None:
    (folder.path / "one.cpy").write_text("01 R. 05 NIK PIC 9(4). 05 V PIC S9(3) COMP-3.\n")
    raw = "0042".encode("cp500") + bytes.fromhex("123d")
    (folder.path / "ONE.DAT").write_bytes(len(raw).to_bytes(2, "little") + b"\0\0" + raw)
    flags = (
        "--copybook", "one.cpy", "--form", "free", "--code-page", "cp500", "--framing", "rdw",
        "--rdw-order", "little", "--rdw-counts-data", "--rename", "V=nilai",
        "--set", "records=[{record='R', fields={NIK={form='code'}, V={name='nilai'}}}]",
    )  # fmt: skip
    done = folder.do("decode", "ONE.DAT", *flags)
    assert (done.code, done.json) == (Exit.OK, {"nik": "0042", "nilai": -123})


def test_select_names_record_types(folder: Folder) -> None:
    flags = ["--copybook", "pay.cpy", "--form", "free", "--code-page", "ascii",
             "--zoned-signs", "ascii-letters", "--framing", "fixed",
             "--select", "HEAD-REC:REC-TYPE=H", "--select", "PAY-REC:REC-TYPE=D,E",
             "--select", "TAIL-REC:REC-TYPE=T"]  # fmt: skip
    done = folder.do("validate", "PAY.DAT", "--json", *flags)
    assert done.json["records"] == {"head-rec": 1, "pay-rec": 3, "tail-rec": 1}


def test_bad_records_are_told(folder: Folder) -> None:
    good = payments(3)
    bad = good[1][:21] + b"12X45678" + good[1][29:]
    (folder.path / "BAD.DAT").write_bytes(a_file(good).replace(good[1], bad))
    done = folder.lay("validate", "BAD.DAT", "--rejects", "bad.rejects")
    assert done.code == Exit.CHANGES
    assert "Record 3 (pay) at byte 66" in done.err
    assert (folder.path / "bad.rejects").read_bytes() == bad
    assert folder.lay("decode", "BAD.DAT", "-o", "x").code == Exit.CHANGES
    compared = folder.lay("diff", "PAY.DAT", "BAD.DAT", "--json").json
    assert compared["count"] == 1


def test_documents_that_do_not_fit_are_told(folder: Folder) -> None:
    fits = {"rec_type": "D", "taxpayer": "W", "amount": "1.00", "serial_in_file": 1}
    lines = [fits, {**fits, "amount": "1.005"}, {**fits, "taxpayer": "Ω"}]
    (folder.path / "in.ndjson").write_text("\n".join(map(json.dumps, lines)))
    done = folder.lay("encode", "in.ndjson", "-o", "OUT.DAT", "--record", "pay")
    assert done.code == Exit.CHANGES
    assert "Line 2: AMOUNT" in done.err
    assert "fraction-lost" in done.err
    assert "Line 3: TAXPAYER" in done.err
    assert (folder.path / "OUT.DAT").read_bytes() == a_payment(1, 100, "W")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("decode", "PAY.DAT"), "Give --layout FILE or --copybook FILE"),
        (("decode", "PAY.DAT", "--copybook", "pay.cpy", "--form", "free"), "inspect"),
        (("decode", "PAY.DAT", "--copybook", "pay.cpy", "--form", "loose"), "'loose'"),
        (("decode", "PAY.DAT", "--copybook", "pay.cpy", "--set", "x"), "KEY=VALUE"),
        (("status", "."), "feed.toml"),
        (("inspect", "PAY.DAT", "--copybook", "pay.cpy", "--dialect", "vms"), "ibm"),
    ],
)
def test_what_is_missing_is_told(folder: Folder, arguments: tuple[str, ...], printed: str) -> None:
    done = folder.do(*arguments)
    assert done.code == Exit.ERROR
    assert printed in done.err


def test_status_of_a_feed(folder: Folder) -> None:
    feed = a_feed(folder.path / "feed")
    assert folder.do("status", feed.folder).out.splitlines()[1] == "0 waiting in incoming/"
    submit(feed, a_file(payments(1)))
    found = folder.do("status", feed.folder, "--json").json
    assert (found["waiting"], found["watched"], found["journal"]) == (["PAY.DAT"], False, [])
