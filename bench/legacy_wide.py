"""COBOL files to JSON lines by `nusabus legacy decode`, beside coboljsonifier and cobolio.

A file as other systems have it: 200 MB, records of 350 bytes, 13 fields, most of them text. Every
side reads the file and writes JSON lines, in a process of its own; what counts is its CPU time,
start-up included. The sides take turns; ratios are of neighbours.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench import legacy_files as files
from bench.failure import BenchFailure
from bench.results import Results, Value
from bench.say import say

TEXTS = {
    "NOMOR-REKENING": (16, ["6013010012345678", "6013010087654321"]),
    "NAMA": (40, ["SITI NURHALIZA", "BUDI SANTOSO", "AGUS", "DEWI LESTARI PUTRI HANDAYANI"]),
    "ALAMAT": (60, [f"JALAN MERDEKA NO. {each} RT 0{each % 9}" for each in range(100)]),
    "ALAMAT-LANJUT": (60, ["", "KELURAHAN SUKAMAJU KECAMATAN CIKARANG", "BLOK C2/14"]),
    "KOTA": (30, ["JAKARTA PUSAT", "BANDUNG", "KOTA TANGERANG SELATAN"]),
    "SUREL": (50, [f"nasabah.{each}@contoh.go.id" for each in range(100)]),
    "KETERANGAN": (55, ["LUNAS", "", "MENUNGGU VERIFIKASI DARI KANTOR CABANG UTAMA"]),
}
NUMBERS = """
          05 KODE-POS       PIC 9(5).
          05 TGL-BUKA       PIC 9(8).
          05 SALDO          PIC S9(13)V99 COMP-3.
          05 PLAFON         PIC S9(11)V99 COMP-3.
          05 TRANSAKSI      PIC S9(9) COMP.
          05 BUNGA          PIC S9(3)V9(4).
"""
COPYBOOK = (
    "       01 NASABAH.\n"
    + "".join(f"          05 {name:14} PIC X({width}).\n" for name, (width, _) in TEXTS.items())
    + NUMBERS.strip("\n")
    + "\n"
)
LENGTH, RECORDS = 350, 571_428
THEIRS = 20_000  # records for the others
ROUNDS = 3
LAYOUT = 'copybook = "{name}.cpy"\n[framing]\nkind = "fixed"\nlength = {length}\n'

_JSONIFIER = """
import json, sys
from coboljsonifier.config.parser_type_enum import ParseType
from coboljsonifier.copybookextractor import CopybookExtractor
from coboljsonifier.parser import Parser
book, data, length = sys.argv[1], sys.argv[2], int(sys.argv[3])
parser = Parser(CopybookExtractor(book).dict_book_structure, ParseType.BINARY_EBCDIC).build()
with open(data, "rb") as file, open("/dev/null", "w") as out:
    while record := file.read(length):
        parser.parse(record)
        out.write(json.dumps(parser.value, default=str) + "\\n")
"""
_COBOLIO = """
import json, sys
import cobolio
book, data, length = sys.argv[1], sys.argv[2], int(sys.argv[3])
_, layout = cobolio.copybook_to_layout(open(book).read())
with open(data, "rb") as file, open("/dev/null", "w") as out:
    while record := file.read(length):
        out.write(json.dumps(cobolio.loads(record, layout)) + "\\n")
