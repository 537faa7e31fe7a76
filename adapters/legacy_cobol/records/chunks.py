"""A piece of a file in which the records are known: where each begins and ends."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.columns import Rows


@dataclass(frozen=True, slots=True)
class Split:
    """Records in a buffer, and how many bytes of it are done with, with all that belongs to them.

    Spanned records are put together: `joined` has their bytes then, and `places` say where in the
    buffer they begin. The buffer that begins at `used` holds `again` whole records of this one
    first; it begins `inside` a record of this one where that may be.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    used: int
    step: int | None = None
    joined: bytes | None = None
    places: NDArray[np.int64] | None = None
    again: int = 0
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of a file, in order. `number` is that of the first one, from 1 on.

    `starts` and `lengths` are the places of the records in `data`, without descriptor words and
    line ends; `offset` is the place of data[0] in the file. `step` is set where all records are
    `step` bytes long and stand next to each other. `skipped` records stand in `data` before the
    first one: they were done in an earlier run. `places` are where in the piece of the file the
    records begin, where that is not `starts`.
    """

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    number: int
    offset: int
    step: int | None = None
    skipped: int = 0
    places: NDArray[np.int64] | None = None

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where in the file each record begins."""
        return self.offset + (self.starts if self.places is None else self.places)

    def __len__(self) -> int:
        return len(self.starts)

    def raw(self, at: int) -> bytes:
        """The bytes of one record."""
        start = int(self.starts[at])
        return self.data[start : start + int(self.lengths[at])].tobytes()

    def rows(self, index: NDArray[np.intp], width: int, fill: int) -> Rows:
        """These records as rows of that many bytes; shorter ones are filled up. Do not write."""
        if self.step == width and len(index) == len(self):
            first = int(self.starts[0]) if len(self) else 0
            return self.data[first : first + len(self) * width].reshape(len(self), width)
        starts = self.starts[index]
        found = _windows(self.data, starts, width, fill)
        lengths = self.lengths[index]
        if len(index) and int(lengths.min()) < width:
            found[np.arange(width) >= lengths[:, None]] = fill
        return found


def _windows(data: NDArray[np.uint8], starts: NDArray[np.int64], width: int, fill: int) -> Rows:
    """`width` bytes from each start; each row is copied in one piece."""
    if not len(starts) or not width:
        return np.empty((len(starts), width), np.uint8)
    missing = int(starts.max()) + width - len(data)
    if missing > 0:
        data = np.concatenate((data, np.full(missing, fill, np.uint8)))
    data = np.ascontiguousarray(data)
    every: NDArray[np.void] = np.ndarray(
        (len(data) - width + 1,), f"V{width}", buffer=data, strides=(1,)
    )
    return every[starts].view(np.uint8).reshape(len(starts), width)
