"""One COBOL program that measures every item of many records: its address and its length."""

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.legacy_cobol.copybook.layout import Item, Record
from adapters.legacy_cobol.copybook.placement import Area, CounterNeeded, place_with

COMPILER = shutil.which("cobc")


@dataclass(frozen=True)
class Measure:
    """What we say about one item: how COBOL calls it, where it begins and how long it is."""

    name: str
    offset: int
    length: int


def measures(record: Record, counts: dict[str, int]) -> Iterator[Measure]:
    """Every item that has a name, of the first and the last occurrence of each table.

    Of tables whose occurrences vary in length, the first only: GnuCOBOL 3.1 takes the largest
    distance to the next one there, and contradicts that in the offset of what stands behind.
    """
    area = place_with(record.root, lambda wanted: counts[wanted.item.name])
    yield from _measures(area, (), (), 0)


def counters(record: Record) -> list[Item]:
    """The items that count something, in the order of the record."""
    found: list[Item] = []

    def ask(wanted: CounterNeeded) -> int:
        found.append(wanted.item)
        return wanted.maximum

    place_with(record.root, ask)
    return found


def _measures(
    area: Area, above: tuple[str, ...], subscripts: tuple[int, ...], shift: int
) -> Iterator[Measure]:
    if area.count == 0:
        return
    names = above if area.item.filler else (area.item.name, *above)
    for index in sorted({1, 1 if area.item.varies else area.count or 1}):
        inside = (*subscripts, index) if area.count is not None else subscripts
        moved = shift + (index - 1) * area.stride
        if not area.item.filler:
            listed = f" ({' '.join(map(str, inside))})" if inside else ""
            yield Measure(" OF ".join(names) + listed, area.offset + moved, area.length)
        for child in area.children:
            yield from _measures(child, names, inside, moved)


def measured(
    source: str,
    asked: Iterable[tuple[Record, dict[str, int], list[Measure]]],
    folder: Path,
    flags: list[str],
) -> list[tuple[int, int]]:
    """What the compiler says about these items of these records: offset and length."""
    statements = []
    for record, counts, items in asked:
        statements += [
            f"MOVE {count} TO {name} OF {record.name}." for name, count in counts.items()
        ]
        statements.append(f"SET P TO ADDRESS OF {record.name}. MOVE PN TO FIRST-BYTE.")
        for item in items:
            statements += [
                f"SET P TO ADDRESS OF {item.name}. COMPUTE DISTANCE = PN - FIRST-BYTE.",
                f'DISPLAY DISTANCE " " FUNCTION BYTE-LENGTH({item.name}).',
            ]
    program = folder / "measure.cob"
    program.write_text(_PROGRAM.format(source=source, statements="\n".join(statements)))
    command = [
        str(COMPILER),
        "-x",
        "-w",
        "-free",
        *flags,
        "-o",
        str(folder / "measure"),
        str(program),
    ]
    subprocess.run(command, check=True, cwd=folder, timeout=60)
    done = subprocess.run([folder / "measure"], check=True, capture_output=True, timeout=20)
    lines = done.stdout.decode().split("\n")[:-1]
    return [(int(offset), int(length)) for offset, length in (line.split() for line in lines)]


_PROGRAM = """
IDENTIFICATION DIVISION.
PROGRAM-ID. MEASURE.
DATA DIVISION.
WORKING-STORAGE SECTION.
01 P USAGE POINTER.
01 PN REDEFINES P USAGE BINARY-DOUBLE UNSIGNED.
01 FIRST-BYTE USAGE BINARY-DOUBLE UNSIGNED.
01 DISTANCE USAGE BINARY-DOUBLE UNSIGNED.
{source}
PROCEDURE DIVISION.
{statements}
STOP RUN.
"""
