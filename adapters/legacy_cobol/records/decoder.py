"""Decode chunks of records to columns, documents and rejects."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.copybook.kinds import Encoding
from adapters.legacy_cobol.copybook.placement import CounterNeeded, CountOutOfBounds, place
from adapters.legacy_cobol.fields.codes import FaultCode, FieldFault
from adapters.legacy_cobol.fields.columns import Rows
from adapters.legacy_cobol.fields.signs import sign_table
from adapters.legacy_cobol.records.chunk_reader import CHUNK
from adapters.legacy_cobol.records.chunks import Chunk
from adapters.legacy_cobol.records.counters import CounterReader
from adapters.legacy_cobol.records.decoded import Decoded, DecodedPart
from adapters.legacy_cobol.records.expansion import Expander, expander, has_many_lengths
from adapters.legacy_cobol.records.framing import Rest
from adapters.legacy_cobol.records.plan import Plan
from adapters.legacy_cobol.records.record_ends import EndsTooEarly, shortened
from adapters.legacy_cobol.records.record_type import RecordType
from adapters.legacy_cobol.records.row_view import FaultsByRow, RowView
from adapters.legacy_cobol.records.selectors import matches_of

Index = NDArray[np.intp]
Key = tuple[int, tuple[int, ...]]  # the number of a record type, and its counts
BLOCK = 4096  # records; the columns of a field then fit into the processor cache
_REMEMBERED = 256  # plans
_FEW_BYTES = 256 << 10  # of records whose counts have many combinations
_WIDE = 8 << 20  # bytes of records with counters that are read at once


class Decoder:
    """Decodes chunks by the declared record types.

    `padded`: records may end early and are filled with blanks, as in text files with trimmed
    lines. `rest`: all records have one length, and these bytes may follow their last item; None:
    records end with it. Raises ValueError for types, policies and selectors that contradict each
    other.
    """

    def __init__(
        self, types: Sequence[RecordType], encoding: Encoding, *, padded: bool = False,
        rest: Rest | None = None,
    ) -> None:  # fmt: skip
        self.types = tuple(types)
        self.encoding = encoding
        self._padded = padded
        self._rest = rest
        self._blank = sign_table(encoding.zoned_signs).space
        self._plans: dict[Key, Plan] = {}
        self._short_plans: dict[tuple[Key, int], Plan | str] = {}
        self._counters = CounterReader(encoding)
        self._expanders = [expander(each, encoding) for each in self.types]
        self._matches = [matches_of(each, encoding) for each in self.types]
        for number, kind in enumerate(self.types):
            self._plan(number, _fewest(kind))

    @property
    def read_size(self) -> int:
        """How many bytes of a file to decode at once, so that memory stays small."""
        return _FEW_BYTES if any(map(has_many_lengths, self.types)) else CHUNK

    def decode(self, chunk: Chunk) -> Decoded:
        """Decode a chunk. Never raises for its bytes."""
        found = Decoded(chunk)
        for number, index in self._by_type(chunk, found.faults):
            record = self.types[number].record
            width = record.maximum_length
            most = len(index) if record.fixed else max(1, _WIDE // max(1, width))
            expands = self._expanders[number]
            if expands is not None and expands.suits(chunk.lengths[index]):
                index = self._expand(expands, index, found)
            for start in range(0, len(index), max(1, most)):
                some = index[start : start + most]
                self._resolve(number, some, chunk.rows(some, width, self._blank), (), found)
        return found

    def _expand(self, expands: Expander, index: Index, found: Decoded) -> Index:
        """Read records with many counts. Returns those that end early or late."""
        left = []
        for start in range(0, len(index), expands.most):
            some = index[start : start + expands.most]
            records = expands.expand(found.chunk, some, padded=self._padded)
            found.faults |= records.faults
            lengths = found.chunk.lengths[some]
            usual = lengths <= records.ends if self._padded else lengths == records.ends
            left.append(some[records.good & ~usual])
            rows = records.good & usual
            if not rows.any():
                continue
            view = records.view(found.chunk, rows, self._blank)
            values = expands.plan.node.read(view)
            part = some[rows]
            found.parts.append(DecodedPart(expands.plan.kind, expands.plan, part, values))
            for row, faults in view.faults.items():
                found.faults[int(part[row])] = records.located(np.flatnonzero(rows)[row], faults)
        return np.concatenate(left) if left else index[:0]

    def _by_type(self, chunk: Chunk, faults: FaultsByRow) -> Iterator[tuple[int, Index]]:
        everything = np.arange(len(chunk))
        if len(self.types) == 1 and not self._matches[0]:
            if len(chunk):
                yield 0, everything
            return
        left = np.ones(len(chunk), bool)
        width = max((each.end for matches in self._matches for each in matches), default=0)
        heads = chunk.rows(everything, width, self._blank)
        for number, matches in enumerate(self._matches):
            here = left.copy()
            for match in matches:
                here &= match.holds(heads)
                here &= self._padded | (chunk.lengths >= match.end)
            left &= ~here
            if here.any():
                yield number, np.flatnonzero(here)
        for at in np.flatnonzero(left).tolist():
            raw = heads[at].tobytes()
            faults[at] = [FieldFault("(record)", FaultCode.NO_RECORD_TYPE, 0, raw)]

    def _resolve(
        self, number: int, index: Index, rows: Rows, counts: tuple[int, ...], found: Decoded
    ) -> None:
        """Group records by counter after counter until their positions are known, then read."""
        try:
            needed = None if (number, counts) in self._plans else self._place(number, counts)
        except CountOutOfBounds as error:
            for at in index.tolist():
                fault = FieldFault(
                    error.counter[-1], FaultCode.COUNTER_OUT_OF_RANGE, detail=str(error)
                )
                found.faults[at] = [fault]
            return
        if needed is None:
            self._read((number, counts), index, rows, found)
            return
        offsets = np.full(len(index), needed.offset)
        optional = self.types[number].is_optional(needed.item)
        counted = self._counters.read(
            needed, found.chunk, index, offsets, padded=self._padded, optional=optional,
            faults=found.faults,
        )  # fmt: skip
        for count in np.unique(counted.values[counted.good]).tolist():
            here = np.flatnonzero(counted.good & (counted.values == count))
            self._resolve(number, index[here], rows[here], (*counts, count), found)

    def _place(self, number: int, counts: tuple[int, ...]) -> CounterNeeded | None:
        kind = self.types[number]
        area = place(kind.record, counts)
        if isinstance(area, CounterNeeded):
            return area
        if len(self._plans) > _REMEMBERED:
            self._plans.clear()
        self._plans[number, counts] = Plan(kind, self.encoding, area)
        return None

    def _plan(self, number: int, counts: tuple[int, ...]) -> Plan:
        self._place(number, counts)
        return self._plans[number, counts]

    def _read(self, key: Key, index: Index, rows: Rows, found: Decoded) -> None:
        plan = self._plans[key]
        lengths = found.chunk.lengths[index]
        other = lengths > plan.length if self._padded else lengths != plan.length
        if other.any():
            for length in np.unique(lengths[other]).tolist():
                here = lengths == length
                self._read_other(key, index[here], rows[here], length, found)
            index, rows = index[~other], rows[~other]
        self._read_with(plan, index, rows, found)

    def _read_other(self, key: Key, index: Index, rows: Rows, length: int, found: Decoded) -> None:
        """Read records of another length than that of their items, as far as it is allowed."""
        plan = self._plans[key]
        problem = f"{length} bytes, but the layout has {plan.length}"
        good = np.zeros(len(index), bool)
        if length > plan.length and self._rest is not None:
            good = self._has_rest(index, plan.length, length, found)
            problem = f"the {length - plan.length} bytes after the last item are no padding"
        elif length < plan.length:
            short = self._short_plan(key, length)
            if isinstance(short, Plan):
                plan, good = short, ~good
            else:
                problem += f"; {short}"
        for at in index[~good].tolist():
            found.faults[at] = [
                FieldFault("(record)", FaultCode.RECORD_LENGTH, 0, b"", detail=problem)
            ]
        self._read_with(plan, index[good], rows[good], found)

    def _has_rest(self, index: Index, length: int, width: int, found: Decoded) -> NDArray[np.bool_]:
        """Which records have what may be after their last item."""
        if self._rest is Rest.ANY:
            return np.ones(len(index), bool)
        rest = found.chunk.rows(index, width, self._blank)[:, length:]
        padding: NDArray[np.bool_] = ((rest == self._blank) | (rest == 0)).all(axis=1)
        return padding

    def _short_plan(self, key: Key, length: int) -> Plan | str:
        """The plan of a record that ends early, or why it may not."""
        if (key, length) not in self._short_plans:
            if len(self._short_plans) > _REMEMBERED:
                self._short_plans.clear()
            kind, plan = self.types[key[0]], self._plans[key]
            found: Plan | str
            try:
                found = Plan(kind, self.encoding, shortened(plan.area, length, kind), short=True)
            except EndsTooEarly as error:
                found = str(error)
            except ValueError:  # a selecting field is in the part that is missing
                found = "it ends before a field that selects a variant"
            self._short_plans[key, length] = found
        return self._short_plans[key, length]

    def _read_with(self, plan: Plan, index: Index, rows: Rows, found: Decoded) -> None:
        for start in range(0, len(index), BLOCK):
            part = index[start : start + BLOCK]
            view = RowView(rows[start : start + BLOCK, : plan.length])
            values = plan.node.read(view)
            found.parts.append(DecodedPart(plan.kind, plan, part, values))
            for row, faults in view.faults.items():
                found.faults[int(part[row])] = faults


def _fewest(kind: RecordType) -> tuple[int, ...]:
    """The smallest counts. A plan for them shows contradictions early."""
    counts: tuple[int, ...] = ()
    while isinstance(needed := place(kind.record, counts), CounterNeeded):
        counts = (*counts, needed.minimum)
    return counts
