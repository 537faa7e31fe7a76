"""Random copybooks with equal names, counters in counters, and good records of them."""

from dataclasses import dataclass, field
from random import Random

NAMES = ("KODE", "NAMA", "JML", "A-B", "A_B")


@dataclass
class RandomFile:
    """A copybook, and records that it describes. `first_optional` is the path of an item."""

    random: Random
    padding: bytes
    nested: bool = True
    lines: list[str] = field(default_factory=list)
    counters: int = 0

    def __post_init__(self) -> None:
        self.tree = [self._item(5) for _ in range(self.random.randint(2, 4))]
        self.text = "\n".join(["01 R.", *(line for each in self.tree for line in each.lines())])

    def record(self, items: int | None = None) -> bytes:
        """A record, of the first items only if it ends early."""
        counts: dict[str, int] = {}
        return b"".join(each.content(self, counts) for each in self.tree[:items])

    def _item(self, level: int) -> "RandomItem":
        random = self.random
        name = random.choice((*NAMES, "FILLER"))
        if level < 20 and random.random() < 0.4:
            inside = [self._item(level + 5) for _ in range(random.randint(1, 3))]
            occurs = random.choice(("", "", "OCCURS 2", "ODO"))
            if occurs == "ODO":
                self.counters += 1
                counter = RandomItem(level, f"C{self.counters}", "PIC 9")
                return RandomItem(level, name, occurs, inside, counter)
            return RandomItem(level, name, occurs, inside)
        clauses = (
            "PIC X(3)",
            "PIC X(2) JUST RIGHT",
            "PIC S9(3)",
            "PIC S9(3) COMP",
            "PIC S9(3) COMP-3",
        )
        return RandomItem(level, name, random.choice(clauses))


@dataclass
class RandomItem:
    """An item with its clauses. The counter of a table is before it."""

    level: int
    name: str
    clauses: str
    inside: "list[RandomItem]" = field(default_factory=list)
    counter: "RandomItem | None" = None

    def lines(self) -> list[str]:
        """Its entry, and those below it."""
        clauses = self.clauses
        before = []
        if self.counter is not None:
            before = self.counter.lines()
            clauses = f"OCCURS 0 TO 3 DEPENDING ON {self.counter.name}"
        below = [line for each in self.inside for line in each.lines()]
        return [*before, f"{self.level:02} {self.name} {clauses}.", *below]

    def content(self, file: RandomFile, counts: dict[str, int]) -> bytes:
        """Good bytes for it."""
        random = file.random
        if not self.inside:
            return self._value(file)
        times = {"": 1, "OCCURS 2": 2}.get(self.clauses, 0)
        before = b""
        if self.counter is not None:
            times = random.randint(0, 3)
            before = str(times).encode("cp037")
        return before + b"".join(
            each.content(file, counts) for _ in range(times) for each in self.inside
        )

    def _value(self, file: RandomFile) -> bytes:
        random = file.random
        number = random.randint(-999, 999)
        match self.clauses:
            case "PIC S9(3)":
                last = bytes((random.choice(b"\xc0\xd0\xf0") + abs(number) % 10,))
                return f"{abs(number) // 10:02}".encode("cp037") + last
            case "PIC S9(3) COMP":
                return random.choice((number, 0)).to_bytes(2, signed=True)
            case "PIC S9(3) COMP-3":
                return bytes.fromhex(f"{abs(number):03}{random.choice('abcdef')}")
        text = random.choice(("", "A", " B", "A B"))[: 2 if "JUST" in self.clauses else 3]
        raw, size = text.encode("cp037"), 2 if "JUST" in self.clauses else 3
        fill = random.choice((file.padding, file.padding, b"\x40"))
        return raw.rjust(size, fill) if "JUST" in self.clauses else raw.ljust(size, fill)
