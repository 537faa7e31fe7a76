"""Level numbers make a tree of entries."""

from adapters.legacy_cobol.copybook.clauses import read_entry
from adapters.legacy_cobol.copybook.entries import Cursor, Entry, sentences
from adapters.legacy_cobol.copybook.layout import Notice
from adapters.legacy_cobol.copybook.picture import SpecialNames
from adapters.legacy_cobol.copybook.source import Source

_IMPLIED = "RECORD"


def read_records(source: Source, special_names: SpecialNames, notices: list[Notice]) -> list[Entry]:
    """The 01 and 77 entries, everything else below them. Raises CopybookError."""
    records: list[Entry] = []
    branch: list[Entry] = []  # from the record down to the entry read last
    for cursor in sentences(source):
        entry = read_entry(cursor, special_names)
        if entry.level == 88:
            _add_condition(entry, branch, cursor)
        elif entry.level == 66:
            _add_renames(entry, branch, cursor)
        elif entry.level in (1, 77):
            branch = [entry]
            records.append(entry)
        else:
            if not branch or branch[0].level == 77:
                branch = [_implied(entry, source, notices)]
                records.append(branch[0])
            _add_child(entry, branch, cursor)
    if not records:
        raise source.error(0, "no data description entry", "Give a copybook with a level 01")
    return records


def _implied(entry: Entry, source: Source, notices: list[Notice]) -> Entry:
    where = source.where(entry.at.start)
    text = f"no level 01 before this entry: a record called {_IMPLIED} is put above it"
    notices.append(Notice(where.file, where.line, where.column, text))
    return Entry(1, _IMPLIED, entry.at)


def _add_child(entry: Entry, branch: list[Entry], cursor: Cursor) -> None:
    while branch[-1].level >= entry.level:
        branch.pop()
    above = branch[-1]
    if above.picture is not None:
        raise cursor.error(
            entry.at,
            f"an item below {above.name or 'FILLER'}, which has a PICTURE",
            "Correct the level number, or take the PICTURE of the group out",
        )
    above.children.append(entry)
    branch.append(entry)


def _add_condition(entry: Entry, branch: list[Entry], cursor: Cursor) -> None:
    if not branch:
        raise cursor.error(entry.at, "level 88 without an item above it", "Put it behind its item")
    if not entry.ranges:
        raise cursor.error(entry.at, "level 88 without VALUE", "Give it at least one value")
    branch[-1].conditions.append(entry)


def _add_renames(entry: Entry, branch: list[Entry], cursor: Cursor) -> None:
    if not branch or not entry.renames:
        raise cursor.error(
            entry.at, "level 66 needs RENAMES and a record above it", "Write 66 A RENAMES B THRU C"
        )
    branch[0].others.append(entry)
