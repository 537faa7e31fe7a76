"""Where everything stands in a record whose counters are known.

A reader of many records starts with `place(record, ())`. As long as the answer is `Wanted`, it
reads that counter of all of them at once, splits them by its value, and asks again with the
count added. What comes out at last is one `Area` tree for all records of the same counts, with
offsets and strides to take whole columns by. Answers depend on nothing else: keep them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from adapters.legacy_cobol.copybook.layout import Item, Occurs, Record


@dataclass(frozen=True, slots=True)
class Area:
    """An item at its place.

    `offset` is that of the first occurrence of it and of everything above it; occurrence i is
    `i * stride` further. `count` is None where the item is no table. `length` is that of one
    occurrence. Where the occurrences differ, `uneven` holds each of them as an area of its own
    (without a count, offsets absolute), `children` is empty, `length` and `stride` are 0.
    """

    item: Item
    offset: int
    length: int
    count: int | None
    stride: int
    children: tuple["Area", ...] = ()
    uneven: tuple["Area", ...] = ()

    @property
    def end(self) -> int:
        """The offset behind the last occurrence."""
        if self.uneven:
            return self.uneven[-1].end
        return self.offset + self.length * (1 if self.count is None else self.count)

    def walk(self) -> Iterator["Area"]:
        """Itself and everything below it."""
        yield self
        for each in self.children + self.uneven:
            yield from each.walk()


@dataclass(frozen=True, slots=True)
class CounterNeeded:
    """The counter to read next: `item` at `offset`, and what it may say for `table`."""

    item: Item
    offset: int
    table: Item
    minimum: int
    maximum: int


class CountOutOfBounds(ValueError):
    """A counter says what its table cannot hold. Whatever stands behind it cannot be found."""

    def __init__(self, counter: tuple[str, ...], table: Item, bounds: Occurs, count: int) -> None:
        super().__init__(
            f"{counter[-1]} is {count}, but {table.name} occurs {bounds.minimum} to "
            f"{bounds.maximum} times"
        )
        self.counter = counter
        self.table = table
        self.count = count


class _CountMissing(Exception):
    """How far the counts reach; never leaves this module."""

    def __init__(self, wanted: CounterNeeded) -> None:
        self.wanted = wanted


def place(record: Record, counts: tuple[int, ...]) -> Area | CounterNeeded:
    """The places for these counts, or the next counter to read. `counts` in the order asked for.

    Raises CountOutOfBounds.
    """
    try:
        return _Placer(iter(counts)).area(record.root, 0, ())
    except _CountMissing as missing:
        return missing.wanted


def shortest(root: Item) -> int:
    """Bytes of the record where every counter is at its minimum."""
    return place_with(root, lambda wanted: wanted.minimum).length


def place_with(root: Item, count: Callable[[CounterNeeded], int]) -> Area:
    """The places where this function answers for each counter. Raises CountOutOfBounds."""
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
        starts: dict[str, int] = {}
        areas = []
        after = offset
        for child in item.children:
            at = after + child.slack if child.redefines is None else starts[child.redefines]
            starts[child.name] = at
            area = self.area(child, at, indices)
            areas.append(area)
            after = max(after, _end(area))
        return tuple(areas)

    def _count(self, item: Item, indices: tuple[int, ...]) -> int:
        """How often a table occurs here."""
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
        """The counter's own indices are as many of the table's as there are tables around it."""
        size = len(indices)
        while (counter, indices[:size]) not in self.offsets:
            size -= 1
        return counter, indices[:size]

    def _answer(self, wanted: CounterNeeded) -> int:
        if self.ask is not None:
            return self.ask(wanted)
        count = next(self.counts, None)
        if count is None:
            raise _CountMissing(wanted)
        return count


def _extent(children: tuple[Area, ...], offset: int) -> int:
    """The bytes of a group, from this offset on."""
    return max((_end(each) for each in children), default=offset) - offset


def _end(area: Area) -> int:
    """The offset where the next item may begin."""
    occurs = area.item.occurs
    if occurs is not None and occurs.reserved:
        return area.offset + area.item.total
    return area.end
