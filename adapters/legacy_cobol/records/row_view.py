"""Rows of a matrix that know their origin: the record, the occurrences, and the byte.

The elements of a table become rows of their own, so a thousand records with ten elements are one
column of ten thousand values. A view maps each row back to its record.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.codes import Codes, FaultCode, FieldFault
from adapters.legacy_cobol.fields.columns import Mask, Rows

Counts = dict[tuple[str, ...], NDArray[np.int64]]
FaultsByRow = dict[int, list[FieldFault]]  # by row of the outermost view


@dataclass(slots=True)
class RowView:
    """Rows in which nodes read and write their fields.

    A view of table elements has `count`, `base` (the offset of the first element in the rows of
    the parent) and `stride`. A view of chosen rows has their numbers in the parent in `chosen`.
    """

    rows: Rows
    faults: FaultsByRow = field(default_factory=dict)
    parent: "RowView | None" = None
    count: int = 1
    base: int = 0
    stride: int = 0
    chosen: NDArray[np.intp] | None = None
    kept: Mask | None = None  # writing: rows with original bytes to keep
    counts: Counts | None = None  # how often tables occur in each row, by their paths
    absent: Mask | None = None  # rows that are occurrences which a record does not have

    def elements(
        self, offset: int, count: int, stride: int, path: tuple[str, ...] = ()
    ) -> "RowView":
        """A view with each element of a table as a row. `path` is that of the table."""
        region = self.rows[:, offset : offset + count * stride]
        size = len(self.rows) * count
        rows = region.reshape(size, stride)
        kept = None if self.kept is None else np.repeat(self.kept, count)
        absent = None if self.absent is None else np.repeat(self.absent, count)
        counts: Counts | None = None
        if self.counts is not None:
            counts = {
                table: each.reshape(size, *each.shape[2:])
                for table, each in self.counts.items()
                if table[: len(path)] == path != table
            }
            if path in self.counts:
                absent = (np.arange(count) >= self.counts[path][:, None]).reshape(-1)
        return RowView(rows, self.faults, self, count, offset, stride, None, kept, counts, absent)

    def subset(self, chosen: NDArray[np.intp]) -> "RowView":
        """A view of these rows."""
        kept = None if self.kept is None else self.kept[chosen]
        absent = None if self.absent is None else self.absent[chosen]
        counts = self.counts and {table: each[chosen] for table, each in self.counts.items()}
        return RowView(
            self.rows[chosen], self.faults, self, chosen=chosen, kept=kept, counts=counts,
            absent=absent,
        )  # fmt: skip

    def write_back(self) -> None:
        """Copy the rows back to the parent."""
        parent = self.parent
        if parent is None:
            return
        if self.chosen is not None:
            parent.rows[self.chosen] = self.rows
            return
        end = self.base + self.count * self.stride
        parent.rows[:, self.base : end] = self.rows.reshape(len(parent.rows), -1)

    def outer(self, levels: int) -> "RowView":
        """The view so many tables further out."""
        view = self
        while levels or view.chosen is not None:
            if view.parent is None:
                break
            levels -= view.chosen is None
            view = view.parent
        return view

    def spread(self, mask: Mask, levels: int) -> Mask:
        """Convert a mask over the rows of `outer(levels)` to one over these rows."""
        target = self.outer(levels)
        way: list[RowView] = []
        view = self
        while view is not target and view.parent is not None:
            way.append(view)
            view = view.parent
        for each in reversed(way):
            mask = np.repeat(mask, each.count) if each.chosen is None else mask[each.chosen]
        return mask

    def locate(self, row: int) -> tuple[int, tuple[int, ...], int]:
        """The record, the subscripts (from 1), and the offset of the row in the record."""
        if self.parent is None:
            return row, (), 0
        if self.chosen is not None:
            return self.parent.locate(int(self.chosen[row]))
        record, subscripts, base = self.parent.locate(row // self.count)
        at = row % self.count
        return record, (*subscripts, at + 1), base + self.base + at * self.stride

    def report(self, name: str, codes: Codes | None, offset: int, length: int) -> None:
        """Add a fault of this field for every code."""
        if codes is None:
            return
        if self.absent is not None:
            codes = np.where(self.absent, np.uint8(0), codes)
        for row in np.flatnonzero(codes).tolist():
            raw = self.rows[row, offset : offset + length].tobytes()
            self.note(row, name, FaultCode(codes[row]), offset, raw)

    def note(
        self, row: int, name: str, code: FaultCode, offset: int, raw: bytes = b"", detail: str = ""
    ) -> None:
        """Add a fault, unless the record does not have this occurrence."""
        if self.absent is not None and self.absent[row]:
            return
        record, subscripts, base = self.locate(row)
        label = f"{name}({','.join(map(str, subscripts))})" if subscripts else name
        fault = FieldFault(label, code, base + offset, raw, detail)
        self.faults.setdefault(record, []).append(fault)
