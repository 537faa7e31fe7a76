"""COBOL files to JSON beside coboljsonifier, and to columns beside GnuCOBOL, in the same run.

Every way reads the file itself. The three ways take turns; ratios are of neighbours.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from adapters.legacy_cobol.copybook.kinds import Encoding
from adapters.legacy_cobol.fields.columns import Numbers
from adapters.legacy_cobol.records.chunk_reader import chunks
from adapters.legacy_cobol.records.decoded import Decoded
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.records.framing import RDW, Body, Fixed, Framing
from adapters.legacy_cobol.records.record_type import RecordType
from bench import legacy_files as files
from bench.failure import BenchFailure
from bench.legacy_wide import decode_wide
from bench.results import Results, Value
from bench.say import say
from deploy.local.external_programs import ensure

PROGRAM = """
IDENTIFICATION DIVISION.
PROGRAM-ID. SUMMING.
ENVIRONMENT DIVISION.
INPUT-OUTPUT SECTION.
FILE-CONTROL.
    SELECT F ASSIGN TO "ascii.dat" ORGANIZATION IS SEQUENTIAL.
DATA DIVISION.
FILE SECTION.
FD F.
{copybook}
WORKING-STORAGE SECTION.
01 AT-END PIC 9 VALUE 0.
01 TOTALS.
   05 T-SALDO  PIC S9(15)V99 COMP-3 VALUE 0.
   05 T-JUMLAH PIC S9(15)V99 COMP-3 VALUE 0.
   05 T-URUT   PIC S9(18) COMP-5 VALUE 0.
01 SHOWN PIC S9(18) SIGN LEADING SEPARATE.
PROCEDURE DIVISION.
    OPEN INPUT F.
    PERFORM UNTIL AT-END = 1
        READ F AT END MOVE 1 TO AT-END NOT AT END
            ADD SALDO TO T-SALDO
            ADD JUMLAH TO T-JUMLAH
            ADD URUT TO T-URUT
        END-READ
    END-PERFORM.
    COMPUTE SHOWN = T-SALDO * 100. DISPLAY SHOWN.
    COMPUTE SHOWN = T-JUMLAH * 100. DISPLAY SHOWN.
    MOVE T-URUT TO SHOWN. DISPLAY SHOWN.
    STOP RUN.
