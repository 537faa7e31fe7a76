"""What a file might be, with evidence."""

from random import Random

import pytest

from adapters.legacy_cobol.records.chunk_reader import chunk_of
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.records.framing import (
    GNUCOBOL,
    RDW,
    RDW_LITTLE,
    RDW_REVERSED,
    SPANNED,
    Blocked,
    Body,
    Fixed,
    Framing,
    Lines,
)
from adapters.legacy_cobol.records.inspection import characters_of, propose


def a_line(random: Random, length: int) -> bytes:
    """Digits, a name and a number, as files of ministries have them."""
    name = "".join(random.choice("ABCDEFGHIJ") for _ in range(random.randint(3, 12)))
    text = f"{random.randint(0, 10**8):08}{name:14}{random.randint(0, 9999):04}"
    return text.ljust(length, "Z")[:length].encode("cp037")


@pytest.mark.parametrize(
    "body",
    [
        RDW,
        RDW_LITTLE,
        RDW_REVERSED,
        *GNUCOBOL,
        Blocked(block=200),
        Lines(end=0x15, blank=0x40),
        Blocked(SPANNED, block=100),
    ],
)
def test_variable_framings_are_proposed_first(body: Body) -> None:
    random = Random(5)
    records = [a_line(random, random.randint(26, 60)) for _ in range(50)]
    data = b"".join(frame_records(records, body))
    best, *_ = propose(data, len(data))
    found = chunk_of(data, Framing(best.body))
    assert [found.raw(at) for at in range(len(found))] == records
    assert "50" in best.evidence
    assert ("spanned" in best.name) == (body == Blocked(SPANNED, block=100))


def test_fixed_with_and_without_a_copybook() -> None:
    random = Random(5)
    data = b"".join(a_line(random, 30) for _ in range(99))
    best, *_ = propose(data, len(data), [30])
    assert best.body == Fixed(30)
    assert "99 records of the copybook's 30 bytes" in best.evidence
    assert Fixed(30) in [each.body for each in propose(data, len(data))[:2]]
    assert [each.body for each in propose(data + b"x", len(data) + 1, [30])] == []


def test_nothing_is_proposed_for_noise() -> None:
    data = Random(5).randbytes(4099)
    assert all(each.strength < 0.5 for each in propose(data, len(data)))


def test_characters() -> None:
    ebcdic = characters_of("SITI NURHALIZA 42".encode("cp037"))
    assert ebcdic.ebcdic == 1
    assert ebcdic.ascii < 0.5
    assert characters_of(b"SITI NURHALIZA 42").ascii == 1
    assert "100% of the bytes" in ebcdic.evidence
