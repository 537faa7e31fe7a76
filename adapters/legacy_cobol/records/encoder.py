"""Encode documents to records. Nothing is cut, rounded or guessed."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Encoding
from adapters.legacy_cobol.copybook.layout import Item
from adapters.legacy_cobol.copybook.placement import CounterNeeded, CountOutOfBounds, place
from adapters.legacy_cobol.fields.codec import codec
from adapters.legacy_cobol.fields.codes import FaultCode, FieldFault
from adapters.legacy_cobol.fields.columns import Numbers
from adapters.legacy_cobol.records.decoder import Decoded
from adapters.legacy_cobol.records.plan import Plan
from adapters.legacy_cobol.records.record_type import Path, RecordType
from adapters.legacy_cobol.records.row_view import FaultsByRow, RowView

Document = Mapping[str, Any]


@dataclass(slots=True)
class Encoded:
    """A record for each document; None if `faults` has the reasons why not."""

    records: list[bytes | None]
    faults: FaultsByRow = field(default_factory=dict)


class Encoder:
    """Encodes documents of the declared record types."""

    def __init__(self, types: Sequence[RecordType], encoding: Encoding) -> None:
        self.types = {each.name: each for each in types}
        self.encoding = encoding
        self._counting = {
            each.name for each in types if isinstance(place(each.record, ()), CounterNeeded)
        }
        self._plans: dict[tuple[str, tuple[int, ...]], Plan] = {}

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
        groups: dict[tuple[str, tuple[int, ...]], list[int]] = {}
        for at, document in enumerate(documents):
            kind = self.types[kinds if isinstance(kinds, str) else kinds[at]]
            try:
                counts = _counts(kind, document) if kind.name in self._counting else ()
            except CountOutOfBounds as error:
                fault = FieldFault(error.table.name, FaultCode.COUNT_MISMATCH, detail=str(error))
                encoded.faults[at] = [fault]
                continue
            groups.setdefault((kind.name, counts), []).append(at)
        for (name, counts), index in groups.items():
            self._write(self._plan(name, counts), counts, index, documents, originals, encoded)
        return encoded

    def _plan(self, name: str, counts: tuple[int, ...]) -> Plan:
        key = (name, counts)
        if key not in self._plans:
            area = place(self.types[name].record, counts)
            assert not isinstance(area, CounterNeeded)  # noqa: S101  (`_counts` answered everything)
            self._plans[key] = Plan(self.types[name], self.encoding, area)
        return self._plans[key]

    def _write(
        self, plan: Plan, counts: tuple[int, ...], index: list[int],
        documents: Sequence[Document], originals: Sequence[bytes | None] | None, encoded: Encoded,
    ) -> None:  # fmt: skip
        given = [documents[at] for at in index]
        bases = [originals[at] if originals else None for at in index]
        kept = np.array([each is not None and len(each) == plan.length for each in bases], bool)
        blank = plan.blank()
        raw = b"".join(
            base if keep and base else blank for base, keep in zip(bases, kept, strict=True)
        )
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
                encoded.records[at] = rows[row].tobytes()

    def _check_counters(self, plan: Plan, counts: tuple[int, ...], view: RowView) -> None:
        """Check that every counter equals the number of written elements."""
        for known, count in enumerate(counts):
            needed = place(plan.kind.record, counts[:known])
            assert isinstance(needed, CounterNeeded)  # noqa: S101
            assert needed.item.kind is not None  # noqa: S101
            column = codec(needed.item.kind, self.encoding).decode(view.rows, needed.offset)
            assert isinstance(column, Numbers)  # noqa: S101
            for row in np.flatnonzero(column.data != count).tolist():
                if row not in view.faults:
                    label = ".".join(needed.item.path[1:])
                    detail = f"{column.data[row]}, but {needed.table.name} has {count} elements"
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
        if row not in view.faults and not _alike(document, found):
            detail = "the selecting fields choose another variant than that of the document"
            view.note(row, "(record)", FaultCode.NO_VARIANT, 0, detail=detail)


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(name in other and _alike(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return all(map(_alike, one, other))
    return True


def _counts(kind: RecordType, document: Document) -> tuple[int, ...]:
    """The counts of the tables, in the order in which `place` needs them.

    Raises CountOutOfBounds.
    """
    queues: dict[Path, deque[int]] = {}
    _count_lists(kind, kind.record.root, document, queues)
    counts: tuple[int, ...] = ()
    while isinstance(needed := place(kind.record, counts), CounterNeeded):
        queue = queues.get(needed.table.path)
        counts = (*counts, queue.popleft() if queue else needed.minimum)
    return counts


def _count_lists(kind: RecordType, item: Item, value: Any, queues: dict[Path, deque[int]]) -> None:
    if not isinstance(value, Mapping):
        return
    for child in item.children:
        if child.filler and child.occurs is None:
            _count_lists(kind, child, value, queues)
            continue
        inner = value.get(kind.name_of(child))
        if child.occurs is None:
            _count_lists(kind, child, inner, queues)
            continue
        elements = inner if isinstance(inner, list | tuple) else ()
        queues.setdefault(child.path, deque()).append(len(elements))
        for element in elements:
            _count_lists(kind, child, element, queues)
