"""Spanned records (RECFM VS and VBS): a record in several segments, perhaps in several blocks.

z/OS DFSMS Using Data Sets, "Segment Descriptor Word": a length of two bytes, which counts the four
bytes of the word, then a byte whose lowest two bits are the segment code, then a zero byte. A word
with the first bit set means that the block has no more segments.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from adapters.legacy_cobol.records.chunks import Split
from adapters.legacy_cobol.records.framing import FramingError, Prefixed

WORD = 4
LONGEST = 32_760  # bytes of a segment with its descriptor word
_NULL = 0x8000
_LOST = "Segments are missing, or files were concatenated, or the framing is another one"


class SegmentCode(IntEnum):
    """The part of a record that a segment is."""

    WHOLE = 0
    FIRST = 1
    LAST = 2
    MIDDLE = 3

    @property
    def begins(self) -> bool:
        """Whether it is the first segment of its record."""
        return self in (SegmentCode.WHOLE, SegmentCode.FIRST)

    @property
    def ends(self) -> bool:
        """Whether it is the last segment of its record."""
        return self in (SegmentCode.WHOLE, SegmentCode.LAST)


def split(body: Prefixed, data: bytes, final: bool) -> Split:
    """The complete records of a buffer of segments. Raises FramingError."""
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
    """The complete records of a buffer of blocks. Raises FramingError.

    Reading resumes at the block in which the first incomplete record begins.
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
    again = sum(place > block for place in joining.origins)
    return joining.split(block, again, inside=True)


def cut(record: bytes, body: Prefixed, room: int, size: int) -> Iterator[bytes]:
    """The segments of a record with their descriptors, of at most `room` bytes, then `size`.

    Each has at least one byte of the record, unless the record is empty.
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
    """Joins segments to records. `origins` are the offsets of their first segments.

    `inside`: the first segments may belong to a record that was joined before.
    """

    inside: bool = False
    pieces: list[bytes] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    began: int = -1  # where the incomplete record begins
    held: int = 0  # pieces of complete records

    def take(self, body: Prefixed, data: bytes, at: int, end: int, *, block: bool = False) -> int:
        """Take the segments between two offsets. Returns the end of the last complete one."""
        while at + WORD <= end:
            stated = int.from_bytes(data[at : at + 2], body.order.value)
            if block and stated == _NULL and not any(data[at + 2 : end]):
                return end
            code, reserved = data[at + 2], data[at + 3]
            if not WORD <= stated <= LONGEST or code > SegmentCode.MIDDLE or reserved:
                raise FramingError(
                    at,
                    f"{data[at : at + WORD].hex()} is not a segment descriptor",
                    "Check the byte order, and whether the file has block descriptors. The "
                    "previous segment may have a wrong length",
                )
            if at + stated > end:
                break
            self._add(at, SegmentCode(code), data[at + WORD : at + stated])
            at += stated
        return at

    def _add(self, at: int, code: SegmentCode, content: bytes) -> None:
        if code.begins:
            self.require_whole(f"another one begins at byte {at}")
            self.began = at
        elif self.began < 0:
            if self.inside:
                self.inside = not code.ends
                return
            raise FramingError(at, f"a {code.name.lower()} segment without a first one", _LOST)
        self.inside = False
        self.pieces.append(content)
        if code.ends:
            self.origins.append(self.began)
            self.lengths.append(sum(map(len, self.pieces[self.held :])))
            self.began, self.held = -1, len(self.pieces)

    def require_whole(self, but: str) -> None:
        """Raises FramingError if the last record is incomplete."""
        if self.began >= 0:
            raise FramingError(
                self.began, f"the record that begins here has no last segment: {but}", _LOST
            )

    def split(self, used: int, again: int = 0, *, inside: bool = False) -> Split:
        """The complete records."""
        lengths = np.array(self.lengths, np.int64)
        begins = np.cumsum(lengths) - lengths
        joined = b"".join(self.pieces[: self.held])
        origins = np.array(self.origins, np.int64)
        return Split(begins, lengths, used, None, joined, origins, again, inside)


def _cut_off(at: int, end: int, whole: str) -> FramingError:
    return FramingError(
        at,
        f"{end - at} bytes are left at the end of the {whole}, less than the segment that begins "
        "here",
        "The file is truncated, or has an undeclared trailer, or the framing is another one",
    )
