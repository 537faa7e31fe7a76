"""One field of a few records, in the middle of other bytes."""

from typing import Any

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Encoding, FloatFormat, Kind, ZonedSigns
from adapters.legacy_cobol.fields.codec import codec
from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Policy

EBCDIC = Encoding()
ASCII = Encoding(
    code_page="ascii", zoned_signs=ZonedSigns.ASCII_LETTERS, float_format=FloatFormat.IEEE
)
BEFORE, BEHIND = b"\xab\xcd\xef", b"\x98\x76"


def read(
    kind: Kind, *cells: bytes, encoding: Encoding = EBCDIC, policy: Policy | None = None
) -> list[Any]:
    """The value of each cell, or the Code that says why there is none."""
    for cell in cells:
        assert len(cell) == kind.length
    data = b"".join(BEFORE + cell + BEHIND for cell in cells)
    rows = np.frombuffer(data, np.uint8).reshape(len(cells), -1)
    column = codec(kind, encoding, policy).decode(rows, len(BEFORE))
    values = column.python()
    if column.codes is not None:
        for at in np.flatnonzero(column.codes):
            values[at] = FaultCode(column.codes[at])
    return values


def write(
    kind: Kind, *values: object, encoding: Encoding = EBCDIC, policy: Policy | None = None
) -> list[Any]:
    """The bytes of each value, or the Code that refuses it."""
    worker = codec(kind, encoding, policy)
    size = len(BEFORE) + kind.length + len(BEHIND)
    rows = np.full((len(values), size), 0xEE, np.uint8)
    codes = worker.encode(worker.column(values), rows, len(BEFORE))
    assert (rows[:, : len(BEFORE)] == 0xEE).all()
    assert (rows[:, -len(BEHIND) :] == 0xEE).all()
    found: list[Any] = [row[len(BEFORE) : -len(BEHIND)].tobytes() for row in rows]
    if codes is not None:
        for at in np.flatnonzero(codes):
            found[at] = FaultCode(codes[at])
    return found
