"""Records with several counters, with every item where it is in the largest record.

There are too many combinations of counts for a plan of each. So the bytes of the records are copied
to the offsets of the largest record, where one plan reads them all, and the occurrences that a
record does not have are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.copybook.kinds import Encoding
from adapters.legacy_cobol.copybook.layout import Item, Occurs
from adapters.legacy_cobol.copybook.placement import Area, CounterNeeded, place_with
from adapters.legacy_cobol.fields.codes import FieldFault
from adapters.legacy_cobol.fields.columns import Mask
from adapters.legacy_cobol.records.chunks import Chunk
from adapters.legacy_cobol.records.counters import CounterReader
from adapters.legacy_cobol.records.plan import Plan
from adapters.legacy_cobol.records.record_type import Path, RecordType
from adapters.legacy_cobol.records.row_view import FaultsByRow, RowView

Index = NDArray[np.intp]
Positions = NDArray[np.int64]  # one for each record
Places = tuple[int, ...]  # subscripts from 0 of the tables around an item
_FEW = 256  # combinations of counts: with so many, a plan for each is faster
_MOST_STEPS = 4000  # occurrences that are copied one by one
_BYTES = 1 << 20  # of the largest records that are read at once
_SPARSE = 64  # a largest record is at most so many times as long as a usual one


@dataclass(slots=True)
class ExpandedRecords:
    """Records in the form of the largest one. `ends` are their lengths by their counters.

    `sources` are the offsets of the bytes in the record, -1 for bytes that it does not have.
    """

    index: Index
    ends: Positions
    good: Mask
    sources: NDArray[np.int32]
    counts: dict[Path, NDArray[np.int64]]
    faults: FaultsByRow = field(default_factory=dict)  # by position in the chunk

    def view(self, chunk: Chunk, rows: NDArray[np.bool_], fill: int) -> RowView:
        """A view of these rows."""
        sources = self.sources[rows]
        begins, lengths = chunk.begins[self.index[rows]], chunk.lengths[self.index[rows]]
        there = (sources >= 0) & (sources < lengths[:, None])
        found = chunk.data[np.where(there, begins[:, None] + sources, 0)]
        found[~there] = fill
        return RowView(found, counts={path: each[rows] for path, each in self.counts.items()})

    def located(self, row: int, faults: list[FieldFault]) -> list[FieldFault]:
        """Faults of a row with the offsets of its record."""
        return [
            each
            if each.offset is None
            else replace(each, offset=int(self.sources[row, each.offset]))
            for each in faults
        ]


class Expander:
    """Expands the records of one type."""

    def __init__(self, kind: RecordType, encoding: Encoding) -> None:
        self.plan = Plan(kind, encoding, _largest(kind.record.root))
        self._items = {each.path: each for each in kind.record.items()}
        self._reader = CounterReader(encoding)
        self._counters = {
            each.occurs.counter for each in self._items.values() if each.occurs is not None
        }

    @property
    def most(self) -> int:
        """How many records are expanded at once."""
        return max(1, _BYTES // max(1, self.plan.length))

    def suits(self, lengths: NDArray[np.int64]) -> bool:
        """Whether records of these lengths are not too short for it."""
        return self.plan.length <= _SPARSE * max(1.0, float(lengths.mean()))

    def expand(self, chunk: Chunk, index: Index, *, padded: bool) -> ExpandedRecords:
        """Expand records of a chunk."""
        return _Expansion(self, chunk, index, padded).whole()

    def __contains__(self, path: Path) -> bool:
        return path in self._counters

    def original(self, path: Path) -> Item:
        """An item of the copybook."""
        return self._items[path]

    def counter(self, table: Item) -> Item:
        """The counter of a table."""
        assert table.occurs is not None  # noqa: S101
        assert table.occurs.counter is not None  # noqa: S101
        return self._items[table.occurs.counter]

    @property
    def reader(self) -> CounterReader:
        """Reads counters."""
        return self._reader


def has_many_lengths(kind: RecordType) -> bool:
    """Whether there are too many combinations of counts for a plan of each."""
    tables = [each for each in kind.record.items() if each.occurs is not None]
    counted = [each.occurs for each in tables if each.occurs and each.occurs.counter]
    counters = {each.counter: each.maximum - each.minimum + 1 for each in counted}
    return any(each.uneven for each in tables) or prod(counters.values()) > _FEW


def expander(kind: RecordType, encoding: Encoding) -> Expander | None:
    """The expander of a record type; None if grouping records by their counts is better."""
    if not has_many_lengths(kind) or kind.record.maximum_length > _BYTES:
        return None
    return Expander(kind, encoding) if _steps(kind.record.root) <= _MOST_STEPS else None


class _Expansion:
    """One walk over the items, for all records at once."""

    def __init__(self, expander: Expander, chunk: Chunk, index: Index, padded: bool) -> None:
        self.expander = expander
        self.chunk = chunk
        self.padded = padded
        size = len(index)
        self.found = ExpandedRecords(
            index, np.zeros(size, np.int64), np.ones(size, bool),
            np.full((size, expander.plan.length), -1, np.int32), {},
        )  # fmt: skip
        self.offsets: dict[tuple[Path, Places], Positions] = {}

    def whole(self) -> ExpandedRecords:
        found = self.found
        start = np.zeros(len(found.index), np.int64)
        found.ends = self._area(self.expander.plan.area, start, 0, found.good, ())
        return found

    def _area(self, area: Area, at: Positions, shift: int, here: Mask, places: Places) -> Positions:
        """Copy all occurrences. Returns the positions after them."""
        if area.count is None:
            return self._one(area, at, shift, here, places)
        table = self.expander.original(area.item.path)
        count = self._count(table, here, places)
        after = at + count * area.length
        if not _counts_inside(table):
            self._copy(area.offset + shift, at, area.count * area.length, after - at)
        else:
            after = at
            for number in range(int(count.max(initial=0))):
                some = here & (number < count)
                inside = shift + number * area.stride
                ends = self._one(area, after, inside, some, (*places, number))
                after = np.where(some, ends, after)
        reserved = table.occurs is not None and table.occurs.reserved
        return at + table.total if reserved else after

    def _one(self, area: Area, at: Positions, shift: int, here: Mask, places: Places) -> Positions:
        if area.item.path in self.expander:
            self.offsets[area.item.path, places] = at
        if not area.children:
            self._copy(area.offset + shift, at, area.length, here * area.length)
            return at + area.length
        begins: dict[str, Positions] = {}
        after = at
        for child in area.children:
            item = child.item
            start = after + item.slack if item.redefines is None else begins[item.redefines]
            begins[item.name] = start
            after = np.maximum(after, self._area(child, start, shift, here, places))
        return after + area.item.padding

    def _copy(self, offset: int, at: Positions, width: int, lengths: Positions) -> None:
        """Copy so many bytes of each record to one offset."""
        inside = np.arange(width)
        there = inside < lengths[:, None]
        self.found.sources[:, offset : offset + width] = np.where(there, at[:, None] + inside, -1)

    def _count(self, table: Item, here: Mask, places: Places) -> Positions:
        """How often a table occurs in each record; 0 in bad ones, and where it is not `here`."""
        assert table.occurs is not None  # noqa: S101
        count = np.full(len(here), table.occurs.maximum)
        if table.occurs.counter is not None:
            count = self._stated(table, table.occurs, here, places)
        count = np.where(here & self.found.good, count, 0)
        self._keep(table, places, count)
        return count

    def _stated(self, table: Item, occurs: Occurs, here: Mask, places: Places) -> Positions:
        counter = self.expander.counter(table)
        size = len(places)
        while (counter.path, places[:size]) not in self.offsets:
            size -= 1
        key = counter.path, places[:size]
        needed = CounterNeeded(counter, 0, table, occurs.minimum, occurs.maximum)
        some = np.flatnonzero(here & self.found.good)
        read = self.expander.reader.read(
            needed, self.chunk, self.found.index[some], self.offsets[key][some],
            padded=self.padded,
            optional=self.expander.plan.kind.is_optional(counter), faults=self.found.faults,
        )  # fmt: skip
        self.found.good[some[~read.good]] = False
        stated = np.zeros(len(here), np.int64)
        stated[some] = np.where(read.good, read.values, 0)
        return stated

    def _keep(self, table: Item, places: Places, count: Positions) -> None:
        """Keep the counts of a table for the nodes that read it."""
        if table.occurs is None or table.occurs.counter is None:
            return
        if table.path not in self.found.counts:
            shape = (len(count), *_around(table, self.expander))
            self.found.counts[table.path] = np.zeros(shape, np.int64)
        where: tuple[int | slice, ...] = (slice(None), *places)
        self.found.counts[table.path][where] = count


def _largest(root: Item) -> Area:
    """The positions in the largest record, in which all tables have elements of one length."""

    def even(item: Item) -> Item:
        occurs = item.occurs and Occurs(item.occurs.maximum, item.occurs.maximum)
        children = tuple(map(even, item.children))
        return replace(item, occurs=occurs, uneven=False, children=children)

    return place_with(even(root), lambda needed: needed.maximum)


def _counts_inside(table: Item) -> bool:
    return any(each.occurs and each.occurs.counter for each in _below(table))


def _below(item: Item) -> Iterator[Item]:
    for child in item.children:
        yield from child.walk()


def _around(table: Item, expander: Expander) -> Iterator[int]:
    """The maximum occurrences of each table around a table, the outermost first."""
    for size in range(1, len(table.path)):
        occurs = expander.original(table.path[:size]).occurs
        if occurs is not None:
            yield occurs.maximum


def _steps(item: Item) -> int:
    """How many occurrences are copied one by one."""
    inside = 1 + sum(map(_steps, item.children))
    return inside * item.occurs.maximum if item.occurs and _counts_inside(item) else inside
