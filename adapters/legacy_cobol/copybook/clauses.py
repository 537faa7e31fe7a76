"""The clauses of a data description entry, each parsed by its own function."""

from collections.abc import Callable

from adapters.legacy_cobol.copybook.entries import (
    Cursor,
    Entry,
    Sign,
    Table,
    read_level,
)
from adapters.legacy_cobol.copybook.literals import read_ranges
from adapters.legacy_cobol.copybook.picture import SpecialNames
from adapters.legacy_cobol.copybook.words import Word, WordKind

MOST_OCCURRENCES = 1_000_000
_USAGES = {
    "DISPLAY": "DISPLAY", "NATIONAL": "NATIONAL", "INDEX": "INDEX",
    "DISPLAY-1": "DISPLAY-1", "UTF-8": "UTF-8",
    "BINARY": "COMP", "COMP": "COMP", "COMP-4": "COMP", "COMP-5": "COMP-5",
    "COMP-1": "COMP-1", "COMP-2": "COMP-2", "FLOAT-SHORT": "COMP-1", "FLOAT-LONG": "COMP-2",
    "COMP-3": "COMP-3", "PACKED-DECIMAL": "COMP-3", "COMP-6": "COMP-6",
    "BINARY-CHAR": "BINARY-CHAR", "BINARY-SHORT": "BINARY-SHORT",
    "BINARY-LONG": "BINARY-LONG", "BINARY-DOUBLE": "BINARY-DOUBLE",
    "POINTER": "POINTER", "PROCEDURE-POINTER": "POINTER", "FUNCTION-POINTER": "POINTER",
}  # fmt: skip
Clause = Callable[[Cursor, Entry, SpecialNames], None]


def read_entry(cursor: Cursor, special_names: SpecialNames) -> Entry:
    """Parse one entry. Raises CopybookError at the first invalid word."""
    level = read_level(cursor)
    at = cursor.last
    entry = Entry(level, _name(cursor), at)
    if entry.name is not None:
        entry.at = cursor.last
    seen: set[Clause] = set()
    while cursor.word is not None:
        clause = _clause(cursor)
        if clause in seen:
            raise cursor.error(cursor.word, f"a second {cursor.word.upper}", "Keep one of them")
        seen.add(clause)
        clause(cursor, entry, special_names)
    if level in (66, 77, 88) and entry.name is None:
        raise cursor.error(at, f"level {level} without a name", "Give it a name")
    return entry


def _name(cursor: Cursor) -> str | None:
    """The name of the item; None for FILLER or a missing name."""
    if cursor.accept("FILLER") or cursor.upper in ("", "IS", *_WORDS):
        return None
    return cursor.name("name of a data item").upper


def _clause(cursor: Cursor) -> Clause:
    cursor.accept("IS")
    word = cursor.take("a clause")
    upper = word.upper.replace("COMPUTATIONAL", "COMP")
    cursor.index -= 1
    if upper in _CLAUSES:
        return _CLAUSES[upper]
    if upper in _USAGES:
        return _usage
    raise cursor.error(
        word,
        f"{word.text} does not begin a known clause",
        "Check its spelling, and that the entry before it ends with a period",
    )


def _picture(cursor: Cursor, entry: Entry, _: SpecialNames) -> None:
    cursor.take("PICTURE")
    cursor.accept("IS")
    word = cursor.take("a picture")
    if word.kind is not WordKind.PICTURE:
        raise cursor.error(
            word, f"{word.text} is not a picture", "Write one like X(10) or S9(5)V99"
        )
    entry.picture = word


def _usage(cursor: Cursor, entry: Entry, _: SpecialNames) -> None:
    cursor.accept("USAGE")
    cursor.accept("IS")
    word = cursor.take("a usage")
    usage = _USAGES.get(word.upper.replace("COMPUTATIONAL", "COMP"))
    if usage is None:
        raise cursor.error(
            word, f"the usage {word.text} is not supported", "Describe the bytes as PIC X"
        )
    entry.usage, entry.usage_at = usage, word
    if usage.startswith("BINARY-"):
        entry.unsigned = cursor.accept("SIGNED", "UNSIGNED") == "UNSIGNED"


def _sign(cursor: Cursor, entry: Entry, _: SpecialNames) -> None:
    entry.sign_at = cursor.word
    cursor.accept("SIGN")
    cursor.accept("IS")
    place = cursor.accept("LEADING", "TRAILING")
    if not place:
        raise cursor.error(cursor.last, "SIGN without a position", "Add LEADING or TRAILING")
    separate = bool(cursor.accept("SEPARATE"))
    cursor.accept("CHARACTER")
    entry.sign = Sign(place == "LEADING", separate)


