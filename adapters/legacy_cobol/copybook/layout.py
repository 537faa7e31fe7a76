"""A record description with every position worked out: the tree that codecs and schemas read.

Offsets count from 0. They and the lengths are those of the largest record, where every OCCURS
DEPENDING ON has its maximum; `placement.place` gives those for the counts of one record.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from adapters.legacy_cobol.copybook.kinds import Kind


class Figurative(StrEnum):
    """A figurative constant: it fills whatever field it is compared with or moved to."""

    ZERO = "ZERO"
    SPACE = "SPACE"
    HIGH_VALUE = "HIGH-VALUE"
    LOW_VALUE = "LOW-VALUE"
    QUOTE = "QUOTE"
    NULL = "NULL"


@dataclass(frozen=True, slots=True)
class Repeated:
    """ALL "ab": the text over and over, as long as the field is."""

    text: str


Literal = str | Decimal | bytes | Figurative | Repeated  # bytes: a hexadecimal literal, X"C1"


@dataclass(frozen=True, slots=True)
class Range:
    """One value of an 88, or all from `low` THRU `high`, both included."""

    low: Literal
    high: Literal | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """Level 88: a name for some values of the item above it."""

    name: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Occurs:
    """A table: exactly `maximum` times without a counter, else as often as the counter says.

    `counter` is the path of the item that counts. Where it stands inside of another table, it
    has one value in each occurrence of that, and those may differ in length. A `reserved` table
    takes the bytes of `maximum` occurrences whatever the counter says, and nothing behind it
    moves; what stands in the bytes behind the last occurrence has no meaning.
    """

    minimum: int
    maximum: int
    counter: tuple[str, ...] | None = None
    reserved: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A group (`kind` is None, it has children) or an elementary item (it has a kind).

    A POINTER has neither: its bytes have no meaning outside of the program that wrote them.

    `path` are the names from the record down, itself included, unique in the record: a second
    FILLER is called FILLER-2. `offset` is that of the first occurrence. `length` is that of one
    occurrence, the `padding` behind the children included: tables are `stride` apart, which is
    `length`. `slack` bytes of SYNCHRONIZED stand before the first occurrence. `moves` says that
    the offset depends on counters, `varies` that the length of an occurrence does, and `uneven`
    that the occurrences of this table differ in length within one record.
    """

    level: int
    name: str
    path: tuple[str, ...]
    offset: int
    length: int
    kind: Kind | None = None
    children: tuple["Item", ...] = field(default=(), repr=False)
    occurs: Occurs | None = None
    redefines: str | None = None  # name of the sibling whose bytes these are; never a chain
    conditions: tuple[Condition, ...] = ()
    value: Literal | None = None
    slack: int = 0
    padding: int = 0
    moves: bool = False
    varies: bool = False
    uneven: bool = False
    picture: str | None = None  # as written
    usage: str = "DISPLAY"  # as it holds, inherited from groups
    filler: bool = False
    line: int = 0
    file: str = ""

    @property
    def total(self) -> int:
        """Bytes of all occurrences, of the largest record."""
        return self.length * (self.occurs.maximum if self.occurs else 1)

    def walk(self) -> Iterator["Item"]:
        """Itself and everything below it, in the order of the copybook."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Renames:
    """Level 66: another name for the items `first` to `last`."""

    name: str
    first: tuple[str, ...]
    last: tuple[str, ...]
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Record:
    """One 01 level (or 77). `minimum_length` has every counter at its minimum."""

    root: Item
    minimum_length: int
    maximum_length: int
    renames: tuple[Renames, ...] = ()

    @property
    def name(self) -> str:
        """Of the 01 level."""
        return self.root.name

    @property
    def fixed(self) -> bool:
        """Whether every such record is as long as any other."""
        return self.minimum_length == self.maximum_length

    def items(self) -> Iterator[Item]:
        """All items, the record itself first, in the order of the copybook."""
        return self.root.walk()

    def find(self, *path: str) -> Item:
        """The only item whose path ends in these names, qualified as much as needed.

        Raises KeyError where there is none or more than one.
        """
        wanted = tuple(name.upper() for name in path)
        found = [each for each in self.items() if each.path[-len(wanted) :] == wanted]
        if len(found) != 1:
            raise KeyError(f"{'.'.join(wanted)}: {len(found)} items of {self.name} are called so")
        return found[0]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that was left aside, and where."""

    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Copybook:
    """The records of one copybook, in its order, and what was left aside while reading it."""

    records: tuple[Record, ...]
    notices: tuple[Notice, ...] = ()

    def record(self, name: str) -> Record:
        """By the name of its 01 level. Raises KeyError."""
        for each in self.records:
            if each.name == name.upper():
                return each
        raise KeyError(f"no record {name.upper()}; there are {[r.name for r in self.records]}")
