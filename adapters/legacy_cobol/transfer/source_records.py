"""Read the records of a file: each with its document, its faults and its bytes."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import msgspec

from adapters.legacy_cobol.fields.codes import FieldFault
from adapters.legacy_cobol.mapping.codecs import decoder_of
from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.mapping.record_types import Role
from adapters.legacy_cobol.records.chunk_reader import ResumePoint, chunks
from adapters.legacy_cobol.records.chunks import Chunk
from adapters.legacy_cobol.records.decoded import Decoded, DecodedReject
from adapters.legacy_cobol.records.framing import Framing, FramingError
from adapters.legacy_cobol.records.segments import SegmentRecord, SegmentTree

Document = dict[str, Any]
MOST_PARTS = 50_000  # records of one event; an event has 1 MiB at most
READ_SIZE = 1 << 20  # bytes read at once; a record takes many times its bytes in memory
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a record, for people. `offset` counts from the start of the record."""

    field: str
    code: str
    advice: str
    offset: int | None = None
    hex: str = ""
    detail: str = ""

    @staticmethod
    def of(fault: FieldFault) -> "Fault":
        """The fault that a codec found."""
        return Fault(
            fault.field, fault.code.label, fault.code.advice, fault.offset, fault.hidden,
            fault.detail,
        )  # fmt: skip


class SourceRecord(msgspec.Struct, frozen=True, gc=False):
    """A record, or a root record with its segments. (A million of them are made in a minute.)

    `text` is its document in JSON; of a record with faults, only the good fields. `origin` is
    where its chunk begins, and how many records of the chunk end with this one.
    """

    number: int
    offset: int
    kind: str | None
    text: bytes
    raw: bytes
    origin: tuple[ResumePoint, int]
    faults: tuple[Fault, ...] = ()
    parts: "tuple[SourceRecord, ...]" = ()

    @property
    def records(self) -> "tuple[SourceRecord, ...]":
        """Its records: the parts, or itself."""
        return self.parts or (self,)

    @property
    def after(self) -> ResumePoint:
        """Where to resume reading after it."""
        base, count = self.origin
        return ResumePoint(base.number, base.offset, base.skip + count)

    def document(self) -> Document:
        """Its document, with exact numbers."""
        found: Document = json.loads(self.text, parse_float=Decimal)
        return found


@dataclass(frozen=True, slots=True)
class SourceLines:
    """Records that were read together: the good ones as JSON lines, and the rejected ones.

    `end` is where the last of them begins in the file.
    """

    text: bytes
    rejected: Sequence[SourceRecord]
    end: int


class SourceReader:
    """Reads files by a layout. Raises ValueError for a layout that contradicts itself."""

    def __init__(self, layout: Layout, framing: Framing) -> None:
        self.layout = layout
        self.framing = framing
        self.decoder = decoder_of(layout, framing)
        segments = [each.segment for each in layout.records if each.segment is not None]
        self._control = {each.type.name for each in layout.records if each.role is Role.CONTROL}
        self._assembly = SegmentTree(segments) if segments else None

    def read(
        self, file: Path, start: ResumePoint | None = None, size: int = READ_SIZE
    ) -> Iterator[Sequence[SourceRecord]]:
        """The records of a file, batch by batch, in constant memory. Raises FramingError."""
        found = self._records(file, start, size)
        return found if self._assembly is None else self._assembled(found, self._assembly)

    def lines(self, file: Path, *, typed: bool = False) -> Iterator[SourceLines]:
        """The records of a file as JSON lines, in constant memory. Raises FramingError.

        `typed`: each line has the type of its record beside the document.
        """
        if self._assembly is not None:
            yield from map(_typed_lines if typed else _plain_lines, self.read(file))
            return
        with file.open("rb") as opened:
            for chunk in chunks(opened, self.framing, size=self.decoder.read_size):
                decoded = self.decoder.decode(chunk)
                rejected = [_rejected_record(each, chunk) for each in decoded.rejects()]
                yield SourceLines(decoded.ndjson(typed=typed), rejected, int(chunk.offsets[-1]))

    def originals(self, file: Path) -> Iterator[SourceLines]:
        """The records of a file as typed JSON lines with their original bytes in hex."""
        return map(_with_originals, self.read(file))

    def _records(
        self, file: Path, start: ResumePoint | None, size: int
    ) -> Iterator[Sequence[SourceRecord]]:
        with file.open("rb") as opened:
            size = min(size, self.decoder.read_size)
            for chunk in chunks(opened, self.framing, start, size):
                resumed = start is not None and start.skip and chunk.offset == start.offset
                base = start if resumed and start else ResumePoint(chunk.number, chunk.offset)
                yield source_records_of(self.decoder.decode(chunk), base)

    def _assembled(
        self, batches: Iterator[Sequence[SourceRecord]], assembly: SegmentTree
    ) -> Iterator[Sequence[SourceRecord]]:
        """Whole events. A control record stays alone and ends the event before it."""
        records = chain.from_iterable(batches)
        for control, run in groupby(records, lambda record: record.kind in self._control):
            if control:
                yield list(run)
            else:
                yield from _joined(run, assembly)


