"""Finding the item that counts a table."""

from adapters.legacy_cobol.copybook.elementary import CopybookContext
from adapters.legacy_cobol.copybook.entries import Table
from adapters.legacy_cobol.copybook.kinds import Binary, Packed, Zoned
from adapters.legacy_cobol.copybook.layout import Item
from adapters.legacy_cobol.copybook.words import Word

Path = tuple[str, ...]


def ends_in(path: Path, qualified: tuple[Word, ...]) -> bool:
    """Whether A OF B OF C may mean the item with this path."""
    names = [word.upper for word in qualified]
    if path[-1] != names[0]:
        return False
    above = iter(reversed(path[:-1]))
    return all(any(each == name for each in above) for name in names[1:])


class Counters:
    """The elementary items of a record so far, and the tables around each."""

    def __init__(self, context: CopybookContext) -> None:
        self.context = context
        self.named: dict[str, list[tuple[Item, tuple[Path, ...]]]] = {}

    def add(self, item: Item, tables: tuple[Path, ...]) -> None:
        """An item that tables behind it may name."""
        self.named.setdefault(item.name, []).append((item, tables))

    def of(self, table: Table, tables: tuple[Path, ...]) -> Path:
        """The path of a table's counter. `tables` are those around it. Raises CopybookError."""
        words = table.counter
        name = words[0]
        found = [each for each in self.named.get(name.upper, ()) if ends_in(each[0].path, words)]
        if not found:
            raise self.context.error(
                name,
                f"no item {name.upper} stands in this record in front of the table",
                "Put the counter into the record, before the table that it counts",
            )
        if len(found) > 1:
            raise self.context.error(
                name, f"{len(found)} items are called {name.upper}", "Add OF and the group's name"
            )
        item, around = found[0]
        if around != tables[: len(around)] or item.occurs is not None:
            raise self.context.error(
                name,
                f"{name.upper} stands in a table that is not around the one it counts",
                "Take a counter outside of that table",
            )
        self._check_kind(item, name)
        return item.path

    def _check_kind(self, item: Item, name: Word) -> None:
        kind = item.kind
        if not isinstance(kind, Zoned | Packed | Binary) or kind.scale != 0:
            raise self.context.error(
                name, f"{name.upper} is no integer and cannot count", "Take an item of digits only"
            )
