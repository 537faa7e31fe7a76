"""Level 66: other names for neighbouring items."""

from adapters.legacy_cobol.copybook.elementary import CopybookContext
from adapters.legacy_cobol.copybook.entries import Entry
from adapters.legacy_cobol.copybook.layout import Item, Renames
from adapters.legacy_cobol.copybook.references import ends_in
from adapters.legacy_cobol.copybook.words import Word


def renames_of(entry: Entry, root: Item, context: CopybookContext) -> Renames:
    """What a level 66 entry stands for. Raises CopybookError."""
    first = _find(entry.renames[0], root, context)
    last = _find(entry.renames[1], root, context)
    length = last.offset + last.total - first.offset
    if length < first.total:
        raise context.error(
            entry.renames[1][0],
            f"{last.name} ends before {first.name} does",
            "Name the first item first",
        )
    return Renames(entry.name or "", first.path, last.path, first.offset, length)


def _find(words: tuple[Word, ...], root: Item, context: CopybookContext) -> Item:
    found = [each for each in root.walk() if each is not root and ends_in(each.path, words)]
    if len(found) != 1:
        raise context.error(
            words[0],
            f"{len(found)} items of {root.name} are called {words[0].upper}",
            "Name one item of the record, with OF and its group where that is needed",
        )
    return found[0]
