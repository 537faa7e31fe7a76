"""Match selectors against rows, and encode literals."""

from decimal import Decimal
from typing import Any

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Encoding, Kind, National, Text
from adapters.legacy_cobol.copybook.layout import Figurative, Literal, Range, Repeated
from adapters.legacy_cobol.fields.codec import Codec, codec
from adapters.legacy_cobol.fields.columns import Mask, Numbers, Rows
from adapters.legacy_cobol.records.record_type import RecordType

_QUOTE = '"'


class SelectorMatcher:
    """A selector at one offset of the rows."""

    def __init__(
        self, kind: Kind | None, length: int, offset: int, ranges: tuple[Range, ...],
        encoding: Encoding,
    ) -> None:  # fmt: skip
        self.offset, self.length = offset, length
        self._kind: Kind = kind or Text(length)
        self._codec: Codec = codec(self._kind, encoding)
        self._ranges = ranges
        self._encoding = encoding
        self._text = isinstance(self._kind, Text | National)

    @property
    def end(self) -> int:
        """The length that rows must have."""
        return self.offset + self.length

    def holds(self, rows: Rows) -> Mask:
        """Which rows match. A field that cannot be decoded does not match."""
        found = np.zeros(len(rows), bool)
        raw = rows[:, self.offset : self.end]
        column = None if self._text else self._codec.decode(rows, self.offset)
        for each in self._ranges:
            if isinstance(column, Numbers) and not isinstance(each.low, bytes):
                found |= _in_numbers(column, each)
            else:
                found |= self._in_bytes(raw, each)
        return found

    def _in_bytes(self, raw: Rows, one: Range) -> Mask:
        low = literal_bytes(one.low, self._kind, self._encoding)
        if one.high is None:
            same: Mask = (raw == np.frombuffer(low, np.uint8)).all(axis=1)
            return same
        high = literal_bytes(one.high, self._kind, self._encoding)
        size = self.length
        data = raw.tobytes()
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        return np.array([low <= each <= high for each in pieces], bool)


def _in_numbers(column: Numbers, one: Range) -> Mask:
    low = _scaled(one.low, column.scale)
    high = low if one.high is None else _scaled(one.high, column.scale)
    found: Mask = np.asarray((column.data >= low) & (column.data <= high), bool)
    if column.codes is not None:
        found &= column.codes == 0
    return found if column.nulls is None else found & ~column.nulls


def _scaled(literal: Literal, scale: int) -> int | Decimal:
    """The literal in the scale of the column; an int if possible, which numpy compares faster."""
    number = _number(literal).scaleb(scale)
    return int(number) if number == number.to_integral_value() else number


def _number(literal: Literal) -> Decimal:
    if literal is Figurative.ZERO:
        return Decimal(0)
    if isinstance(literal, Decimal | str):
        return Decimal(literal)
    raise ValueError(f"{literal!r} is not a number, but is compared with one")


def literal_bytes(literal: Literal, kind: Kind, encoding: Encoding) -> bytes:
    """The bytes after MOVE literal TO field. Raises ValueError if it does not fit."""
    length = kind.length
    if isinstance(literal, bytes):
        return literal.ljust(length, b"\x00")[:length]
    if literal is Figurative.LOW_VALUE or literal is Figurative.NULL:
        return bytes(length)
    if literal is Figurative.HIGH_VALUE:
        return b"\xff" * length
    return _written(_value(literal, kind), kind, encoding)


def _value(literal: Literal, kind: Kind) -> Any:
    text = isinstance(kind, Text | National)
    size = kind.characters if isinstance(kind, National) else kind.length
    match literal:
        case Figurative.ZERO:
            return "0" * size if text else Decimal(0)
        case Figurative.SPACE:
            return ""
        case Figurative.QUOTE:
            return _QUOTE * size
        case Repeated(text=pattern):
            return (pattern * size)[:size]
        case Decimal() if text:
            return str(literal)
    return literal


def _written(value: Any, kind: Kind, encoding: Encoding) -> bytes:
    worker = codec(kind, encoding)
    row = np.zeros((1, kind.length), np.uint8)
    codes = worker.encode(worker.column([value]), row, 0)
    if codes is not None and codes[0]:
        raise ValueError(f"{value!r} does not fit the field")
    return row.tobytes()


def matches_of(kind: RecordType, encoding: Encoding) -> list[SelectorMatcher]:
    """The matchers of a record type. Raises ValueError for a field without a fixed offset."""
    found = []
    for each in kind.when:
        item = kind.record.find(*each.path)
        if item.moves or any(
            above.occurs
            for above in kind.record.items()
            if above.path == each.path[: len(above.path)]
        ):
            raise ValueError(f"{'.'.join(each.path)} cannot select: it has no fixed offset")
        found.append(SelectorMatcher(item.kind, item.length, item.offset, each.ranges, encoding))
    return found
