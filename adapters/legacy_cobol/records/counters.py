"""Read the counters of OCCURS DEPENDING ON, of many records at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.copybook.kinds import Encoding
from adapters.legacy_cobol.copybook.placement import CounterNeeded
from adapters.legacy_cobol.fields.codec import Codec, codec
from adapters.legacy_cobol.fields.codes import FaultCode, FieldFault
from adapters.legacy_cobol.fields.columns import Mask, Numbers, Rows
from adapters.legacy_cobol.records.chunks import Chunk
from adapters.legacy_cobol.records.row_view import FaultsByRow


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts that records state, and which of them are good."""

    values: NDArray[np.int64]
    good: Mask


class CounterReader:
    """Reads counters."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._codecs: dict[tuple[str, ...], Codec] = {}

    def read(
        self, needed: CounterNeeded, chunk: Chunk, index: NDArray[np.intp],
        offsets: NDArray[np.int64], *, padded: bool, optional: bool, faults: FaultsByRow,
    ) -> Counted:  # fmt: skip
        """The counts of records in a chunk, whose counters are at these offsets.

        A bad count becomes a fault. `padded`: the records may end before it. `optional`: so may
        records without its table.
        """
        length = needed.item.length
        raws = chunk.pieces(index, offsets, length)
        column = self._codec(needed).decode(raws, 0)
        assert isinstance(column, Numbers)  # noqa: S101  (the parser demands an integer)
        bad = np.zeros(len(raws), np.uint8) if column.codes is None else column.codes.copy()
        if not padded:
            bad[chunk.lengths[index] < offsets + length] = FaultCode.RECORD_LENGTH
        ended = chunk.lengths[index] <= offsets if optional else np.zeros(len(raws), bool)
        bad[ended] = 0
        outside = (column.data < needed.minimum) | (column.data > needed.maximum)
        bad[(bad == 0) & outside & ~ended] = FaultCode.COUNTER_OUT_OF_RANGE
        for row in np.flatnonzero(bad).tolist():
            fault = _fault(needed, FaultCode(bad[row]), int(offsets[row]), raws, row)
            faults[int(index[row])] = [fault]
        good = bad == 0
        values = np.where(ended, needed.minimum, column.data)
        return Counted(np.where(good, values, 0).astype(np.int64), good)

    def _codec(self, needed: CounterNeeded) -> Codec:
        item = needed.item
        assert item.kind is not None  # noqa: S101  (a counter is elementary)
        if item.path not in self._codecs:
            self._codecs[item.path] = codec(item.kind, self._encoding)
        return self._codecs[item.path]


def _fault(needed: CounterNeeded, code: FaultCode, offset: int, raws: Rows, row: int) -> FieldFault:
    detail = ""
    if code is FaultCode.COUNTER_OUT_OF_RANGE:
        detail = f"{needed.table.name} occurs {needed.minimum} to {needed.maximum} times"
    name = ".".join(needed.item.path[1:])
    return FieldFault(name, code, offset, raws[row].tobytes(), detail)
