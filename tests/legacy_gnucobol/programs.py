"""COBOL programs compiled and run for a test."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

COMPILER = shutil.which("cobc")
needs_cobol = pytest.mark.skipif(COMPILER is None, reason="GnuCOBOL is not installed")


@dataclass(frozen=True)
class Program:
    """A compiled program. It runs in a folder of its own."""

    file: Path

    def run(self, environment: Mapping[str, str] | None = None) -> str:
        """Run it to its end; what it displayed."""
        done = subprocess.run(
            [self.file], check=True, capture_output=True, timeout=60,
            cwd=self.file.parent, env={**os.environ, **(environment or {})},
        )  # fmt: skip
        return done.stdout.decode()


def compiled(folder: Path, source: str, *flags: str) -> Program:
    """A free-form program, compiled."""
    text = folder / "program.cob"
    text.write_text(source, encoding="latin-1")
    output = folder / "program"
    command = [str(COMPILER), "-x", "-w", "-free", *flags, "-o", str(output), str(text)]
    done = subprocess.run(command, capture_output=True, cwd=folder, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return Program(output)


def sequential(
    copybook: str,
    statements: Iterable[str],
    *,
    working: str = "",
    organization: str = "SEQUENTIAL",
    record: str = "",
) -> str:
    """A program with one file F in `file.dat`, whose record is the copybook's."""
    body = "\n".join(statements)
    return f"""
IDENTIFICATION DIVISION.
PROGRAM-ID. TESTING.
ENVIRONMENT DIVISION.
INPUT-OUTPUT SECTION.
FILE-CONTROL.
    SELECT F ASSIGN TO "file.dat" ORGANIZATION IS {organization}.
DATA DIVISION.
FILE SECTION.
FD F {record}.
{copybook}
WORKING-STORAGE SECTION.
01 AT-END PIC 9 VALUE 0.
{working}
PROCEDURE DIVISION.
{body}
    STOP RUN.
"""
