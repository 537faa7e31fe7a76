"""Parent and child records as one document, like IMS segments or header and detail lines."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Segment:
    """Records of type `kind` belong to the last record of type `parent`, in its list `name`."""

    kind: str
    parent: str
    name: str


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A record: its number, type and document (None if it was rejected)."""

    number: int
    kind: str | None
    document: Document | None


@dataclass(slots=True)
class AssembledEvent:
    """A root record with all its segments. `broken` are the numbers of bad records in it.

    With any broken record, all of `numbers` must be rejected.
    """

    kind: str | None
    document: Document | None
    numbers: list[int] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)


class SegmentTree:
    """Joins records by declared segments. Raises ValueError if these are not a tree."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._parents = {each.kind: each for each in segments}
        if len(self._parents) != len(segments):
            raise ValueError("a record type has two parents, but may have one")
        for each in segments:
            self._depth(each.kind)

    def _depth(self, kind: str) -> int:
        depth = 0
        while kind in self._parents:
            kind, depth = self._parents[kind].parent, depth + 1
            if depth > len(self._parents):
                raise ValueError(f"{kind} is its own ancestor, but segments must form a tree")
        return depth

    def join(self, records: Iterable[SegmentRecord]) -> Iterator[AssembledEvent]:
        """Whole events in the order of their roots. A child without a parent is alone and broken.

        A rejected record belongs to the event before it, whatever its type.
        """
        event: AssembledEvent | None = None
        last: dict[str, Document] = {}
        for record in records:
            if record.kind is not None and record.kind not in self._parents:
                if event is not None:
                    yield event
                event, last = AssembledEvent(record.kind, record.document), {}
            elif event is None:
                yield AssembledEvent(record.kind, record.document, [record.number], [record.number])
                continue
            self._add(record, event, last)
        if event is not None:
            yield event

    def _add(self, record: SegmentRecord, event: AssembledEvent, last: dict[str, Document]) -> None:
        event.numbers.append(record.number)
        if record.document is None or record.kind is None:
            event.broken.append(record.number)
            return
        segment = self._parents.get(record.kind)
        if segment is not None:
            parent = last.get(segment.parent)
            if parent is None:
                event.broken.append(record.number)
                return
            parent.setdefault(segment.name, []).append(record.document)
        last[record.kind] = record.document
        for kind in [each for each in last if self._depth(each) > self._depth(record.kind)]:
            del last[kind]

    def split(self, kind: str, document: Mapping[str, Any]) -> Iterator[tuple[str, Document]]:
        """The records of an event: each parent before its children."""
        children = [each for each in self._parents.values() if each.parent == kind]
        names = {each.name for each in children}
        yield kind, {name: value for name, value in document.items() if name not in names}
        for each in children:
            for child in document.get(each.name, ()):
                yield from self.split(each.kind, child)