def _plain_lines(batch: Sequence[SourceRecord]) -> SourceLines:
    return _lines_of(batch, lambda record: record.text)


def _typed_lines(batch: Sequence[SourceRecord]) -> SourceLines:
    return _lines_of(batch, _typed)


def _with_originals(batch: Sequence[SourceRecord]) -> SourceLines:
    return _lines_of(batch, lambda record: _typed(record, original=not record.parts))


def _lines_of(batch: Sequence[SourceRecord], line: Callable[[SourceRecord], bytes]) -> SourceLines:
    text = b"".join(line(each) + b"\n" for each in batch if not each.faults)
    return SourceLines(text, [each for each in batch if each.faults], batch[-1].offset)


def _typed(record: SourceRecord, *, original: bool = False) -> bytes:
    raw = b',"original":"%b"' % record.raw.hex().encode() if original else b""
    return b'{"record":%b,"data":%b%b}' % (json.dumps(record.kind).encode(), record.text, raw)


def _rejected_record(found: DecodedReject, chunk: Chunk) -> SourceRecord:
    origin = ResumePoint(chunk.number, chunk.offset), found.number - chunk.number + 1
    faults = tuple(map(Fault.of, found.faults))
    return SourceRecord(
        found.number, found.offset, found.kind, b"{}", found.raw, origin, faults
    )  # fmt: skip


def _joined(
    records: Iterable[SourceRecord], assembly: SegmentTree
) -> Iterator[Sequence[SourceRecord]]:
    waiting: dict[int, SourceRecord] = {}

    def reads() -> Iterator[SegmentRecord]:
        for record in records:
            waiting[record.number] = record
            if len(waiting) > MOST_PARTS:
                raise _too_many_parts(waiting[min(waiting)])
            yield SegmentRecord(
                record.number, record.kind, None if record.faults else record.document()
            )

    for each in assembly.join(reads()):
        parts = tuple(waiting.pop(number) for number in each.numbers)
        first, last = parts[0], parts[-1]
        if each.broken:
            parts = tuple(_rejected(part, set(each.broken), first.number) for part in parts)
        text = first.text if each.document is None else _encode(each.document)
        faults = parts[0].faults
        yield (
            SourceRecord(
                first.number, first.offset, each.kind, text, first.raw, last.origin, faults, parts
            ),
        )  # fmt: skip


def _too_many_parts(root: SourceRecord) -> FramingError:
    return FramingError(
        root.offset,
        f"more than {MOST_PARTS:,} records belong to the event of record {root.number}",
        "Check the selectors of its parent, or publish the records as events of their own",
    )


def _rejected(part: SourceRecord, broken: set[int], root: int) -> SourceRecord:
    """A record of an event that is rejected, with the reason."""
    if part.faults:
        return part
    if part.number in broken:
        fault = Fault("(record)", "no-parent", "Send its parent record before it.")
    else:
        advice = "Correct the other records of the same event, and send them all again."
        fault = Fault("(record)", "part-of-rejected", advice, detail=f"of the event at {root}")
    return SourceRecord(
        part.number, part.offset, part.kind, part.text, part.raw, part.origin, (fault,)
    )  # fmt: skip


def source_records_of(decoded: Decoded, base: ResumePoint) -> list[SourceRecord]:
    """The records of a chunk in order. `base` is where the chunk begins."""
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
    columns = chunk.offsets.tolist(), chunk.begins.tolist(), chunk.lengths.tolist()
    for offset, start, length in zip(*columns, strict=True):
        yield offset, data[start : start + length]
