"""Records that end before the last item of their layout.

Two kinds of records do: those of which the variant of a REDEFINES at the end is shorter than
another one, and those without the optional items at their end.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from adapters.legacy_cobol.copybook.layout import families
from adapters.legacy_cobol.copybook.placement import Area
from adapters.legacy_cobol.records.record_type import RecordType


class EndsTooEarly(ValueError):
    """A record ends where its layout does not allow it. The text says before or in which item."""


def shortened(area: Area, end: int, kind: RecordType) -> Area:
    """The positions in a record of `end` bytes, without the items after them.

    Variants of shared bytes stay, although they may be longer. Raises EndsTooEarly.
    """
    return replace(area, length=end, children=tuple(_kept(area.children, end, kind)))


def shortest_with(area: Area, members: Collection[tuple[str, ...]], kind: RecordType) -> int:
    """The shortest end of a record with these items and tables, given by their paths."""
    found = 0
    for each in area.children:
        if each.count is None and each.children:
            found = max(found, shortest_with(each, members, kind))
        elif each.item.path in members or not kind.is_optional(each.item):
            found = max(found, each.end)
    return found


def _kept(children: tuple[Area, ...], end: int, kind: RecordType) -> Iterator[Area]:
    for family in families(children):
        first = family[0]
        empty = all(each.end <= end for each in family)  # a table without an occurrence, perhaps
        if first.offset >= end and (kind.is_optional(first.item) or not empty):
            if not kind.is_optional(first.item):
                raise EndsTooEarly(f"it ends before {first.item.name}")
        elif len(family) > 1 and any(each.item.path in kind.variants for each in family):
            yield from family
        else:
            shown = next((each for each in family if not each.item.filler), first)
            ends = [each.end for each in family]
            if shown.end < end < max(ends) and end not in ends:
                raise EndsTooEarly(f"it ends inside what redefines {first.item.name}")
            yield _cut(shown, end, kind)


def _cut(area: Area, end: int, kind: RecordType) -> Area:
    if area.end <= end:
        return area
    if area.item.kind is not None or area.count is not None or area.uneven or not area.children:
        raise EndsTooEarly(f"it ends inside {area.item.name}")
    children = tuple(_kept(area.children, end, kind))
    return replace(area, length=end - area.offset, children=children)
