"""The length of a record without a descriptor word: from its type and its counters."""

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Encoding
from adapters.legacy_cobol.copybook.placement import CounterNeeded, CountOutOfBounds, place
from adapters.legacy_cobol.fields.codec import Codec, codec
from adapters.legacy_cobol.fields.columns import Numbers
from adapters.legacy_cobol.records.framing import FramingError
from adapters.legacy_cobol.records.record_type import RecordType
from adapters.legacy_cobol.records.selectors import SelectorMatcher, matches_of

_REMEMBERED = 2_000  # of counters with their positions, which are large with tables in tables
_REMEDY = "Correct the record. The position of the next record is unknown"


class RecordLength:
    """Measures records for `framing.SelfDelimiting`, and caches selectors and counters."""

    def __init__(self, types: tuple[RecordType, ...], encoding: Encoding) -> None:
        self._types = types
        self._encoding = encoding
        self._matches: list[list[SelectorMatcher]] = [matches_of(each, encoding) for each in types]
        spans = {(each.offset, each.end) for found in self._matches for each in found}
        self._spans = sorted(spans)
        self._width = max((end for _, end in spans), default=0)
        self._chosen: dict[tuple[bytes, ...], int] = {}
        self._counted: dict[tuple[int, tuple[int, ...], bytes], int] = {}
        self._places: dict[tuple[int, tuple[int, ...]], CounterNeeded | int] = {}
        self._codecs: dict[tuple[str, ...], Codec] = {}

    def __call__(self, data: bytes, at: int) -> int | None:
        """The length of the record at `at`; None if the bytes end first. Raises FramingError."""
        number = self._choose(data, at)
        counts: tuple[int, ...] = ()
        while number is not None:
            where = self._place(number, counts, at)
            if isinstance(where, int):
                return where
            raw = data[at + where.offset : at + where.offset + where.item.length]
            if len(raw) < where.item.length:
                return None
            counts = (*counts, self._count(number, counts, where, raw, at))
        return None

    def _choose(self, data: bytes, at: int) -> int | None:
        """The record type; None if the bytes end before its selecting fields."""
        key = tuple([data[at + start : at + end] for start, end in self._spans])
        found = self._chosen.get(key)
        if found is not None:
            return found
        head = data[at : at + self._width]
        row = np.frombuffer(head.ljust(self._width, b"\x00"), np.uint8)[None]
        for number, matches in enumerate(self._matches):
            if all(each.end <= len(head) and each.holds(row)[0] for each in matches):
                if len(self._chosen) > _REMEMBERED:
                    self._chosen.clear()
                self._chosen[key] = number
                return number
        if len(head) < self._width:
            return None
        raise FramingError(at, f"no record type matches (hex {head[:2].hex()}...)", _REMEDY)

    def _place(self, number: int, counts: tuple[int, ...], at: int) -> CounterNeeded | int:
        key = (number, counts)
        found = self._places.get(key)
        if found is None:
            try:
                area = place(self._types[number].record, counts)
            except CountOutOfBounds as error:
                raise FramingError(at, str(error), _REMEDY) from None
            found = area if isinstance(area, CounterNeeded) else area.end
            if len(self._places) > _REMEMBERED:
                self._places.clear()
            self._places[key] = found
        return found

    def _count(
        self, number: int, counts: tuple[int, ...], needed: CounterNeeded, raw: bytes, at: int
    ) -> int:
        key = (number, counts, raw)
        found = self._counted.get(key)
        if found is None:
            found = self._read(needed, raw, at)
            if len(self._counted) > _REMEMBERED:
                self._counted.clear()
            self._counted[key] = found
        return found

    def _read(self, needed: CounterNeeded, raw: bytes, at: int) -> int:
        item = needed.item
        assert item.kind is not None  # noqa: S101  (a counter is elementary)
        worker = self._codecs.setdefault(item.path, codec(item.kind, self._encoding))
        column = worker.decode(np.frombuffer(raw, np.uint8)[None], 0)
        assert isinstance(column, Numbers)  # noqa: S101
        value = int(column.data[0])
        good = column.codes is None or not column.codes[0]
        if good and needed.minimum <= value <= needed.maximum:
            return value
        stated = f"is {value}" if good else "is not a number"
        raise FramingError(
            at + needed.offset,
            f"{item.name} {stated} (hex {raw.hex()}), but {needed.table.name} occurs "
            f"{needed.minimum} to {needed.maximum} times",
            _REMEDY,
        )
