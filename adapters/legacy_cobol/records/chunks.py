"""A chunk of a file with the positions of its records."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.columns import Rows


@dataclass(frozen=True, slots=True)
class Split:
    """The complete records in a buffer; `used` bytes of the buffer belong to them.

    Spanned records are joined: `joined` has their bytes, and `origins` their offsets in the buffer.
    The next buffer begins at `used`. It repeats the last `again` records of this one, and may begin
    `inside` one of them.
    """

    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]
    used: int
    step: int | None = None
    joined: bytes | None = None
    origins: NDArray[np.int64] | None = None
    again: int = 0
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of a file, in order. `number` is that of the first one, counted from 1.

    `starts` and `lengths` locate the records in `data`, without descriptor words and line ends.
    `offset` is the offset of data[0] in the file. `step` is set if all records are `step` bytes
    long and adjacent. `skipped` records of an earlier run are in `data` before the first one.
    `origins` are the offsets of the records in this part of the file, if they differ from `starts`.
    """

    data: NDArray[np.uint8]
    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]
    number: int
    offset: int
    step: int | None = None
    skipped: int = 0
    origins: NDArray[np.int64] | None = None

    @property
    def offsets(self) -> NDArray[np.int64]:
        """The offset of each record in the file."""
        return self.offset + (self.begins if self.origins is None else self.origins)

    def __len__(self) -> int:
        return len(self.begins)

    def raw(self, at: int) -> bytes:
        """The bytes of a record."""
        start = int(self.begins[at])
        return self.data[start : start + int(self.lengths[at])].tobytes()

    def rows(self, index: NDArray[np.intp], width: int, fill: int) -> Rows:
        """These records as rows of `width` bytes; short ones are filled. Do not modify the rows."""
        if self.step == width and len(index) == len(self):
            first = int(self.begins[0]) if len(self) else 0
            return self.data[first : first + len(self) * width].reshape(len(self), width)
        begins = self.begins[index]
        found = _windows(self.data, begins, width, fill)
        lengths = self.lengths[index]
        if len(index) and int(lengths.min()) < width:
            found[np.arange(width) >= lengths[:, None]] = fill
        return found

    def pieces(self, index: NDArray[np.intp], offsets: NDArray[np.int64], width: int) -> Rows:
        """`width` bytes of each of these records, from an offset of its own in the record."""
        return _windows(self.data, self.begins[index] + offsets, width, 0)


def _windows(data: NDArray[np.uint8], begins: NDArray[np.int64], width: int, fill: int) -> Rows:
    """`width` bytes from each start. Each row is copied at once."""
    if not len(begins) or not width:
        return np.empty((len(begins), width), np.uint8)
    missing = int(begins.max()) + width - len(data)
    if missing > 0:
        data = np.concatenate((data, np.full(missing, fill, np.uint8)))
    data = np.ascontiguousarray(data)
    every: NDArray[np.void] = np.ndarray(
        (len(data) - width + 1,), f"V{width}", buffer=data, strides=(1,)
    )
    return every[begins].view(np.uint8).reshape(len(begins), width)
