"""Propose framings and encodings for a file, each with its evidence.

A proposal is used only if a person declares it.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from adapters.legacy_cobol.copybook.kinds import ByteOrder, ZonedSigns
from adapters.legacy_cobol.records.chunks import Split
from adapters.legacy_cobol.records.framing import (
    GNUCOBOL,
    RDW,
    RDW_LITTLE,
    RDW_REVERSED,
    SPANNED,
    Blocked,
    Body,
    Fixed,
    FramingError,
    Lines,
    Prefixed,
)
from adapters.legacy_cobol.records.splitter import splitter

SAMPLE = 1 << 20
_LONGEST_GUESS = 4096
_SPANNED = ", spanned"
_FEW = 3  # with fewer records a chain of descriptors proves nothing


@dataclass(frozen=True, slots=True)
class Proposal:
    """A framing that fits the sample. `strength` is from 0 to 1."""

    name: str
    body: Body
    strength: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Characters:
    """The share of bytes that are common characters of EBCDIC and of ASCII."""

    ebcdic: float
    ascii: float

    @property
    def evidence(self) -> str:
        """The shares as a sentence."""
        return (
            f"{self.ebcdic:.0%} of the bytes are letters, digits and blanks in EBCDIC, "
            f"{self.ascii:.0%} in ASCII"
        )


def characters_of(sample: bytes) -> Characters:
    """Count the letters, digits and blanks of both."""
    counts = np.bincount(np.frombuffer(sample, np.uint8), minlength=256)
    total = max(1, int(counts.sum()))

    def share(page: str) -> float:
        common = (
            bytes(range(0x30, 0x3A)) + bytes(range(0x41, 0x5B)) + bytes(range(0x61, 0x7B)) + b" "
        )
        codes = common.decode("ascii").encode(page)
        return float(counts[list(codes)].sum()) / total

    return Characters(share("cp037"), share("ascii"))


def zoned_signs_of(sample: bytes) -> ZonedSigns:
    """The sign convention of an ASCII file: which signs follow digits more often."""
    native = len(re.findall(rb"[0-9][p-y](?![a-z])", sample))
    translated = len(re.findall(rb"[0-9][{}A-R](?![A-Z])", sample))
    return ZonedSigns.ASCII_TRANSLATED if translated > native else ZonedSigns.ASCII_LETTERS


def propose(sample: bytes, size: int, lengths: Sequence[int] = ()) -> list[Proposal]:
    """The framings that fit a sample of a file of `size` bytes, the best first.

    `lengths` are the record lengths of the copybook, if there is one.
    """
    complete = len(sample) == size
    found = [*_chains(sample, complete, lengths), *_lines(sample, complete, lengths)]
    found += _fixed(sample, size, lengths)
    return sorted(found, key=lambda each: -each.strength)


def _chains(sample: bytes, complete: bool, lengths: Sequence[int]) -> Iterator[Proposal]:
    named: list[tuple[str, Body]] = [
        ("BDW and RDW, big endian", Blocked()),
        (f"BDW and RDW, big endian{_SPANNED}", Blocked(SPANNED)),
        ("RDW, big endian, counting itself", RDW),
        (f"RDW, big endian, counting itself{_SPANNED}", SPANNED),
        ("RDW, little endian, counting itself", RDW_LITTLE),
        ("RDW, little endian, without its own length", replace(RDW_LITTLE, counts_header=False)),
        ("RDW, reversed, counting itself", RDW_REVERSED),
        ("RDW, reversed, without its own length", replace(RDW_REVERSED, counts_header=False)),
        *(
            (f"descriptor of 2 bytes, {order} endian, {counts}", Prefixed(2, 0, 2, order, own))
            for order in (ByteOrder.LITTLE, ByteOrder.BIG)
            for own, counts in ((False, "without its own length"), (True, "counting itself"))
        ),
        *((f"GnuCOBOL variable format {at}", each) for at, each in enumerate(GNUCOBOL)),
    ]
    held: set[str] = set()
    chains: set[bytes] = set()
    for name, body in named:
        if name.removesuffix(_SPANNED) in held:
            continue  # no record has several segments
        try:
            split = splitter(body)(sample, complete, False)
        except FramingError:
            continue
        count = len(split.begins)
        if count < (1 if complete else _FEW):
            continue
        held.add(name)
        if split.begins.tobytes() in chains:
            continue  # another name for the same records
        chains.add(split.begins.tobytes())
        plausible = _plausible(split, lengths)
        to_the_end = "to the end of the file" if complete else f"over {split.used} bytes"
        evidence = f"{count} descriptors form a chain {to_the_end}; {_spread(split, lengths)}"
        strength = (0.98 if count >= _FEW else 0.6) * plausible
        yield Proposal(name, body, strength, evidence)


def _plausible(split: Split, lengths: Sequence[int]) -> float:
    if lengths:
        return float(((split.lengths >= min(lengths)) & (split.lengths <= max(lengths))).mean())
    return float((split.lengths > 0).mean())


def _spread(split: Split, lengths: Sequence[int]) -> str:
    shortest, longest = int(split.lengths.min()), int(split.lengths.max())
    text = f"records of {shortest} to {longest} bytes"
    return f"{text}, the copybook has {min(lengths)} to {max(lengths)}" if lengths else text


def _lines(sample: bytes, complete: bool, lengths: Sequence[int]) -> Iterator[Proposal]:
    shares = characters_of(sample)
    readable = min(1.0, 1.5 * max(shares.ascii, shares.ebcdic))
    for name, end, blank in (("0A", 0x0A, 0x20), ("15", 0x15, 0x40), ("25", 0x25, 0x40)):
        body = Lines(end=end, blank=blank)
        split = splitter(body)(sample, complete, False)
        if len(split.begins) < _FEW:
            continue
        longest = int(split.lengths.max())
        if longest > _LONGEST_GUESS or (lengths and longest > max(lengths)):
            continue
        blanks = np.frombuffer(sample, np.uint8)[split.begins + np.maximum(split.lengths - 1, 0)]
        trimmed = not (blanks == blank).any()
        same = bool((split.lengths == longest).all())
        evidence = f"{len(split.begins)} lines end with {name}; {_spread(split, lengths)}" + (
            "; none ends with a blank, so they are trimmed" if trimmed and not same else ""
        )
        yield Proposal(
            f"lines ending with {name}", body, (0.95 if same else 0.8) * readable, evidence
        )


def _fixed(sample: bytes, size: int, lengths: Sequence[int]) -> Iterator[Proposal]:
    for length in sorted(set(lengths)):
        if length and size % length == 0:
            alike = _alike(sample, length)
            evidence = (
                f"{size} bytes are {size // length} records of the copybook's {length} bytes; "
                f"bytes at the same offset agree in {alike:.0%}"
            )
            yield Proposal(f"fixed, {length} bytes", Fixed(length), 0.5 + 0.45 * alike, evidence)
    if lengths:
        return
    best = [
        (_alike(sample, length), length)
        for length in range(8, min(_LONGEST_GUESS, size // 2) + 1)
        if size % length == 0
    ]
    for alike, length in sorted(best, key=lambda each: (-round(each[0], 2), each[1]))[:3]:
        evidence = (
            f"{size} bytes are {size // length} times {length}; "
            f"bytes at the same offset agree in {alike:.0%}"
        )
        yield Proposal(f"fixed, {length} bytes", Fixed(length), 0.8 * alike, evidence)


def _alike(sample: bytes, length: int) -> float:
    """The share of bytes at one offset of the records with the most common upper half byte."""
    count = min(len(sample) // length, 2000)
    if count < 2:
        return 0.0
    rows = np.frombuffer(sample, np.uint8, count * length).reshape(count, length) >> 4
    shares = [np.bincount(rows[:, at], minlength=16).max() / count for at in range(length)]
    # a few records are similar by chance
    return max(0.0, float(np.mean(shares)) - 1 / math.sqrt(count))
