"""Decoded records: columns, documents and rejects."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.codes import FieldFault
from adapters.legacy_cobol.records.chunks import Chunk
from adapters.legacy_cobol.records.json_text import JsonText, Piece
from adapters.legacy_cobol.records.plan import Plan
from adapters.legacy_cobol.records.record_type import RecordType
from adapters.legacy_cobol.records.row_view import FaultsByRow

Index = NDArray[np.intp]


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