"""
PEERS = {"coboljsonifier": (_JSONIFIER, "8"), "cobolio": (_COBOLIO, "5")}


@dataclass(frozen=True)
class _File:
    """A file for us, the beginning of it for the others, and its layout."""

    folder: Path
    name: str
    length: int
    records: int

    @staticmethod
    def of(folder: Path, name: str, copybook: str, data: bytes, length: int) -> "_File":
        (folder / f"{name}.cpy").write_text(copybook)
        (folder / f"{name}.toml").write_text(LAYOUT.format(name=name, length=length))
        (folder / f"{name}.dat").write_bytes(data)
        (folder / f"{name}.part").write_bytes(data[: length * THEIRS])
        (folder / "empty").write_bytes(b"")
        return _File(folder, name, length, len(data) // length)

    def ours(self, data: str, output: str) -> float:
        """The CPU seconds of the command."""
        layout = str(self.folder / f"{self.name}.toml")
        file, out = str(self.folder / data), str(self.folder / output)
        line = ["legacy", "decode", file, "--layout", layout, "--output", out]
        return _cpu([sys.executable, "-m", "adapters.cli", *line])

    def theirs(self, program: str) -> float:
        """The CPU seconds of another side, without its start."""
        book, part = self.folder / f"{self.name}.cpy", self.folder / f"{self.name}.part"
        line = [sys.executable, "-c", program, str(book)]
        whole = _cpu([*line, str(part), str(self.length)])
        return whole - _cpu([*line, str(self.folder / "empty"), str(self.length)])


def decode_wide(results: Results) -> None:
    """Measure both kinds of file. Raises BenchFailure where a record is missing."""
    with tempfile.TemporaryDirectory(prefix="nusabus-bench-") as name:
        folder = Path(name)
        wide = _File.of(folder, "wide", COPYBOOK, _wide(RECORDS), LENGTH)
        narrow_data = files.residents("cp037", 0xF0, 3_000_000)
        narrow = _File.of(folder, "narrow", files.COPYBOOK.lstrip("\n"), narrow_data, 66)
        start = median(wide.ours("empty", "none") for _ in range(5))
        results.values.append(
            Value("legacy_start", start, "s", "CPU of the command with an empty file", "0.3")
        )
        for file in (wide, narrow):
            _beside_peers(file, results)


def _beside_peers(file: _File, results: Results) -> None:
    ours: list[float] = []
    others: dict[str, list[float]] = {name: [] for name in PEERS}
    for number in range(ROUNDS):
        ours.append(file.ours(f"{file.name}.dat", "lines") / file.records)
        for name, (program, _) in PEERS.items():
            others[name].append(file.theirs(program) / THEIRS)
        them = ", ".join(f"{name} {1e6 * found[-1]:.1f}" for name, found in others.items())
        bytes_ = f"round {number + 1}, {file.length} bytes"
        say(f"{bytes_}: nusabus {1e6 * ours[-1]:.2f} us a record, {them}")
    with (file.folder / "lines").open("rb") as lines:
        if (found := sum(1 for _ in lines)) != file.records:
            raise BenchFailure(f"{found} lines for {file.records} records")
    for name, (_, aim) in PEERS.items():
        rounds = [theirs / each for theirs, each in zip(others[name], ours, strict=True)]
        detail = (
            f"{file.length}-byte records to JSON lines, CPU with start-up; nusabus "
            f"{1e6 * median(ours):.2f} us a record, {name} {1e6 * median(others[name]):.1f}; "
            "by round: " + ", ".join(f"{each:.1f}" for each in rounds)
        )
        key = f"legacy_{file.name}_vs_{name}"
        results.values.append(Value(key, median(rounds), "ratio", detail, aim))


def _cpu(line: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _wide(count: int) -> bytes:
    """So many records of COPYBOOK, the same at each call."""
    random = np.random.default_rng(13)
    columns: list[NDArray[np.uint8]] = []
    for width, values in TEXTS.values():
        raw = b"".join(f"{each:{width}}".encode("cp037") for each in values)
        table = np.frombuffer(raw, np.uint8).reshape(-1, width)
        columns.append(table[random.integers(0, len(table), count)])
    columns += [_zoned(random, count, width) for width in (5, 8)]
    columns += [_packed(random, count, width) for width in (8, 7)]
    numbers = random.integers(0, 5000, count).astype(">u4")
    columns.append(numbers.view(np.uint8).reshape(-1, 4))
    signed = _zoned(random, count, 7)
    signed[:, -1] -= np.where(random.integers(0, 2, count), 0x30, 0x20).astype(np.uint8)
    return np.hstack([*columns, signed]).tobytes()


def _zoned(random: np.random.Generator, count: int, width: int) -> NDArray[np.uint8]:
    return (random.integers(0, 10, (count, width)) + 0xF0).astype(np.uint8)


def _packed(random: np.random.Generator, count: int, width: int) -> NDArray[np.uint8]:
    pairs = random.integers(0, 10, (count, width, 2), np.uint8)
    pairs[:, : width // 2] = 0
    found: NDArray[np.uint8] = pairs[:, :, 0] << 4 | pairs[:, :, 1]
    found[:, -1] = pairs[:, -1, 0] << 4 | np.where(pairs[:, -1, 1] < 5, 0xC, 0xD)
    return found