def _occurs(cursor: Cursor, entry: Entry, _: SpecialNames) -> None:
    at = cursor.take("OCCURS")
    minimum = maximum = cursor.number("number of occurrences")
    if has_range := bool(cursor.accept("TO")):
        maximum = cursor.number("number of occurrences")
    cursor.accept("TIMES")
    table = Table(minimum, maximum, at)
    while (word := cursor.accept("DEPENDING", "ASCENDING", "DESCENDING", "INDEXED")) != "":
        if word == "DEPENDING":
            cursor.accept("ON")
            table.counter = _qualified(cursor, "counter")
            table.minimum = minimum if has_range else min(1, maximum)
        else:
            _names(cursor)
    _check_bounds(cursor, table, has_range=has_range)
    entry.table = table


def _check_bounds(cursor: Cursor, table: Table, *, has_range: bool) -> None:
    if not table.minimum <= table.maximum <= MOST_OCCURRENCES or table.maximum == 0:
        raise cursor.error(
            table.at,
            f"OCCURS {table.minimum} TO {table.maximum} is not a valid range",
            f"The bounds must ascend, up to {MOST_OCCURRENCES}",
        )
    if has_range and not table.counter:
        raise cursor.error(table.at, "OCCURS with TO needs a counter", "Add DEPENDING ON a name")


def _names(cursor: Cursor) -> None:
    """The names after INDEXED BY and ASCENDING KEY, which take no bytes."""
    cursor.accept("KEY", "BY")
    cursor.accept("IS")
    cursor.name("name")
    while cursor.upper and cursor.upper not in _WORDS:
        cursor.name("name")


def _qualified(cursor: Cursor, expected: str) -> tuple[Word, ...]:
    names = [cursor.name(expected)]
    while cursor.accept("OF", "IN"):
        names.append(cursor.name("group"))
    return tuple(names)


def _redefines(cursor: Cursor, entry: Entry, _: SpecialNames) -> None:
    cursor.take("REDEFINES")
    entry.redefines = cursor.name("name of the redefined item")


def _byte_length(cursor: Cursor, entry: Entry, _: SpecialNames) -> None:
    cursor.take("BYTE-LENGTH")
    cursor.accept("IS")
    entry.byte_length = cursor.number("number of bytes")


def _synchronized(cursor: Cursor, entry: Entry, _: SpecialNames) -> None:
    cursor.take("SYNCHRONIZED")
    cursor.accept("LEFT", "RIGHT")
    entry.synchronized = True


def _justified(cursor: Cursor, entry: Entry, _: SpecialNames) -> None:
    cursor.take("JUSTIFIED")
    cursor.accept("RIGHT")
    entry.justified = True


def _blank(cursor: Cursor, entry: Entry, _: SpecialNames) -> None:
    cursor.take("BLANK")
    cursor.accept("WHEN")
    if not cursor.accept("ZERO", "ZEROS", "ZEROES"):
        raise cursor.error(cursor.last, "BLANK without ZERO", "Write BLANK WHEN ZERO")
    entry.blank_when_zero = True


def _value(cursor: Cursor, entry: Entry, special_names: SpecialNames) -> None:
    word = cursor.take("VALUE")
    cursor.accept("IS", "ARE")
    entry.ranges = read_ranges(cursor, special_names)
    if entry.level == 88:
        if cursor.accept("WHEN", "FALSE"):
            cursor.accept("SET")
            cursor.accept("TO")
            cursor.accept("FALSE")
            cursor.accept("IS")
            read_ranges(cursor, special_names)
    elif len(entry.ranges) > 1 or entry.ranges[0].high is not None:
        raise cursor.error(word, "several values", "Only level 88 has more than one")


def _renames(cursor: Cursor, entry: Entry, _: SpecialNames) -> None:
    cursor.take("RENAMES")
    first = _qualified(cursor, "name of an item")
    last = _qualified(cursor, "name of an item") if cursor.accept("THRU", "THROUGH") else first
    entry.renames = (first, last)


def _no_bytes(cursor: Cursor, _entry: Entry, _: SpecialNames) -> None:
    """EXTERNAL, GLOBAL and VOLATILE say nothing about the bytes."""
    cursor.take("a clause")


_CLAUSES: dict[str, Clause] = {
    "PIC": _picture, "PICTURE": _picture, "USAGE": _usage,
    "SIGN": _sign, "LEADING": _sign, "TRAILING": _sign,
    "OCCURS": _occurs, "REDEFINES": _redefines, "RENAMES": _renames,
    "BYTE-LENGTH": _byte_length, "SYNC": _synchronized, "SYNCHRONIZED": _synchronized,
    "JUST": _justified, "JUSTIFIED": _justified, "BLANK": _blank,
    "VALUE": _value, "VALUES": _value,
    "EXTERNAL": _no_bytes, "GLOBAL": _no_bytes, "VOLATILE": _no_bytes,
}  # fmt: skip
_WORDS = frozenset(
    {*_CLAUSES, *_USAGES, "DEPENDING", "ASCENDING", "DESCENDING", "INDEXED"}
    | {usage.replace("COMP", "COMPUTATIONAL") for usage in _USAGES}
)
"""Reserved words that end a list of names."""
