"""Decode chunks of records to columns, documents and rejects."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.copybook.kinds import Encoding
from adapters.legacy_cobol.copybook.placement import CounterNeeded, CountOutOfBounds, place
from adapters.legacy_cobol.fields.codec import codec
from adapters.legacy_cobol.fields.codes import FaultCode, FieldFault
from adapters.legacy_cobol.fields.columns import Numbers, Rows
from adapters.legacy_cobol.fields.signs import sign_table
from adapters.legacy_cobol.records.chunks import Chunk
from adapters.legacy_cobol.records.json_text import JsonText, Piece
from adapters.legacy_cobol.records.plan import Plan
from adapters.legacy_cobol.records.record_type import RecordType
from adapters.legacy_cobol.records.row_view import FaultsByRow, RowView
from adapters.legacy_cobol.records.selectors import matches_of

Index = NDArray[np.intp]
BLOCK = 4096  # records; the columns of a field then fit into the processor cache


@dataclass(frozen=True, slots=True)
class DecodedPart:
    """Records of one type with the same counts. `index` are their positions in the chunk."""

    kind: RecordType
    plan: Plan
    index: Index
    values: Any

    def lines(self, *, typed: bool = False) -> bytes:
        """JSON documents, one per line, in the order of `index`, bad records included.

        `typed`: each is the `data` of an object that names the type of the record.
        """
        count = len(self.index)
        before, after = b"", b"\n"
        if typed:
            before = b'{"record":%b,"data":' % json.dumps(self.kind.name).encode()
            after = b"}\n"

        def pieces(text: JsonText) -> list[Piece]:
            return [before, *self.plan.node.pieces(self.values, count, text), after]

        return self.plan.json.of(pieces, count)

    def documents(self) -> list[dict[str, Any]]:
        """The documents as Python values."""
        return self.plan.node.python(self.values, len(self.index))


@dataclass(frozen=True, slots=True)
class DecodedReject:
    """A record with faults: its number, counted from 1, and its offset in the file."""

    number: int
    offset: int
    raw: bytes
    kind: str | None
    faults: tuple[FieldFault, ...]


@dataclass(slots=True)
class Decoded:
    """A decoded chunk. `faults` are by position in the chunk; such records have no document."""

    chunk: Chunk
    parts: list[DecodedPart] = field(default_factory=list)
    faults: FaultsByRow = field(default_factory=dict)

    def json(self, *, typed: bool = False) -> list[bytes | None]:
        """A JSON document for each record, in the order of the file; None for a reject."""
        out: list[bytes | None] = [None] * len(self.chunk)
        for part in self.parts:
            lines = part.lines(typed=typed).split(b"\n")
            for at, line in zip(part.index.tolist(), lines, strict=False):
                out[at] = line
        for at in self.faults:
            out[at] = None
        return out

    def ndjson(self, *, typed: bool = False) -> bytes:
        """The documents of all good records, one per line, in the order of the file."""
        if not self.faults and self._in_order():
            return b"".join(part.lines(typed=typed) for part in self.parts)
        return b"".join(line + b"\n" for line in self.json(typed=typed) if line is not None)

    def _in_order(self) -> bool:
        index = [part.index for part in self.parts]
        return not index or bool((np.diff(np.concatenate(index)) == 1).all())

    def documents(self) -> list[dict[str, Any] | None]:
        """A dictionary for each record, in the order of the file; None for a reject."""
        out: list[dict[str, Any] | None] = [None] * len(self.chunk)
        for part in self.parts:
            for at, document in zip(part.index.tolist(), part.documents(), strict=True):
                out[at] = document
        for at in self.faults:
            out[at] = None
        return out

    def kinds(self) -> list[str | None]:
        """The name of each record's type; None if no type matches."""
        out: list[str | None] = [None] * len(self.chunk)
        for part in self.parts:
            for at in part.index.tolist():
                out[at] = part.kind.name
        return out

    def rejects(self) -> Iterator[DecodedReject]:
        """The records with faults, in the order of the file."""
        kinds = self.kinds() if self.faults else []
        chunk = self.chunk
        for at in sorted(self.faults):
            offset = int(chunk.offsets[at])
            faults = tuple(self.faults[at])
            yield DecodedReject(chunk.number + at, offset, chunk.raw(at), kinds[at], faults)


