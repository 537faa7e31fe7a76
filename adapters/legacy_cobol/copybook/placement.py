"""The positions of all items in a record with known counters.

To decode many records, start with `place(record, ())`. While the result is `CounterNeeded`, read
that counter of all records, group them by its value, and call again with the count appended. The
final result is one `Area` tree for all records with the same counts, with offsets and strides to
read whole columns. It depends on the record and the counts alone, so it may be cached.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from adapters.legacy_cobol.copybook.layout import Item, Occurs, Record


@dataclass(frozen=True, slots=True)
class Area:
    """An item at its position.

    `offset` is that of the first occurrence; occurrence i is `i * stride` further. `count` is None
    unless the item is a table. `length` is that of one occurrence. If occurrences differ in
    length, `uneven` holds an area for each of them (without a count, with absolute offsets), and
    `children` is empty, `length` and `stride` are 0.
    """

    item: Item
    offset: int
    length: int
    count: int | None
    stride: int
    children: tuple["Area", ...] = ()
    uneven: tuple["Area", ...] = ()

    @property
    def family(self) -> str:
        """That of its item."""
        return self.item.family

    @property
    def end(self) -> int:
        """The offset after the last occurrence."""
        if self.uneven:
            return self.uneven[-1].end
        return self.offset + self.length * (1 if self.count is None else self.count)

    def walk(self) -> Iterator["Area"]:
        """The area and all areas below it."""
        yield self
        for each in self.children + self.uneven:
            yield from each.walk()


@dataclass(frozen=True, slots=True)
class CounterNeeded:
    """The counter to read next: `item` at `offset`, and its bounds for `table`."""

    item: Item
    offset: int
    table: Item
    minimum: int
    maximum: int


class CountOutOfBounds(ValueError):
    """A counter is out of the bounds of its table. Items after the table cannot be located."""

    def __init__(self, counter: tuple[str, ...], table: Item, bounds: Occurs, count: int) -> None:
        super().__init__(
            f"{counter[-1]} is {count}, but {table.name} occurs {bounds.minimum} to "
            f"{bounds.maximum} times"
        )
        self.counter = counter
        self.table = table
        self.count = count


class _CountMissing(Exception):
    """The counts do not suffice; never leaves this module."""

    def __init__(self, needed: CounterNeeded) -> None:
        self.needed = needed


def place(record: Record, counts: tuple[int, ...]) -> Area | CounterNeeded:
    """The positions for these counts, or the next counter to read.

    `counts` are in the order of the counters that were needed. Raises CountOutOfBounds.
    """
    try:
        return _Placer(iter(counts)).area(record.root, 0, ())
    except _CountMissing as missing:
        return missing.needed


def shortest(root: Item) -> int:
    """The length of a record with every counter at its minimum."""
    return place_with(root, lambda needed: needed.minimum).length


def place_with(root: Item, count: Callable[[CounterNeeded], int]) -> Area:
    """The positions, with counts from a function. Raises CountOutOfBounds."""
    placer = _Placer(iter(()))
    placer.ask = count
    return placer.area(root, 0, ())


class _Placer:
    """One walk over a record, from left to right."""

    def __init__(self, counts: Iterator[int]) -> None:
        self.counts = counts
        self.known: dict[tuple[tuple[str, ...], tuple[int, ...]], int] = {}
        self.offsets: dict[tuple[tuple[str, ...], tuple[int, ...]], tuple[Item, int]] = {}
        self.ask: Callable[[CounterNeeded], int] | None = None

    def area(self, item: Item, offset: int, indices: tuple[int, ...]) -> Area:
        """`indices` are those of the uneven tables around the item."""
        self.offsets[item.path, indices] = (item, offset)
        count = self._count(item, indices) if item.occurs else None
        if item.uneven and count is not None:
            return self._uneven(item, offset, indices, count)
        children = self._children(item, offset, indices)
        length = _extent(children, offset) + item.padding if children else item.length
        return Area(item, offset, length, count, length, children)

    def _uneven(self, item: Item, offset: int, indices: tuple[int, ...], count: int) -> Area:
        areas = []
        start = offset
        for index in range(count):
            children = self._children(item, start, (*indices, index))
            length = _extent(children, start) + item.padding
            areas.append(Area(item, start, length, None, length, children))
            start += length
        return Area(item, offset, 0, count, 0, (), tuple(areas))

    def _children(self, item: Item, offset: int, indices: tuple[int, ...]) -> tuple[Area, ...]:
        begins: dict[str, int] = {}
        areas = []
        after = offset
        for child in item.children:
            at = after + child.slack if child.redefines is None else begins[child.redefines]
            begins[child.name] = at
            area = self.area(child, at, indices)
            areas.append(area)
            after = max(after, _end(area))
        return tuple(areas)

    def _count(self, item: Item, indices: tuple[int, ...]) -> int:
        """The number of occurrences of a table."""
        bounds = item.occurs or Occurs(1, 1)
        if bounds.counter is None:
            return bounds.maximum
        key = self._key(bounds.counter, indices)
        if key not in self.known:
            self.known[key] = self._answer(
                CounterNeeded(*self.offsets[key], item, bounds.minimum, bounds.maximum)
            )
        count = self.known[key]
        if not bounds.minimum <= count <= bounds.maximum:
            raise CountOutOfBounds(bounds.counter, item, bounds, count)
        return count

    def _key(
        self, counter: tuple[str, ...], indices: tuple[int, ...]
    ) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The counter with those of the table's indices that apply to it."""
        size = len(indices)
        while (counter, indices[:size]) not in self.offsets:
            size -= 1
        return counter, indices[:size]

    def _answer(self, needed: CounterNeeded) -> int:
        if self.ask is not None:
            return self.ask(needed)
        count = next(self.counts, None)
        if count is None:
            raise _CountMissing(needed)
        return count


def _extent(children: tuple[Area, ...], offset: int) -> int:
    """The length of a group that begins at this offset."""
    return max((_end(each) for each in children), default=offset) - offset


def _end(area: Area) -> int:
    """The offset at which the next item may begin."""
    occurs = area.item.occurs
    if occurs is not None and occurs.reserved:
        return area.offset + area.item.total
    return area.end
