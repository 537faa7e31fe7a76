"""The compiler takes and refuses the pictures that we take and refuse."""

import re
import subprocess
from pathlib import Path
from random import Random

import pytest

from adapters.legacy_cobol.copybook.picture import BadPicture, SpecialNames, read_picture
from tests.legacy_cobol.measuring import COMPILER

pytestmark = pytest.mark.skipif(COMPILER is None, reason="the package gnucobol3 is not installed")

SEEDS = (  # noqa: SIM905  (a list of 40 literals is no better to read)
    "ZZ9.99 $$$9.99 +++9 --9.9 9(3)V9 S9(3)PP VPP9 **9.99CR Z(3)9- $ZZ9DB 99/99 9B9 X(3)BX XX A9 "
    "N(3) NN/N +$99 +ZZ9 Z,ZZZ.ZZ ZZ.ZZ PP99 ZPP $99 -$$9 $9,999- SPP9 0Z9 Z0Z9 +,+++9 $,$$9 "
    "Z(4),9 9/ +9V9 .99 .ZZ $.99 +.99 9VZ ZVZ ZV9 S9V V9 ---.--"
).split()
SYMBOLS = "9ZZ*+-$.,BP0/VSXAN"
PROGRAM = """IDENTIFICATION DIVISION.
PROGRAM-ID. P.
DATA DIVISION.
WORKING-STORAGE SECTION.
{items}
PROCEDURE DIVISION.
STOP RUN.
"""
FIRST_LINE = 5


def test_the_same_pictures(tmp_path: Path) -> None:
    pictures = sorted(set(SEEDS) | {mutated(Random(seed)) for seed in range(1500)})
    refused = refused_by_compiler(pictures, tmp_path)
    ours = {each for each in pictures if not understood(each)}
    assert len(refused) > 300
    assert {each for each in refused - ours if not of_currency_alone(each)} == set()
    assert {each for each in ours - refused if digits_with_room(each)} == set()


def mutated(random: Random) -> str:
    """A picture with up to three symbols put in, taken out or changed."""
    picture = list(random.choice([each for each in SEEDS if "(" not in each]))
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(picture) + 1)
        symbol = random.choice((random.choice(SYMBOLS), ""))
        picture[place : place + random.randint(0, 1)] = symbol
    return "".join(picture).rstrip(".,") or "9"


def refused_by_compiler(pictures: list[str], folder: Path) -> set[str]:
    items = "\n".join(f"01 A{number} PIC {each}." for number, each in enumerate(pictures))
    (folder / "p.cob").write_text(PROGRAM.format(items=items))
    command = [str(COMPILER), "-fsyntax-only", "-free", "-std=ibm", "-fmax-errors=99999", "p.cob"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    lines = re.findall(r"^p\.cob:(\d+): error: ", done.stderr, re.MULTILINE)
    return {pictures[int(line) - FIRST_LINE] for line in lines}


def understood(picture: str) -> bool:
    try:
        return read_picture(picture, SpecialNames()).size > 0
    except BadPicture:
        return False


def of_currency_alone(picture: str) -> bool:
    """GnuCOBOL wants a digit beside a floating string that only has insertions between."""
    return not set(picture) & set("9Z*XAN")


def digits_with_room(picture: str) -> bool:
    """None of what we refuse on purpose: no digit, Z behind P, the currency sign at the end."""
    odd = re.match(r"V?P+[Z*]", picture) or re.search(r"\$(?:CR|DB|\+|-)?$", picture)
    return bool(set(picture) & set("9Z*")) and not odd
