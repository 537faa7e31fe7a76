"""Data description entries as written, before positions are computed."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from adapters.legacy_cobol.copybook.layout import Notice, Range
from adapters.legacy_cobol.copybook.source import Source
from adapters.legacy_cobol.copybook.words import Word, WordKind, words

MOST_ENTRIES = 50_000
_HEADINGS = frozenset(("DIVISION", "SECTION"))
_SKIPPED = frozenset(("REPORT", "SCREEN", "COMMUNICATION"))  # sections without records of files
_PRINTING = frozenset(("EJECT", "SKIP1", "SKIP2", "SKIP3"))  # of the compiler's listing
_FILES = frozenset(("FD", "SD", "RD", "CD"))


@dataclass(slots=True)
class Table:
    """OCCURS. `counter` is the name of the counter, then its qualifiers."""

    minimum: int
    maximum: int
    at: Word
    counter: tuple[Word, ...] = ()


@dataclass(slots=True)
class Sign:
    """SIGN IS LEADING or TRAILING, SEPARATE or not."""

    leading: bool
    separate: bool


@dataclass(slots=True)
class Entry:
    """One entry. None: the clause is missing."""

    level: int
    name: str | None
    at: Word
    picture: Word | None = None
    byte_length: int = 0
    usage: str | None = None
    usage_at: Word | None = None
    unsigned: bool = False  # BINARY-LONG UNSIGNED and the like
    sign: Sign | None = None
    sign_at: Word | None = None
    table: Table | None = None
    redefines: Word | None = None
    synchronized: bool = False
    justified: bool = False
    blank_when_zero: bool = False
    ranges: tuple[Range, ...] = ()
    renames: tuple[tuple[Word, ...], ...] = ()
    children: list["Entry"] = field(default_factory=list)
    conditions: list["Entry"] = field(default_factory=list)
    others: list["Entry"] = field(default_factory=list)  # level 66 entries of an 01


class Cursor:
    """Reads the words of one entry from left to right. `first`: it follows a heading."""

    def __init__(self, source: Source, listed: list[Word], *, first: bool = False) -> None:
        self.source = source
        self.listed = listed
        self.first = first
        self.index = 0

    @property
    def word(self) -> Word | None:
        """The next word; None at the end."""
        return self.listed[self.index] if self.index < len(self.listed) else None

    @property
    def upper(self) -> str:
        """The next word in capitals; empty for a literal or at the end."""
        word = self.word
        return word.upper if word is not None and word.kind is WordKind.WORD else ""

    @property
    def last(self) -> Word:
        """The last word that was read."""
        return self.listed[max(self.index - 1, 0)]

    def take(self, expected: str) -> Word:
        """Read any word. Raises CopybookError at the end of the entry."""
        word = self.word
        if word is None:
            raise self.error(self.last, f"the entry ends without {expected}", f"Add {expected}")
        self.index += 1
        return word

    def accept(self, *choices: str) -> str:
        """Read the next word if it is one of these. Returns it, else an empty text."""
        found = self.upper
        if found and found in choices:
            self.index += 1
            return found
        return ""

    def number(self, expected: str) -> int:
        """Read an unsigned integer. Raises CopybookError."""
        word = self.take(expected)
        if word.kind is not WordKind.WORD or not word.text.isascii() or not word.text.isdigit():
            raise self.error(word, f"{word.text} is not a {expected}", "Write digits only")
        return int(word.text[:12])

    def name(self, expected: str) -> Word:
        """Read a data name. Raises CopybookError."""
        word = self.take(expected)
        if not is_name(word):
            raise self.error(word, f"{word.text} is not a {expected}", _NAMES)
        return word

    def error(self, word: Word, problem: str, remedy: str) -> Exception:
        """A CopybookError at a word, for the caller to raise."""
        return self.source.error(word.start, problem, remedy)


_NAMES = "A name has letters, digits, hyphens and underscores, and at least one letter"


def is_name(word: Word) -> bool:
    """Whether a word may be the name of a data item."""
    text = word.text
    return (
        word.kind is WordKind.WORD
        and len(text) <= 64
        and all(each.isalnum() or each in "-_" for each in text)
        and any(each.isalpha() for each in text)
        and text[0] not in "-_"
        and text[-1] not in "-_"
    )


def sentences(source: Source, notices: list[Notice]) -> Iterator[Cursor]:
    """The entries of a source up to their periods, without headings and listing directives."""
    listed: list[Word] = []
    count, skipped, first = 0, False, True
    for word in words(source):
        if word.kind is not WordKind.PERIOD:
            if listed or word.upper not in _PRINTING:
                listed.append(word)
            if [each.kind for each in listed] == _TITLE and listed[0].upper == "TITLE":
                listed = []
            continue
        if listed and listed[-1].upper in _HEADINGS:
            skipped, first = listed[0].upper in _SKIPPED, True
        elif listed and listed[0].upper in _FILES:
            first = True
        elif listed and not skipped:
            count += 1
            if count > MOST_ENTRIES:
                raise source.error(word.start, f"more than {MOST_ENTRIES} entries", "Split it")
            yield Cursor(source, listed, first=first)
            first = False
        listed = []
    if listed:
        where = source.where(listed[-1].start)
        text = f"the last entry, {listed[0].text}, has no period"
        notices.append(Notice(where.file, where.line, where.column, text))
        yield Cursor(source, listed)


_TITLE = [WordKind.WORD, WordKind.LITERAL]


def read_level(cursor: Cursor) -> int:
    """Read the level number of an entry. Raises CopybookError."""
    word = cursor.take("a level number")
    if word.text in ("66", "77", "88"):
        return int(word.text)
    if word.text.isascii() and word.text.isdigit() and 1 <= int(word.text[:4]) <= 49:
        return int(word.text)
    if word.text == "78":
        raise cursor.error(word, "level 78 constants are not supported", "Write the number itself")
    raise cursor.error(
        word,
        f"{word.text} is not a level number",
        "An entry begins with 01 to 49, 66, 77 or 88. Look for an extra period before it",
    )
