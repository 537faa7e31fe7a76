"""Read files of any size in constant memory: chunk by chunk, from any record on."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from adapters.legacy_cobol.records.chunks import Chunk, Split
from adapters.legacy_cobol.records.framing import Framing, FramingError
from adapters.legacy_cobol.records.splitter import splitter

CHUNK = 4 << 20  # bytes read at once
LONGEST = 64 << 20  # bytes that may be read without finding one record


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where to resume: `skip` records after record `number`, which begins a chunk at `offset`."""

    number: int
    offset: int
    skip: int = 0

    @staticmethod
    def after(chunk: Chunk, records: int) -> "ResumePoint":
        """After so many records of a chunk."""
        first = chunk.number - chunk.skipped
        return ResumePoint(first, chunk.offset, chunk.skipped + records)


def chunks(
    file: BinaryIO, framing: Framing, start: ResumePoint | None = None, size: int = CHUNK
) -> Iterator[Chunk]:
    """The records of a seekable file in order. Raises FramingError.

    Chunks yielded before the error are valid.
    """
    split = splitter(framing.body)
    end = _end(file, framing)
    number, offset, skip = _start(framing, start)
    inside = offset > framing.head  # perhaps: an earlier run has read what is before
    rest = b""
    while offset + len(rest) < end:
        file.seek(offset + len(rest))
        data = rest + file.read(min(size, end - offset - len(rest)))
        final = offset + len(data) >= end
        if len(data) == len(rest):
            raise FramingError(offset, "the file became shorter while it was read", "Send it again")
        try:
            found = split(data, final, inside)
        except FramingError as error:
            raise FramingError(error.offset + offset, error.problem, error.remedy) from None
        if not found.used and len(data) > LONGEST:
            raise FramingError(
                offset, f"no record ends within {LONGEST} bytes", "Check the framing"
            )
        if skip < len(found.begins):
            yield _chunk(data, found, number, offset, skip)
        skip = max(0, skip - len(found.begins)) + found.again
        number += len(found.begins) - found.again
        offset, inside = offset + found.used, found.inside
        rest = data[found.used :]


def _start(framing: Framing, start: ResumePoint | None) -> tuple[int, int, int]:
    if start is None:
        return 1, framing.head, 0
    return start.number, start.offset, start.skip


def _end(file: BinaryIO, framing: Framing) -> int:
    size = file.seek(0, os.SEEK_END)
    if size < framing.head + framing.tail:
        raise FramingError(
            0,
            f"the file has {size} bytes, less than header and trailer ({framing.head} + "
            f"{framing.tail})",
            "The file is truncated, or the layout declares too long a header or trailer",
        )
    return size - framing.tail


def _chunk(data: bytes, found: Split, number: int, offset: int, skip: int) -> Chunk:
    bytes_ = data if found.joined is None else found.joined
    origins = None if found.origins is None else found.origins[skip:]
    return Chunk(
        np.frombuffer(bytes_, np.uint8), found.begins[skip:], found.lengths[skip:],
        number + skip, offset, found.step, skip, origins,
    )  # fmt: skip


def chunk_of(data: bytes, framing: Framing) -> Chunk:
    """All records of a buffer as one chunk. Raises FramingError."""
    body = data[framing.head : len(data) - framing.tail]
    try:
        found = splitter(framing.body)(body, True, False)
    except FramingError as error:
        raise FramingError(error.offset + framing.head, error.problem, error.remedy) from None
    return _chunk(body, found, 1, framing.head, 0)
