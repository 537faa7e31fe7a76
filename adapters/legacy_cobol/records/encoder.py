"""Encode documents to records. Nothing is cut, rounded or guessed."""

from collections.abc import Mapping, Sequence
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
from adapters.legacy_cobol.records.decoded import Decoded
from adapters.legacy_cobol.records.document_shape import alike, counts_of, members_of
from adapters.legacy_cobol.records.plan import Plan
from adapters.legacy_cobol.records.record_ends import shortened, shortest_with
from adapters.legacy_cobol.records.record_type import RecordType
from adapters.legacy_cobol.records.row_view import FaultsByRow, RowView

Document = Mapping[str, Any]
Key = tuple[str, tuple[int, ...], int]  # a record type, its counts, and where the record ends early
_REMEMBERED = 256  # plans


@dataclass(slots=True)
class Encoded:
    """A record for each document; None if `faults` has the reasons why not."""

    records: list[bytes | None]
    faults: FaultsByRow = field(default_factory=dict)


class Encoder:
    """Encodes documents of the declared record types.

    `width`: all records have so many bytes; shorter ones are filled with blanks. 0: each ends with
    its last item.
    """

    def __init__(self, types: Sequence[RecordType], encoding: Encoding, *, width: int = 0) -> None:
        self.types = {each.name: each for each in types}
        self.encoding = encoding
        self._width = width
        self._blank = bytes((sign_table(encoding.zoned_signs).space,))
        self._counting = {
            each.name for each in types if isinstance(place(each.record, ()), CounterNeeded)
        }
        self._plans: dict[Key, Plan] = {}

    def encode(
        self,
        documents: Sequence[Document],
        kinds: str | Sequence[str],
        originals: Sequence[bytes | None] | None = None,
    ) -> Encoded:
        """The records of documents of these types. Raises KeyError for an unknown type.

        `originals` are the records that documents were decoded from. Bytes that a document does
        not change stay the same: FILLER, slack bytes, unusual signs and other REDEFINES included.
        Without an original, or if counters change the length, these have their VALUE, else blanks
        and zeros.
        """
        encoded = Encoded([None] * len(documents))
        groups: dict[Key, list[int]] = {}
        for at, document in enumerate(documents):
            kind = self.types[kinds if isinstance(kinds, str) else kinds[at]]
            try:
                counts = counts_of(kind, document) if kind.name in self._counting else ()
            except CountOutOfBounds as error:
                fault = FieldFault(error.table.name, FaultCode.COUNT_MISMATCH, detail=str(error))
                encoded.faults[at] = [fault]
                continue
            end = 0
            if originals or kind.optional:
                end = self._end(kind, counts, document, originals[at] if originals else None)
            groups.setdefault((kind.name, counts, end), []).append(at)
        for key, index in groups.items():
            self._write(self._plan(key), key[1], index, documents, originals, encoded)
        return encoded

    def initial(self, kind: str) -> bytes:
        """A record of this type with its VALUE clauses, else blanks and zeros, and empty tables."""
        plan = self._plan((kind, counts_of(self.types[kind], {}), 0))
        return plan.blank().ljust(self._width, self._blank)

    def _plan(self, key: Key) -> Plan:
        """The plan of a record with these counts and this end. Raises EndsTooEarly."""
        if key not in self._plans:
            name, counts, end = key
            kind = self.types[name]
            area = place(kind.record, counts)
            assert not isinstance(area, CounterNeeded)  # noqa: S101  (`_counts` answered everything)
            if end:
                area = shortened(area, end, kind)
            if len(self._plans) > _REMEMBERED:
                self._plans.clear()
            self._plans[key] = Plan(kind, self.encoding, area, short=end > 0)
        return self._plans[key]

    def _end(
        self, kind: RecordType, counts: tuple[int, ...], document: Document, original: bytes | None
    ) -> int:
        """Where the record of a document ends early; 0 if it has all its items.

        It ends where the original does, if that has the same members, or else after the last of
        the optional items that the document has.
        """
        if not kind.optional and (original is None or len(original) >= kind.record.maximum_length):
            return 0
        area = self._plan((kind.name, counts, 0)).area
        short = original is not None and len(original) < area.end
        if short and self._same_members(kind, counts, document, original or b""):
            return len(original or b"")
        if not kind.optional:
            return 0
        end = shortest_with(area, members_of(kind, area, document), kind)
        return end if end < shortest_with(area, kind.members.keys(), kind) else 0

    def _same_members(
        self, kind: RecordType, counts: tuple[int, ...], document: Document, original: bytes
    ) -> bool:
        """Whether an original that ends early is good, and has the members of the document."""
        try:
            short = self._plan((kind.name, counts, len(original)))
        except ValueError:
            return False
        view = RowView(np.frombuffer(original, np.uint8).reshape(1, -1))
        (found,) = short.node.python(short.node.read(view), 1)
        return not view.faults and alike(found, document) and alike(document, found)

    def _write(
        self, plan: Plan, counts: tuple[int, ...], index: list[int],
        documents: Sequence[Document], originals: Sequence[bytes | None] | None, encoded: Encoded,
    ) -> None:  # fmt: skip
        given = [documents[at] for at in index]
        blank = plan.blank().ljust(self._width, self._blank)
        kept = np.zeros(len(index), bool)
        wholes = [blank] * len(index)
        for row, at in enumerate(index if originals else ()):
            base = self._base(plan, counts, originals[at] if originals else None)
            if base is not None:
                kept[row], wholes[row] = True, base
        raw = b"".join([each[: plan.length] for each in wholes])
        rows = np.frombuffer(bytearray(raw), np.uint8).reshape(len(given), plan.length)
        view = RowView(rows, kept=kept)
        plan.node.write(given, view)
        self._check_counters(plan, counts, view)
        if plan.chooses:
            _check_choices(plan, given, view)
        for row, at in enumerate(index):
            if row in view.faults:
                encoded.faults[at] = view.faults[row]
            else:
                encoded.records[at] = rows[row].tobytes() + wholes[row][plan.length :]

    def _base(self, plan: Plan, counts: tuple[int, ...], original: bytes | None) -> bytes | None:
        """The original, if its items are where those of the new record will be."""
        if original is None or len(original) == plan.length:
            return original
        if len(original) != self._width or len(original) < plan.length:
            return None
        row = np.frombuffer(original, np.uint8).reshape(1, -1)
        for known, count in enumerate(counts):
            _, values = self._counter(plan, counts[:known], row)
            if values[0] != count:
                return None
        return original

    def _counter(
        self, plan: Plan, counts: tuple[int, ...], rows: Rows
    ) -> tuple[CounterNeeded, NDArray[Any]]:
        """The counter after the known ones, and its values."""
        needed = place(plan.kind.record, counts)
        assert isinstance(needed, CounterNeeded)  # noqa: S101
        assert needed.item.kind is not None  # noqa: S101
        column = codec(needed.item.kind, self.encoding).decode(rows, needed.offset)
        assert isinstance(column, Numbers)  # noqa: S101
        return needed, column.data

    def _ends_before(self, plan: Plan, counts: tuple[int, ...]) -> bool:
        """Whether a record ends before the counter after the known ones."""
        needed = place(plan.kind.record, counts)
        return isinstance(needed, CounterNeeded) and needed.offset >= plan.length

    def _check_counters(self, plan: Plan, counts: tuple[int, ...], view: RowView) -> None:
        """Check that every counter equals the number of written elements."""
        for known, count in enumerate(counts):
            if self._ends_before(plan, counts[:known]):
                return
            needed, values = self._counter(plan, counts[:known], view.rows)
            for row in np.flatnonzero(values != count).tolist():
                if row not in view.faults:
                    label = ".".join(needed.item.path[1:])
                    detail = f"{values[row]}, but {needed.table.name} has {count} elements"
                    view.note(row, label, FaultCode.COUNT_MISMATCH, needed.offset, detail=detail)


def originals_needed(decoded: Decoded, encoder: Encoder) -> list[bytes | None]:
    """The bytes of good records that cannot be restored from their documents alone."""
    documents = decoded.documents()
    good = [at for at, document in enumerate(documents) if document is not None]
    kinds = decoded.kinds()
    out: list[bytes | None] = [None] * len(documents)
    again = encoder.encode([documents[at] or {} for at in good], [kinds[at] or "" for at in good])
    for at, record in zip(good, again.records, strict=True):
        raw = decoded.chunk.raw(at)
        out[at] = None if record == raw else raw
    return out


def _check_choices(plan: Plan, given: Sequence[Document], view: RowView) -> None:
    """Check that the selectors choose the alternatives that the documents have."""
    inner = RowView(view.rows.copy())
    back = plan.node.python(plan.node.read(inner), len(given))
    for row, (document, found) in enumerate(zip(given, back, strict=True)):
        if row not in view.faults and not alike(document, found):
            detail = "the selecting fields choose another variant than that of the document"
            view.note(row, "(record)", FaultCode.NO_VARIANT, 0, detail=detail)
