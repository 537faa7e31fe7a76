"""Names that refer to other items: the counter of OCCURS DEPENDING ON, and RENAMES."""

from adapters.legacy_cobol.copybook.elementary import CopybookContext
from adapters.legacy_cobol.copybook.entries import Entry, Table
from adapters.legacy_cobol.copybook.kinds import Binary, Packed, Zoned
from adapters.legacy_cobol.copybook.layout import Item, Renames
from adapters.legacy_cobol.copybook.words import Word

Path = tuple[str, ...]


def ends_in(path: Path, qualified: tuple[Word, ...]) -> bool:
    """Whether A OF B OF C may refer to the item with this path."""
    names = [word.upper for word in qualified]
    if path[-1] != names[0]:
        return False
    above = iter(reversed(path[:-1]))
    return all(any(each == name for each in above) for name in names[1:])


class Counters:
    """The elementary items of a record so far, and the tables around each of them."""

    def __init__(self, context: CopybookContext) -> None:
        self.context = context
        self.named: dict[str, list[tuple[Item, tuple[Path, ...]]]] = {}

    def add(self, item: Item, tables: tuple[Path, ...]) -> None:
        """Add an item that later tables may name."""
        self.named.setdefault(item.name, []).append((item, tables))

    def of(self, table: Table, tables: tuple[Path, ...]) -> Path:
        """The path of a table's counter. `tables` are those around it. Raises CopybookError."""
        words = table.counter
        name = words[0]
        found = [each for each in self.named.get(name.upper, ()) if ends_in(each[0].path, words)]
        if not found:
            raise self.context.error(
                name,
                f"there is no item {name.upper} before the table in this record",
                "Put the counter into the record, before its table",
            )
        if len(found) > 1:
            raise self.context.error(
                name,
                f"{len(found)} items are named {name.upper}",
                "Add OF and the name of the group",
            )
        item, around = found[0]
        if around != tables[: len(around)] or item.occurs is not None:
            raise self.context.error(
                name,
                f"{name.upper} is in a table that does not contain the table it counts",
                "Use a counter outside of that table",
            )
        self._check_kind(item, name)
        return item.path

    def _check_kind(self, item: Item, name: Word) -> None:
        kind = item.kind
        if not isinstance(kind, Zoned | Packed | Binary) or kind.scale != 0:
            raise self.context.error(
                name, f"{name.upper} is not an integer, so it cannot count", "Use an integer item"
            )


def renames_of(entry: Entry, root: Item, context: CopybookContext) -> Renames:
    """The items that a level 66 entry renames. Raises CopybookError."""
    first = _find(entry.renames[0], root, context)
    last = _find(entry.renames[1], root, context)
    length = last.offset + last.total - first.offset
    if length < first.total:
        raise context.error(
            entry.renames[1][0],
            f"{last.name} ends before {first.name}",
            "Name the first item first",
        )
    return Renames(entry.name or "", first.path, last.path, first.offset, length)


def _find(words: tuple[Word, ...], root: Item, context: CopybookContext) -> Item:
    found = [each for each in root.walk() if each is not root and ends_in(each.path, words)]
    if len(found) != 1:
        raise context.error(
            words[0],
            f"{len(found)} items of {root.name} are named {words[0].upper}",
            "Name one item of the record, with OF and its group if needed",
        )
    return found[0]