"""
SUMMED = ("saldo", "jumlah", "urut")
ROUNDS = 3
OURS, THEIRS, ODO_RECORDS = 500_000, 10_000, 100_000


@dataclass(frozen=True)
class _Way:
    """One way to do the work: `run` returns what it found, to be compared."""

    name: str
    records: int
    run: Callable[[], Any]

    def rate(self) -> float:
        """Records per second of one run."""
        began = time.perf_counter()
        self.run()
        return self.records / (time.perf_counter() - began)


def legacy(results: Results) -> None:
    """Measure the part `legacy`. Raises BenchFailure where the ways disagree."""
    with tempfile.TemporaryDirectory(prefix="nusabus-bench-") as name:
        folder = Path(name)
        (folder / "ebcdic.dat").write_bytes(files.residents("cp037", 0xF0, OURS))
        (folder / "ascii.dat").write_bytes(files.residents("ascii", 0x30, OURS))
        _against_peer(folder, results)
        _against_cobol(folder, results)
        _alone(folder, results)
    decode_wide(results)


def _decoded(file: Path, types: list[RecordType], encoding: Encoding, body: Body) -> Any:
    decoder = Decoder(types, encoding)
    with file.open("rb") as opened:
        for chunk in chunks(opened, Framing(body)):
            yield decoder.decode(chunk)


def _to_json(folder: Path) -> list[bytes | None]:
    found: list[bytes | None] = []
    for decoded in _decoded(folder / "ebcdic.dat", [files.resident()], files.EBCDIC, Fixed(66)):
        found += decoded.json()
    return found


def _peer_to_json(folder: Path) -> list[str]:
    peer = "coboljsonifier"
    ebcdic = import_module(f"{peer}.config.parser_type_enum").ParseType.BINARY_EBCDIC
    book = folder / "penduduk.cob"
    book.write_text(files.COPYBOOK)
    extractor = import_module(f"{peer}.copybookextractor").CopybookExtractor(str(book))
    parser = import_module(f"{peer}.parser").Parser(extractor.dict_book_structure, ebcdic).build()
    found = []
    with (folder / "ebcdic.dat").open("rb") as file:
        for _ in range(THEIRS):
            parser.parse(file.read(66))
            found.append(json.dumps(parser.value, default=str))
    return found


def _against_peer(folder: Path, results: Results) -> None:
    """The same values, and how many times as fast."""
    theirs = [json.loads(each) for each in _peer_to_json(folder)]
    ours = [json.loads(each or b"") for each in _to_json(folder)[:THEIRS]]
    for one, other in zip(ours, theirs, strict=True):
        if [str(each) for each in one.values()][4:] != [str(each) for each in other.values()][4:]:
            raise BenchFailure(f"coboljsonifier reads {other}, we read {one}")
    rates = _turns(
        _Way("nusabus", OURS, lambda: _to_json(folder)),
        _Way("coboljsonifier", THEIRS, lambda: _peer_to_json(folder)),
    )
    detail = "file to a JSON document for each record, median of the rounds; " + _shown(rates)
    ratio = median(a / b for a, b in zip(*rates.values(), strict=True))
    results.values.append(Value("legacy_decode_vs_peer", ratio, "ratio", detail, "10"))


def _sums(folder: Path) -> list[int]:
    totals = [0, 0, 0]
    for decoded in _decoded(folder / "ascii.dat", [files.resident()], files.ASCII, Fixed(66)):
        if decoded.faults:
            raise BenchFailure(f"good records were rejected: {next(decoded.rejects())}")
        for at, column in _columns(decoded):
            totals[at] += int(column.data.sum())
    return totals


def _columns(decoded: Decoded) -> Any:
    for part in decoded.parts:
        names = [name for name, _ in part.plan.node.members]
        for at, name in enumerate(SUMMED):
            column = part.values[names.index(name)]
            assert isinstance(column, Numbers)
            yield at, column


def _against_cobol(folder: Path, results: Results) -> None:
    """The same sums, and how many times as fast."""
    if not ensure("cobc"):
        say("no GnuCOBOL here: legacy_columns_vs_gnucobol is left out")
        return
    source = folder / "summing.cob"
    source.write_text(PROGRAM.format(copybook=files.COPYBOOK))
    program = folder / "summing"
    command = ["cobc", "-x", "-w", "-free", "-O2", "-o", str(program), str(source)]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)

    def run() -> list[int]:
        done = subprocess.run([program], check=True, cwd=folder, capture_output=True)
        return [int(line) for line in done.stdout.split()]

    if run() != _sums(folder):
        raise BenchFailure(f"GnuCOBOL finds the sums {run()}, we find {_sums(folder)}")
    rates = _turns(_Way("nusabus", OURS, lambda: _sums(folder)), _Way("gnucobol", OURS, run))
    detail = "file to validated columns and three sums, beside a program that reads and sums; "
    ratio = median(a / b for a, b in zip(*rates.values(), strict=True))
    results.values.append(
        Value("legacy_columns_vs_gnucobol", ratio, "ratio", detail + _shown(rates), "1")
    )
    rate = median(rates["nusabus"])
    results.values.append(
        Value("legacy_columns_per_s", rate, "records/s", detail.rstrip("; "), "2500000")
    )


def _alone(folder: Path, results: Results) -> None:
    """What has no peer: counters, mixed record types, and the way back."""
    odo, mixed = folder / "odo.dat", folder / "mixed.dat"
    odo.write_bytes(files.families(ODO_RECORDS))
    mixed.write_bytes(files.mixed(ODO_RECORDS))
    documents = [json.loads(each or b"") for each in _to_json(folder)[:THEIRS]]
    encoder = Encoder([files.resident()], files.EBCDIC)
    for key, detail, way in (
        ("legacy_odo_per_s", "RDW records with 0 to 10 elements, to JSON",
         _Way("odo", ODO_RECORDS, lambda: _all_json(odo, [files.family()]))),
        ("legacy_mixed_per_s", "RDW records of three types in turn, to JSON",
         _Way("mixed", ODO_RECORDS, lambda: _all_json(mixed, files.mixed_types()))),
        ("legacy_encode_per_s", "JSON documents in memory to 66-byte records",
         _Way("encode", THEIRS, lambda: encoder.encode(documents, "penduduk"))),
    ):  # fmt: skip
        rate = median(way.rate() for _ in range(ROUNDS))
        results.values.append(Value(key, rate, "records/s", detail))


def _all_json(file: Path, types: list[RecordType]) -> int:
    found = 0
    for decoded in _decoded(file, types, files.EBCDIC, RDW):
        if decoded.faults:
            raise BenchFailure(f"good records were rejected: {next(decoded.rejects())}")
        found += len(decoded.json())
    return found


def _turns(*ways: _Way) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {way.name: [] for way in ways}
    for number in range(ROUNDS):
        for way in ways:
            rates[way.name].append(way.rate())
        last = ", ".join(f"{name} {found[-1]:,.0f}/s" for name, found in rates.items())
        say(f"round {number + 1}: {last}")
    return rates


def _shown(rates: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {median(found):,.0f} records/s" for name, found in rates.items())
