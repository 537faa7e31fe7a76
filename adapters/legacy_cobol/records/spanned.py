"""Spanned records (RECFM VS and VBS): a record in several segments, which may be in several blocks.

z/OS DFSMS Using Data Sets, "Segment Descriptor Word": a length of two bytes that counts the word's
own four, then a byte whose lowest two bits say which part of the record this is, then a zero. A
word that begins with the bit 1 says that its block holds no more segments.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from adapters.legacy_cobol.records.chunks import Split
from adapters.legacy_cobol.records.framing import FramingError, Prefixed

WORD = 4
LONGEST = 32_760  # bytes of a segment with its word
_NULL = 0x8000
_LOST = "Segments are lost, or the file was put together of several, or it is framed otherwise"


class SegmentCode(IntEnum):
    """Which part of a record a segment is."""

    WHOLE = 0
    FIRST = 1
    LAST = 2
    MIDDLE = 3

    @property
    def begins(self) -> bool:
        """Whether it is the first of its record."""
        return self in (SegmentCode.WHOLE, SegmentCode.FIRST)

    @property
    def ends(self) -> bool:
        """Whether it is the last of its record."""
        return self in (SegmentCode.WHOLE, SegmentCode.LAST)


def split(body: Prefixed, data: bytes, final: bool) -> Split:
    """The whole records of a buffer of segments. Raises FramingError."""
    joining = _SegmentJoiner()
    reached = joining.take(body, data, 0, len(data))
    if final:
        if reached != len(data):
            raise _cut_off(reached, len(data), "file")
        joining.require_whole("the file ends")
    return joining.split(reached if joining.began < 0 else joining.began)


def split_blocks(
    body: Prefixed, data: bytes, blocks: Iterable[tuple[int, int]], final: bool, inside: bool
) -> Split:
    """The same of a buffer of blocks, whose contents are given. Raises FramingError.

    Reading goes on at a block: at that in which the record begins that has no end yet.
    """
    joining = _SegmentJoiner(inside)
    used = block = 0
    for start, end in blocks:
        reached = joining.take(body, data, start, end, block=True)
        if reached != end:
            raise _cut_off(reached, end, "block")
        block = start - WORD if joining.began >= start else block
        used = end
    if joining.began < 0:
        return joining.split(used, inside=joining.inside)
    if final:
        joining.require_whole("the file ends")
    again = sum(place > block for place in joining.places)
    return joining.split(block, again, inside=True)


def cut(record: bytes, body: Prefixed, room: int, size: int) -> Iterator[bytes]:
    """The segments of a record with their words: the first into `room` bytes, others into `size`.

    Each holds at least one byte of the record, unless the record has none.
    """
    size = min(size, LONGEST)
    ends = min(room, size) - WORD
    at = 0
    while True:
        part = record[at : at + ends]
        last = at + len(part) == len(record)
        first = (SegmentCode.WHOLE, SegmentCode.FIRST), (SegmentCode.LAST, SegmentCode.MIDDLE)
        code = first[at > 0][not last]
        yield (len(part) + WORD).to_bytes(2, body.order.value) + bytes((code, 0)) + part
        if last:
            return
        at, ends = at + len(part), size - WORD


@dataclass(slots=True)
class _SegmentJoiner:
    """Puts records together. `places` are where their first segments' words stand.

    `inside` says that the first segments may belong to a record that was put together before.
    """

    inside: bool = False
    pieces: list[bytes] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    began: int = -1  # where the record begins that has no last segment yet
    held: int = 0  # pieces of whole records

    def take(self, body: Prefixed, data: bytes, at: int, end: int, *, block: bool = False) -> int:
        """The segments between two places; where the last whole one ends."""
        while at + WORD <= end:
            said = int.from_bytes(data[at : at + 2], body.order.value)
            if block and said == _NULL and not any(data[at + 2 : end]):
                return end
            code, reserved = data[at + 2], data[at + 3]
            if not WORD <= said <= LONGEST or code > SegmentCode.MIDDLE or reserved:
                raise FramingError(
                    at,
                    f"{data[at : at + WORD].hex()} is no segment descriptor",
                    "Check the byte order and whether the file has block descriptors; else the "
                    "segment before is longer than it says",
                )
            if at + said > end:
                break
            self._add(at, SegmentCode(code), data[at + WORD : at + said])
            at += said
        return at

    def _add(self, at: int, code: SegmentCode, content: bytes) -> None:
        if code.begins:
            self.require_whole(f"another begins at byte {at}")
            self.began = at
        elif self.began < 0:
            if self.inside:
                self.inside = not code.ends
                return
            raise FramingError(at, f"a {code.name.lower()} segment without a first one", _LOST)
        self.inside = False
        self.pieces.append(content)
        if code.ends:
            self.places.append(self.began)
            self.lengths.append(sum(map(len, self.pieces[self.held :])))
            self.began, self.held = -1, len(self.pieces)

    def require_whole(self, but: str) -> None:
        """Raises FramingError where the last record has no last segment."""
        if self.began >= 0:
            raise FramingError(
                self.began, f"the record that begins here has no last segment: {but}", _LOST
            )

    def split(self, used: int, again: int = 0, *, inside: bool = False) -> Split:
        """What was found."""
        lengths = np.array(self.lengths, np.int64)
        starts = np.cumsum(lengths) - lengths
        joined = b"".join(self.pieces[: self.held])
        places = np.array(self.places, np.int64)
        return Split(starts, lengths, used, None, joined, places, again, inside)


def _cut_off(at: int, end: int, whole: str) -> FramingError:
    return FramingError(
        at,
        f"{end - at} bytes are left, fewer than the segment that begins here, at the end of the "
        f"{whole}",
        "The file is cut off, or has a trailer to declare, or is framed otherwise",
    )
