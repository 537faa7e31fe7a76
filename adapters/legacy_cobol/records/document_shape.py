"""What members and how many elements a document has."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from adapters.legacy_cobol.copybook.layout import Item
from adapters.legacy_cobol.copybook.placement import Area, CounterNeeded, place
from adapters.legacy_cobol.records.record_type import Path, RecordType


def alike(one: Any, other: Any) -> bool:
    """Whether all members of one are members of the other, in all objects."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(name in other and alike(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return all(map(alike, one, other))
    return True


def counts_of(kind: RecordType, document: Mapping[str, Any]) -> tuple[int, ...]:
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


def members_of(kind: RecordType, area: Area, document: Any) -> frozenset[Path]:
    """The paths of the items and tables whose members the document has."""
    found: set[Path] = set()
    _add_members(kind, area, document, found)
    return frozenset(found)


def _add_members(kind: RecordType, area: Area, value: Any, found: set[Path]) -> None:
    if not isinstance(value, Mapping):
        return
    for child in area.children:
        item = child.item
        if item.filler and child.count is None:
            _add_members(kind, child, value, found)
        elif kind.name_of(item) in value:
            found.add(item.path)
            if child.count is None:
                _add_members(kind, child, value[kind.name_of(item)], found)
