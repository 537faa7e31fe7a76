"""Record descriptions with computed positions: the tree that codecs and schemas use.

Offsets count from 0. Offsets and lengths are those of the largest record, in which every OCCURS
DEPENDING ON has its maximum; `placement.place` computes them for the counts of one record.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, TypeVar

from adapters.legacy_cobol.copybook.kinds import Kind


class Figurative(StrEnum):
    """A figurative constant: it is as long as the field that it is compared with or moved to."""

    ZERO = "ZERO"
    SPACE = "SPACE"
    HIGH_VALUE = "HIGH-VALUE"
    LOW_VALUE = "LOW-VALUE"
    QUOTE = "QUOTE"
    NULL = "NULL"


@dataclass(frozen=True, slots=True)
class Repeated:
    """ALL "ab": the text repeated up to the length of the field."""

    text: str


Literal = str | Decimal | bytes | Figurative | Repeated  # bytes: a hexadecimal literal, X"C1"


@dataclass(frozen=True, slots=True)
class Range:
    """One value of a level 88, or the range `low` THRU `high`, both included."""

    low: Literal
    high: Literal | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """Level 88: a name for values of its item."""

    name: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Occurs:
    """A table: `maximum` occurrences, or as many as the counter says (OCCURS DEPENDING ON).

    `counter` is the path of the counting item. If it is inside another table, each occurrence of
    that table has its own count, and their lengths may differ. A `reserved` table always takes
    the bytes of `maximum` occurrences, so nothing after it moves; the bytes after its last
    occurrence have no meaning.
    """

    minimum: int
    maximum: int
    counter: tuple[str, ...] | None = None
    reserved: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A group (with children, `kind` is None) or an elementary item (with a kind).

    A POINTER has neither: its bytes have no meaning outside the program that wrote them.

    `path` holds the names from the record down to the item; it is unique in the record, because a
    second FILLER is called FILLER-2. `offset` is that of the first occurrence. `length` is that of
    one occurrence, with the `padding` after its children. `slack` bytes of SYNCHRONIZED are before
    the first occurrence. `moves`: the offset depends on counters. `varies`: the length of an
    occurrence depends on counters. `uneven`: occurrences of this table may differ in length within
    one record.
    """

    level: int
    name: str
    path: tuple[str, ...]
    offset: int
    length: int
    kind: Kind | None = None
    children: tuple["Item", ...] = field(default=(), repr=False)
    occurs: Occurs | None = None
    redefines: str | None = (
        None  # the sibling whose bytes it shares, never a redefining item itself
    )
    conditions: tuple[Condition, ...] = ()
    value: Literal | None = None
    slack: int = 0
    padding: int = 0
    moves: bool = False
    varies: bool = False
    uneven: bool = False
    picture: str | None = None  # as written
    usage: str = "DISPLAY"  # in force, perhaps inherited
    filler: bool = False
    line: int = 0
    file: str = ""

    @property
    def family(self) -> str:
        """The name of the item whose bytes it shares: itself, unless it redefines another one."""
        return self.redefines or self.name

    @property
    def total(self) -> int:
        """The length of all occurrences, in the largest record."""
        return self.length * (self.occurs.maximum if self.occurs else 1)

    def walk(self) -> Iterator["Item"]:
        """The item and all items below it, in the order of the copybook."""
        yield self
        for child in self.children:
            yield from child.walk()


class _Related(Protocol):
    @property
    def family(self) -> str: ...


R = TypeVar("R", bound=_Related)


def families(children: Iterable[R]) -> list[list[R]]:
    """Group items, or what stands for them, that share bytes, the redefined one first."""
    found: dict[str, list[R]] = {}
    for child in children:
        found.setdefault(child.family, []).append(child)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Renames:
    """Level 66: a name for the items `first` THRU `last`."""

    name: str
    first: tuple[str, ...]
    last: tuple[str, ...]
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Record:
    """A level 01 or 77. `minimum_length` has every counter at its minimum."""

    root: Item
    minimum_length: int
    maximum_length: int
    renames: tuple[Renames, ...] = ()

    @property
    def name(self) -> str:
        """The name of the level 01."""
        return self.root.name

    @property
    def fixed(self) -> bool:
        """Whether all such records have one length."""
        return self.minimum_length == self.maximum_length

    def items(self) -> Iterator[Item]:
        """All items, the record first, in the order of the copybook."""
        return self.root.walk()

    def find(self, *path: str) -> Item:
        """The item whose path ends in these names.

        Raises KeyError if there is none or more than one.
        """
        wanted = tuple(name.upper() for name in path)
        found = [each for each in self.items() if each.path[-len(wanted) :] == wanted]
        if len(found) != 1:
            raise KeyError(f"{'.'.join(wanted)}: {len(found)} items of {self.name} have this name")
        return found[0]


@dataclass(frozen=True, slots=True)
class Notice:
    """A note about something that was ignored, with its position."""

    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Copybook:
    """The records of a copybook in order, and the notices of the parser."""

    records: tuple[Record, ...]
    notices: tuple[Notice, ...] = ()

    def record(self, name: str) -> Record:
        """A record by its name. Raises KeyError."""
        for each in self.records:
            if each.name == name.upper():
                return each
        raise KeyError(
            f"no record {name.upper()}; the copybook has {[r.name for r in self.records]}"
        )
