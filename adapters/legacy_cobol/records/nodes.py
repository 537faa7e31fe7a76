"""The parts of a record with known positions: read and write them for many rows at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.codec import Codec
from adapters.legacy_cobol.fields.codes import FaultCode, mark
from adapters.legacy_cobol.fields.columns import Column, same
from adapters.legacy_cobol.records.json_text import JsonText, Piece
from adapters.legacy_cobol.records.row_view import RowView


class Missing:
    """Marks a value that a document does not have."""


MISSING: Final = Missing()


class Node(Protocol):
    """A part of a record. Only the node itself interprets what `read` returns."""

    def read(self, view: RowView) -> Any:
        """The values of all rows. Faults go to the view."""
        ...

    def pieces(self, values: Any, count: int, text: JsonText) -> list[Piece]:
        """The values as JSON text."""
        ...

    def python(self, values: Any, count: int) -> list[Any]:
        """The values as Python values, one for each row."""
        ...

    def write(self, values: Sequence[Any], view: RowView) -> None:
        """Write Python values into the rows. Faults go to the view."""
        ...


@dataclass(frozen=True, slots=True)
class Leaf:
    """An elementary item."""

    label: str
    offset: int
    codec: Codec

    def read(self, view: RowView) -> Column:
        """Its column."""
        column = self.codec.decode(view.rows, self.offset)
        view.report(self.label, column.codes, self.offset, self.codec.length)
        return column

    def pieces(self, values: Column, count: int, text: JsonText) -> list[Piece]:
        """JSON of its column."""
        return text.pieces_of(values)

    def python(self, values: Column, count: int) -> list[Any]:
        """Python values of its column."""
        return values.python()

    def write(self, values: Sequence[Any], view: RowView) -> None:
        """Write values. Bytes that already have the same meaning stay the same."""
        missing = np.array([each is MISSING for each in values], bool)
        given = [None if each is MISSING else each for each in values]
        column = self.codec.column(given)
        if missing.any() and column.nulls is not None:
            column.nulls = column.nulls & ~missing
        fresh = np.zeros((len(values), self.codec.length), np.uint8)
        codes = self.codec.encode(column, fresh, 0)
        keep = np.zeros(len(values), bool)
        if view.kept is not None and view.kept.any():
            keep = view.kept & (missing | same(self.codec.decode(view.rows, self.offset), column))
        codes = mark(codes, missing & ~keep, FaultCode.MISSING)
        if codes is not None:
            self._refuse(codes, given, view)
            keep |= codes != 0
        view.rows[~keep, self.offset : self.offset + self.codec.length] = fresh[~keep]

    def _refuse(self, codes: Any, given: Sequence[Any], view: RowView) -> None:
        for row in np.flatnonzero(codes).tolist():
            code = FaultCode(codes[row])
            detail = "" if code is FaultCode.MISSING else _described(given[row])
            view.note(row, self.label, code, self.offset, detail=detail)


@dataclass(frozen=True, slots=True)
class CountedElements:
    """The values of tables of one size, of which each row has the first `counts` elements."""

    counts: NDArray[np.int64]
    values: Any


@dataclass(frozen=True, slots=True)
class Table:
    """OCCURS with elements of one length."""

    label: str
    offset: int
    count: int
    stride: int
    element: Node
    path: tuple[str, ...] = ()

    def read(self, view: RowView) -> Any:
        """The values of all elements of all rows, row by row."""
        if not self.count:
            return None
        counts = view.counts.get(self.path) if view.counts is not None else None
        values = self.element.read(view.elements(self.offset, self.count, self.stride, self.path))
        return values if counts is None else CountedElements(counts, values)

    def pieces(self, values: Any, count: int, text: JsonText) -> list[Piece]:
        """An array."""
        if not self.count:
            return [b"[]"]
        total = count * self.count
        if isinstance(values, CountedElements):
            found = text.lay_out([b",", *self.element.pieces(values.values, total, text)], total)
            each = found.reshape(count, self.count, -1)
            each[np.arange(self.count) >= values.counts[:, None]] = 0
            each[:, 0, 0] = 0  # the comma before the first
            return [b"[", each.reshape(count, -1), b"]"]
        each = text.lay_out([*self.element.pieces(values, total, text), b","], total)
        return [b"[", each.reshape(count, -1)[:, :-1], b"]"]

    def python(self, values: Any, count: int) -> list[Any]:
        """A list for each row."""
        if not self.count:
            return [[] for _ in range(count)]
        if isinstance(values, CountedElements):
            flat = self.element.python(values.values, count * self.count)
            numbered = enumerate(values.counts.tolist())
            return [flat[at * self.count : at * self.count + few] for at, few in numbered]
        flat = self.element.python(values, count * self.count)
        return [flat[at : at + self.count] for at in range(0, len(flat), self.count)]

    def write(self, values: Sequence[Any], view: RowView) -> None:
        """Write the elements of each row's list."""
        flat: list[Any] = []
        for row, value in enumerate(values):
            flat += self._elements(value, row, view)
        if self.count:
            inner = view.elements(self.offset, self.count, self.stride)
            self.element.write(flat, inner)
            inner.write_back()

    def _elements(self, value: Any, row: int, view: RowView) -> Sequence[Any]:
        if value is not MISSING and isinstance(value, list | tuple) and len(value) == self.count:
            return value
        if value is not MISSING:
            wrong = not isinstance(value, list | tuple)
            code = FaultCode.WRONG_TYPE if wrong else FaultCode.COUNT_MISMATCH
            detail = "not a list" if wrong else f"{len(value)} elements, not {self.count}"
            view.note(row, self.label, code, self.offset, detail=detail)
        return [MISSING] * self.count


@dataclass(frozen=True, slots=True)
class VariableTable:
    """OCCURS with elements of several lengths in one record: each is a node of its own."""

    label: str
    offset: int
    parts: tuple[Node, ...]

    def read(self, view: RowView) -> list[Any]:
        """The values of each element."""
        return [node.read(view) for node in self.parts]

    def pieces(self, values: list[Any], count: int, text: JsonText) -> list[Piece]:
        """An array."""
        found: list[Piece] = []
        for node, value in zip(self.parts, values, strict=True):
            found += [*node.pieces(value, count, text), b","]
        return [b"[", *found[:-1], b"]"]

    def python(self, values: list[Any], count: int) -> list[Any]:
        """A list for each row."""
        columns = [node.python(each, count) for node, each in zip(self.parts, values, strict=True)]
        return [list(each) for each in zip(*columns, strict=True)]

    def write(self, values: Sequence[Any], view: RowView) -> None:
        """Write the elements of each row's list."""
        good = [isinstance(each, list | tuple) and len(each) == len(self.parts) for each in values]
        for row, fine in enumerate(good):
            if not fine and values[row] is not MISSING:
                view.note(row, self.label, FaultCode.COUNT_MISMATCH, self.offset)
        for at, node in enumerate(self.parts):
            pairs = zip(values, good, strict=True)
            node.write([each[at] if fine else MISSING for each, fine in pairs], view)


def _described(value: Any) -> str:
    """What a value is, without the value: it may be personal data."""
    match value:
        case bool() | None:
            return str(value)
        case str():
            return f"a text of {len(value)} characters"
        case int() | Decimal():
            return f"a number of {len(Decimal(value).as_tuple().digits)} digits"
        case _:
            return f"a {type(value).__name__}"
