"""The records of a file one after the other, each with its document, its faults and its bytes."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import msgspec

from adapters.legacy_cobol.fields.codes import FieldFault
from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.mapping.record_types import Role
from adapters.legacy_cobol.records.chunk_reader import ResumePoint, chunks
from adapters.legacy_cobol.records.chunks import Chunk
from adapters.legacy_cobol.records.decoder import Decoded, Decoder
from adapters.legacy_cobol.records.framing import Framing, FramingError, Lines
from adapters.legacy_cobol.records.segments import SegmentRecord, SegmentTree

Document = dict[str, Any]
MOST_PARTS = 50_000  # records of one event: an event of the bus has 1 MiB at most
PIECE = 1 << 20  # bytes read at once: a unit takes many times the room of its bytes
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a record, for a person. `offset` counts from the start of the record."""

    field: str
    code: str
    advice: str
    offset: int | None = None
    hex: str = ""
    detail: str = ""

    @staticmethod
    def of(fault: FieldFault) -> "Fault":
        """The same of a codec's fault."""
        return Fault(
            fault.field, fault.code.label, fault.code.advice, fault.offset, fault.raw.hex(),
            fault.detail,
        )  # fmt: skip


class SourceRecord(msgspec.Struct, frozen=True, gc=False):
    """A record, or a root record with those below it. (A million of them are made in a minute.)

    `text` is JSON; with faults it has values of the good fields only. `place` is where reading
    goes on behind it.
    """

    number: int
    offset: int
    kind: str | None
    text: bytes
    raw: bytes
    place: tuple[ResumePoint, int]
    faults: tuple[Fault, ...] = ()
    parts: "tuple[SourceRecord, ...]" = ()

    @property
    def records(self) -> "tuple[SourceRecord, ...]":
        """The records that it is made of."""
        return self.parts or (self,)

    @property
    def behind(self) -> ResumePoint:
        """Where reading goes on."""
        base, count = self.place
        return ResumePoint(base.number, base.offset, base.skip + count)

    def document(self) -> Document:
        """Its values, numbers exact."""
        found: Document = json.loads(self.text, parse_float=Decimal)
        return found


class SourceReader:
    """Reads files by a layout. Raises ValueError where its parts do not suit each other."""

    def __init__(self, layout: Layout, framing: Framing) -> None:
        self.layout = layout
        self.framing = framing
        body = framing.body
        padded = isinstance(body, Lines) and body.trimmed
        types = [each.type for each in layout.records]
        self.decoder = Decoder(types, layout.encoding, padded=padded)
        segments = [each.segment for each in layout.records if each.segment is not None]
        self._control = {each.type.name for each in layout.records if each.role is Role.CONTROL}
        self._assembly = SegmentTree(segments) if segments else None

    def pieces(
        self, file: Path, start: ResumePoint | None = None, size: int = PIECE
    ) -> Iterator[Sequence[SourceRecord]]:
        """The records of a file, piece by piece, in flat memory. Raises FramingError."""
        found = self._records(file, start, size)
        return found if self._assembly is None else self._assembled(found, self._assembly)

    def _records(
        self, file: Path, start: ResumePoint | None, size: int
    ) -> Iterator[Sequence[SourceRecord]]:
        with file.open("rb") as opened:
            for chunk in chunks(opened, self.framing, start, size):
                resumed = start is not None and start.skip and chunk.offset == start.offset
                base = start if resumed and start else ResumePoint(chunk.number, chunk.offset)
                yield source_records_of(self.decoder.decode(chunk), base)

    def _assembled(
        self, pieces: Iterator[Sequence[SourceRecord]], assembly: SegmentTree
    ) -> Iterator[Sequence[SourceRecord]]:
        """Whole events; control records stay alone, and nothing belongs to them."""
        units = chain.from_iterable(pieces)
        for control, run in groupby(units, lambda unit: unit.kind in self._control):
            if control:
                yield list(run)
            else:
                yield from _joined(run, assembly)


def _joined(
    units: Iterable[SourceRecord], assembly: SegmentTree
) -> Iterator[Sequence[SourceRecord]]:
    waiting: dict[int, SourceRecord] = {}

    def reads() -> Iterator[SegmentRecord]:
        for unit in units:
            waiting[unit.number] = unit
            if len(waiting) > MOST_PARTS:
                raise _endless(waiting[min(waiting)])
            yield SegmentRecord(unit.number, unit.kind, None if unit.faults else unit.document())

    for each in assembly.join(reads()):
        parts = tuple(waiting.pop(number) for number in each.numbers)
        first, last = parts[0], parts[-1]
        if each.broken:
            parts = tuple(_marked(part, set(each.broken), first.number) for part in parts)
        text = first.text if each.document is None else _encode(each.document)
        faults = parts[0].faults
        yield (
            SourceRecord(
                first.number, first.offset, each.kind, text, first.raw, last.place, faults, parts
            ),
        )  # fmt: skip


def _endless(root: SourceRecord) -> FramingError:
    return FramingError(
        root.offset,
        f"more than {MOST_PARTS:,} records belong to the event of record {root.number}",
        "Check the selectors of its parent, or publish the parts on their own",
    )


def _marked(part: SourceRecord, broken: set[int], root: int) -> SourceRecord:
    """A record of an event that is none, with why."""
    if part.faults:
        return part
    if part.number in broken:
        fault = Fault("(record)", "no-parent", "Send the record that it belongs to before it.")
    else:
        advice = "Correct the other records of the same event and send them all again."
        fault = Fault("(record)", "part-of-rejected", advice, detail=f"of the event at {root}")
    return SourceRecord(
        part.number, part.offset, part.kind, part.text, part.raw, part.place, (fault,)
    )  # fmt: skip


def source_records_of(decoded: Decoded, base: ResumePoint) -> list[SourceRecord]:
    """The records of a chunk in their order. `base` is where the first one is."""
    chunk = decoded.chunk
    texts: list[bytes] = [b"{}"] * len(chunk)
    kinds: list[str | None] = [None] * len(chunk)
    for part in decoded.parts:
        lines = part.lines().split(b"\n")
        for at, line in zip(part.index.tolist(), lines, strict=False):
            texts[at] = line
            kinds[at] = part.kind.name
    faults = {at: tuple(map(Fault.of, found)) for at, found in decoded.faults.items()}
    none: tuple[Fault, ...] = ()
    return [
        SourceRecord(
            chunk.number + at, offset, kinds[at], texts[at], raw, (base, at + 1),
            faults.get(at, none),
        )
        for at, (offset, raw) in enumerate(_raws(chunk))
    ]  # fmt: skip


def _raws(chunk: Chunk) -> Iterator[tuple[int, bytes]]:
    data = chunk.data.tobytes()
    places = chunk.offsets.tolist(), chunk.starts.tolist(), chunk.lengths.tolist()
    for offset, start, length in zip(*places, strict=True):
        yield offset, data[start : start + length]
