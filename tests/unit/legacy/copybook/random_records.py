"""Random record descriptions: the text of one, and what must be read from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

# Clauses, and the bytes they take where binary items have 2, 4 or 8.
CLAUSES = [
    ("PIC X", 1), ("PIC X(7)", 7), ("PIC A(3)", 3), ("PIC XX9", 3), ("PIC N(3)", 6),
    ("PIC 9", 1), ("PIC 9(4)V9(3)", 7), ("PIC S9(5)", 5), ("PIC S99V9 SIGN LEADING", 3),
    ("PIC S9(3) SIGN TRAILING SEPARATE", 4), ("PIC S9 LEADING SEPARATE CHARACTER", 2),
    ("PIC 9(3)PP", 3), ("PIC VPP99", 2), ("PIC 9(4) BLANK WHEN ZERO", 4),
    ("PIC X(4) JUSTIFIED RIGHT", 4), ("PIC S9(7)V99 COMP-3", 5), ("PIC 9(4) PACKED-DECIMAL", 3),
    ("PIC S9(18) USAGE COMP-3", 10), ("PIC 9(5) COMP-6", 3), ("PIC S9(4) COMP", 2),
    ("PIC 9(5) BINARY", 4), ("PIC S9(9) COMP-5", 4), ("PIC S9(12)V9(3) COMP-4", 8),
    ("COMP-1", 4), ("USAGE IS COMP-2", 8), ("USAGE INDEX", 4), ("PIC ZZ,ZZ9.99", 9),
    ("PIC $$$9.99CR", 9), ("PIC -(4)9", 5), ("PIC 99/99/9999", 10), ("PIC **9.9-", 6),
]  # fmt: skip


@dataclass(frozen=True)
class Described:
    """An item: its words, its bytes (of one occurrence) and what is below it."""

    level: int
    name: str
    words: tuple[str, ...]
    length: int
    times: int
    children: tuple["Described", ...] = ()

    def all_words(self) -> Iterator[str]:
        """The words of its entry and of all below it."""
        yield from (f"{self.level:02}", self.name, *self.words, ".")
        for child in self.children:
            yield from child.all_words()

    def names(self) -> Iterator[str]:
        """Its name and all below it."""
        yield self.name
        for child in self.children:
            yield from child.names()


def a_record(random: Random, name: str) -> Described:
    """A record of some groups, tables, redefinitions and items."""
    names = (f"{name}-{number}" for number in range(1, 1_000_000))
    children = _children(random, names, level=random.choice((2, 5)), depth=0)
    return Described(1, name, (), _length(children), 1, children)


def _children(
    random: Random, names: Iterator[str], level: int, depth: int
) -> tuple[Described, ...]:
    children: list[Described] = []
    for _ in range(random.randint(1, 4)):
        item = _item(random, names, level, depth)
        children.append(item)
        if item.times == 1 and random.random() < 0.2:
            words = ("REDEFINES", item.name, "PIC", f"X({item.length})")
            children.append(Described(level, next(names), words, item.length, 1))
    return tuple(children)


def _item(random: Random, names: Iterator[str], level: int, depth: int) -> Described:
    times = random.choice((1, 1, 1, 2, 5))
    occurs = ("OCCURS", str(times), "TIMES")[: random.choice((2, 3))] if times > 1 else ()
    name = next(names)
    if depth < 4 and random.random() < 0.4:
        children = _children(random, names, level + random.choice((1, 5)), depth + 1)
        return Described(level, name, occurs, _length(children), times, children)
    clauses, length = random.choice(CLAUSES)
    words = clauses.split()
    return Described(level, name, (*words, *occurs), length, times)


def _length(children: tuple[Described, ...]) -> int:
    return sum(each.length * each.times for each in children if "REDEFINES" not in each.words)


def in_free_form(random: Random, record: Described) -> str:
    """The record with its words broken into lines anyhow."""
    text = ""
    for word in record.all_words():
        text += word if word == "." else random.choice((" ", "\n", "  \n ", " , ")) + word
        text += " *> a comment\n" if word == "." and random.random() < 0.2 else ""
    return text + "\n"


def in_fixed_form(random: Random, record: Described) -> str:
    """The record in columns 8 to 72, words broken over lines, rubbish where nothing counts."""
    lines = []
    line, indicator = "", " "
    for word in record.all_words():
        piece = word if word == "." else " " + word
        if len(line) + len(piece) > 65:
            cut = random.randint(1, 65 - len(line)) if len(line) < 65 else 0
            head, piece = _broken(piece, cut)
            lines.append(f"{random.randint(0, 999999):06}{indicator}{line + head:65}RUBBISH")
            line, indicator = "    ", "-" if head else " "
            if random.random() < 0.3:
                lines.append("      * 05 COMMENT PIC X.")
        line += piece
    lines.append(f"      {indicator}{line}")
    return "\n".join(lines) + "\n"


def _broken(piece: str, cut: int) -> tuple[str, str]:
    """A word in two, where both parts are something to join again."""
    head, rest = piece[:cut], piece[cut:]
    return (head, rest) if head.strip() and rest.strip() else ("", piece)
