"""Every position and length that we work out is the one that the compiler works out."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from adapters.legacy_cobol.copybook.dialects import (
    BYTEWISE,
    GNUCOBOL,
    IBM,
    MICRO_FOCUS,
    TWO_FOUR_EIGHT,
    Dialect,
)
from adapters.legacy_cobol.copybook.layout import Record
from adapters.legacy_cobol.copybook.parser import CopybookOptions, read_copybook
from adapters.legacy_cobol.copybook.source import Form
from tests.legacy_cobol.measuring import COMPILER, counters, measured, measures
from tests.unit.legacy.copybook.random_records import a_record

HERE = Path(__file__).parent
# GnuCOBOL follows these compilers in the sizes of binary items, and its own rules elsewhere.
AS_IBM = replace(
    IBM,
    aligned=GNUCOBOL.aligned,
    slack_before_groups=False,
    late_padding=True,
    slides=False,
    pointer_length=GNUCOBOL.pointer_length,
)
PAIRS = {
    "default": (GNUCOBOL, ["-std=default"]),
    "default, 2-4-8": (
        replace(GNUCOBOL, signed_binary=TWO_FOUR_EIGHT, unsigned_binary=TWO_FOUR_EIGHT),
        ["-std=default", "-fbinary-size=2-4-8"],
    ),
    "default, 1--8": (
        replace(GNUCOBOL, signed_binary=BYTEWISE[0], unsigned_binary=BYTEWISE[1]),
        ["-std=default", "-fbinary-size=1--8"],
    ),
    "ibm": (AS_IBM, ["-std=ibm"]),
    "mf": (
        replace(MICRO_FOCUS, pointer_length=GNUCOBOL.pointer_length),
        ["-std=mf", "-fsynchronized-clause=ignore"],
    ),
}
pytestmark = pytest.mark.skipif(COMPILER is None, reason="the package gnucobol3 is not installed")


@pytest.mark.parametrize("name", PAIRS)
def test_the_compiler_agrees(name: str, tmp_path: Path) -> None:
    dialect, flags = PAIRS[name]
    check(["records.cpy", "counted_last.cpy"], dialect, flags, tmp_path)


def test_the_compiler_agrees_on_what_stands_behind_counted_tables(tmp_path: Path) -> None:
    files = ["counted_last.cpy", "counted.cpy", "counted_nested.cpy"]
    dialect = replace(AS_IBM, slides=True)
    check(files, dialect, ["-std=ibm", "-fodoslide"], tmp_path)


def test_the_compiler_agrees_on_random_records(tmp_path: Path) -> None:
    random = Random(20260101)
    described = [a_record(random, f"R{number}") for number in range(25)]
    words = " ".join(word for each in described for word in each.all_words())
    source = words.replace(" . ", ".\n") + "\n"
    check_text(source, AS_IBM, ["-std=ibm"], tmp_path)


def check(files: list[str], dialect: Dialect, flags: list[str], folder: Path) -> None:
    check_text("".join((HERE / file).read_text() for file in files), dialect, flags, folder)


def check_text(source: str, dialect: Dialect, flags: list[str], folder: Path) -> None:
    copybook = read_copybook(source, options=CopybookOptions(dialect, Form.FREE))
    asked = [
        (record, counts, list(measures(record, counts)))
        for record in copybook.records
        for counts in scenarios(record)
    ]
    expected = [item for _, _, items in asked for item in items]
    found = measured(source, asked, folder, flags)
    wrong = [
        (item, seen)
        for item, seen in zip(expected, found, strict=True)
        if (item.offset, item.length) != seen
    ]
    assert not wrong, "\n".join(map(str, wrong))


def scenarios(record: Record) -> list[dict[str, int]]:
    names = [item.name for item in counters(record)]
    if not names:
        return [{}]
    return [dict.fromkeys(names, count) for count in (1, 2, 3)] + [
        {name: 1 + place % 3 for place, name in enumerate(names)}
    ]
