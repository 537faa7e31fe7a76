"""The plan of a record with known counts: the nodes that read and write it."""

from dataclasses import dataclass, field

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Encoding, Kind, National, Text
from adapters.legacy_cobol.copybook.layout import Figurative, Item, families
from adapters.legacy_cobol.copybook.placement import Area
from adapters.legacy_cobol.fields.codec import codec
from adapters.legacy_cobol.fields.codepages import CodePage
from adapters.legacy_cobol.fields.text import TextCodec
from adapters.legacy_cobol.records.groups import (
    Alternative,
    Group,
    Members,
    RedefinesChoice,
    SelectorTest,
)
from adapters.legacy_cobol.records.json_text import JsonLines
from adapters.legacy_cobol.records.nodes import Leaf, Node, Table, VariableTable
from adapters.legacy_cobol.records.record_type import Path, RecordType, Selector
from adapters.legacy_cobol.records.selectors import SelectorMatcher, literal_bytes


@dataclass(frozen=True, slots=True)
class _Enclosing:
    """What encloses an item: its area, the number of tables around, and where rows begin."""

    area: Area
    depth: int
    origin: int


@dataclass
class Plan:
    """The nodes of one record type for one set of counts.

    A `short` record ends early: with the variant of shared bytes that it has.
    """

    kind: RecordType
    encoding: Encoding
    area: Area
    short: bool = False
    node: Group = field(init=False)
    json: JsonLines = field(init=False)
    chooses: bool = field(
        default=False, init=False
    )  # selectors decide between variants of a REDEFINES

    def __post_init__(self) -> None:
        self._page: CodePage | None = None
        place = _Enclosing(self.area, 0, 0)
        if self.area.item.kind is None:
            self.node = Group("", 0, self._members(self.area, (place,)))
        else:
            leaf = self._leaf(self.area, place)
            self.node = Group("", 0, ((self.kind.name_of(self.area.item), leaf),))
        self.json = JsonLines(self._page)

    @property
    def length(self) -> int:
        """The length of the record."""
        return self.area.end

    def blank(self) -> bytes:
        """The initial bytes of a record: VALUE clauses, else blanks and zeros."""
        row = np.zeros(self.length, np.uint8)
        _initialise(self.area, 0, row, self.encoding)
        return row.tobytes()

    def _members(self, area: Area, around: tuple[_Enclosing, ...]) -> Members:
        found: list[tuple[str, Node]] = []
        for family in families(area.children):
            if len(family) > 1:
                found += self._shared(family, around)
            else:
                found += self._member(family[0], around)
        return tuple(found)

    def _member(self, area: Area, around: tuple[_Enclosing, ...]) -> Members:
        """No member for a FILLER, those of its children for a FILLER group, else the item."""
        item = area.item
        if item.filler and area.count is None and not area.uneven:
            return () if item.kind else self._members(area, (*around, _within(area, around)))
        return ((self.kind.name_of(item), self._node(area, around)),)

    def _node(self, area: Area, around: tuple[_Enclosing, ...]) -> Node:
        label, here = _label(area.item), around[-1]
        offset = area.offset - here.origin
        if area.uneven:
            parts = tuple(self._one(each, around) for each in area.uneven)
            return VariableTable(label, offset, parts)
        if area.count is None:
            return self._one(area, around)
        inner = _Enclosing(area, here.depth + 1, area.offset)
        element = self._one(area, (*around, inner), entered=True)
        return Table(label, offset, area.count, area.stride, element, area.item.path)

    def _one(self, area: Area, around: tuple[_Enclosing, ...], *, entered: bool = False) -> Node:
        here = around[-1] if entered else _within(area, around)
        if area.item.kind is not None:
            return self._leaf(area, here)
        inside = around if entered else (*around, here)
        members = self._members(area, inside)
        return Group(_label(area.item), area.offset - here.origin, members)

    def _leaf(self, area: Area, place: _Enclosing) -> Leaf:
        item = area.item
        assert item.kind is not None  # noqa: S101  (elementary)
        worker = codec(item.kind, self.encoding, self.kind.policy_of(item))
        if isinstance(worker, TextCodec):
            self._page = worker.page
        return Leaf(_label(item), area.offset - place.origin, worker)

    def _shared(self, family: list[Area], around: tuple[_Enclosing, ...]) -> Members:
        """The members of items that share bytes: a RedefinesChoice, or the only variant."""
        variants = self.kind.variants
        if not any(each.item.path in variants for each in family):
            named = [each for each in family if not each.item.filler] or family[:1]
            return self._member(named[0], around)
        self.chooses = True
        declared = [each for each in family if variants.get(each.item.path)]
        others = [each for each in family if not variants.get(each.item.path)]
        found = []
        for each in declared + others[:1]:
            selectors = variants.get(each.item.path, ())
            tests = tuple(self._test(one, around) for one in selectors)
            ends = max(one.end for one in family)
            if self.short and ends > self.length and each.end != self.length:
                found.append(Alternative(tests, (), cut=each.item.name))
                continue
            members = self._member(each, around) or (
                (self.kind.name_of(each.item), self._node(each, around)),
            )
            found.append(Alternative(tests, members))
        first = family[0]
        return (
            (
                "",
                RedefinesChoice(_label(first.item), first.offset - around[-1].origin, tuple(found)),
            ),
        )

    def _test(self, selector: Selector, around: tuple[_Enclosing, ...]) -> SelectorTest:
        depth = around[-1].depth
        for place in reversed(around):
            found = _find(place.area, selector.path)
            if found is not None:
                offset = found.offset - place.origin
                match = SelectorMatcher(
                    found.item.kind, found.length, offset, selector.ranges, self.encoding
                )
                return SelectorTest(match, depth - place.depth)
        raise ValueError(
            f"{'.'.join(selector.path)} cannot select: it is missing, or in another table"
        )


def _within(area: Area, around: tuple[_Enclosing, ...]) -> _Enclosing:
    return _Enclosing(area, around[-1].depth, around[-1].origin)


def _find(area: Area, path: Path) -> Area | None:
    """The area with this path, not inside a further table."""
    if area.item.path == path:
        return area
    for child in area.children:
        if child.count is None and not child.uneven:
            found = _find(child, path)
            if found is not None:
                return found
    return None


def _label(item: Item) -> str:
    return ".".join(item.path[1:]) or item.name


def _initialise(
    area: Area, moved: int, row: np.ndarray[tuple[int], np.dtype[np.uint8]], encoding: Encoding
) -> None:
    for part in area.uneven:
        _initialise(part, moved, row, encoding)
    if area.uneven or area.item.redefines:
        return
    for number in range(1 if area.count is None else area.count):
        start = moved + number * area.stride
        if area.offset + start + area.length > len(row):
            return  # of a variant that this record does not have
        if area.item.kind is not None:
            filling = np.frombuffer(_filling(area.item, area.item.kind, encoding), np.uint8)
            row[area.offset + start : area.offset + start + area.length] = filling
        for child in area.children:
            _initialise(child, start, row, encoding)


def _filling(item: Item, kind: Kind, encoding: Encoding) -> bytes:
    if item.value is not None:
        return literal_bytes(item.value, kind, encoding)
    text = isinstance(kind, Text | National)
    return literal_bytes(Figurative.SPACE if text else Figurative.ZERO, kind, encoding)