class Decoder:
    """Decodes chunks by the declared record types.

    `padded`: records may end early and are filled with blanks, as in text files with trimmed
    lines. Raises ValueError for types, policies and selectors that contradict each other.
    """

    def __init__(
        self, types: Sequence[RecordType], encoding: Encoding, *, padded: bool = False
    ) -> None:
        self.types = tuple(types)
        self.encoding = encoding
        self._padded = padded
        self._blank = sign_table(encoding.zoned_signs).space
        self._plans: dict[tuple[int, tuple[int, ...]], Plan] = {}
        self._matches = [matches_of(each, encoding) for each in self.types]
        for number, kind in enumerate(self.types):
            self._plan(number, _fewest(kind))

    def decode(self, chunk: Chunk) -> Decoded:
        """Decode a chunk. Never raises for its bytes."""
        found = Decoded(chunk)
        for number, index in self._by_type(chunk, found.faults):
            record = self.types[number].record
            rows = chunk.rows(index, record.maximum_length, self._blank)
            self._resolve(number, index, rows, (), found)
        return found

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
            self._read(self._plans[number, counts], index, rows, found)
            return
        values, good = self._count(needed, index, rows, found)
        for count in np.unique(values[good]).tolist():
            here = np.flatnonzero(good & (values == count))
            self._resolve(number, index[here], rows[here], (*counts, count), found)

    def _place(self, number: int, counts: tuple[int, ...]) -> CounterNeeded | None:
        kind = self.types[number]
        area = place(kind.record, counts)
        if isinstance(area, CounterNeeded):
            return area
        self._plans[number, counts] = Plan(kind, self.encoding, area)
        return None

    def _plan(self, number: int, counts: tuple[int, ...]) -> Plan:
        self._place(number, counts)
        return self._plans[number, counts]

    def _count(
        self, needed: CounterNeeded, index: Index, rows: Rows, found: Decoded
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """The values of a counter, and which of them are valid."""
        assert needed.item.kind is not None  # noqa: S101  (a counter is elementary)
        column = codec(needed.item.kind, self.encoding).decode(rows, needed.offset)
        assert isinstance(column, Numbers)  # noqa: S101  (the parser demands an integer)
        bad = np.zeros(len(rows), np.uint8) if column.codes is None else column.codes.copy()
        outside = (column.data < needed.minimum) | (column.data > needed.maximum)
        end = needed.offset + needed.item.length
        short = found.chunk.lengths[index] < end
        if not self._padded:
            bad[short] = FaultCode.RECORD_LENGTH
        bad[(bad == 0) & outside] = FaultCode.COUNTER_OUT_OF_RANGE
        for row in np.flatnonzero(bad).tolist():
            raw = rows[row, needed.offset : end].tobytes()
            code = FaultCode(bad[row])
            detail = f"{needed.table.name} occurs {needed.minimum} to {needed.maximum} times"
            fault = FieldFault(
                ".".join(needed.item.path[1:]), code, needed.offset, raw,
                detail if code is FaultCode.COUNTER_OUT_OF_RANGE else "",
            )  # fmt: skip
            found.faults[int(index[row])] = [fault]
        return column.data, bad == 0

    def _read(self, plan: Plan, index: Index, rows: Rows, found: Decoded) -> None:
        lengths = found.chunk.lengths[index]
        wrong = lengths > plan.length if self._padded else lengths != plan.length
        if wrong.any():
            for at in np.flatnonzero(wrong).tolist():
                detail = f"{int(lengths[at])} bytes, but the layout has {plan.length}"
                fault = FieldFault("(record)", FaultCode.RECORD_LENGTH, 0, b"", detail)
                found.faults[int(index[at])] = [fault]
            index, rows = index[~wrong], rows[~wrong]
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
