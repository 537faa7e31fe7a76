"""Compute positions: from the tree of entries to records in which every byte is known."""

from dataclasses import dataclass, field, replace

from adapters.legacy_cobol.copybook.elementary import (
    CopybookContext,
    Inherited,
    has_sign_alone,
    kind_of,
)
from adapters.legacy_cobol.copybook.entries import Entry
from adapters.legacy_cobol.copybook.errors import CopybookError
from adapters.legacy_cobol.copybook.kinds import Binary, Float
from adapters.legacy_cobol.copybook.layout import Condition, Item, Notice, Occurs, Record
from adapters.legacy_cobol.copybook.placement import shortest
from adapters.legacy_cobol.copybook.references import Counters, renames_of

LARGEST_RECORD = 134_217_727  # bytes, the limit of IBM Enterprise COBOL


@dataclass(frozen=True, slots=True)
class _Context:
    """The group whose children are placed."""

    path: tuple[str, ...]
    offset: int
    inherited: Inherited
    moves: bool = False
    last: bool = True  # it is the last item of the record
    tables: tuple[tuple[str, ...], ...] = ()  # the tables around it


@dataclass(slots=True)
class _PlacedChildren:
    """The children of a group that are placed."""

    after: int  # the offset after all of them
    items: list[Item] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    bases: dict[str, Item] = field(default_factory=dict)  # items that REDEFINES may name now
    varies: bool = False

    def add(self, item: Item) -> None:
        self.items.append(item)
        self.after = max(self.after, item.offset + item.total)
        counted = item.occurs is not None and item.occurs.counter and not item.occurs.reserved
        self.varies = self.varies or item.varies or bool(counted)


def lay_out_records(
    entries: list[Entry], context: CopybookContext, notices: list[Notice], *, lenient: bool = False
) -> tuple[Record, ...]:
    """The records of these entries of level 01 and 77. Raises CopybookError.

    `lenient`: records that cannot be placed are left out, if there are others.
    """
    records: list[Record] = []
    names: dict[str, int] = {}
    for number, entry in enumerate(entries, 1):
        name = _unique(entry, names, context, notices)
        try:
            records.append(_RecordBuilder(context, notices).record(entry, name, records))
        except CopybookError as error:
            if not lenient or (number == len(entries) and not records):
                raise
            notices.append(left_out(name, error))
    return tuple(records)


def left_out(name: str, error: CopybookError) -> Notice:
    """The notice about a record of a program that cannot be read."""
    where = error.where
    return Notice(where.file, where.line, where.column, f"{name} is left out: {error.problem}")


class _RecordBuilder:
    """Builds one record."""

    def __init__(self, context: CopybookContext, notices: list[Notice]) -> None:
        self.context = context
        self.notices = notices
        self.counters = Counters(context)

    def record(self, entry: Entry, name: str, before: list[Record]) -> Record:
        """The record with its lengths and its level 66 names."""
        if entry.redefines is not None and entry.redefines.upper not in [r.name for r in before]:
            raise self._unknown_base(entry)
        if entry.table is not None:
            raise self.context.error(
                entry.table.at, "OCCURS at level 01", "Put the table into a group below level 01"
            )
        root = self._item(entry, name, _Context((), 0, Inherited()))
        if entry.redefines is not None:
            root = replace(root, redefines=entry.redefines.upper)
        renames = tuple(renames_of(each, root, self.context) for each in entry.others)
        return Record(root, shortest(root), root.length, renames)

    def _item(self, entry: Entry, name: str, place: _Context) -> Item:
        path = (*place.path, name)
        occurs = self._occurs(entry, path, place)
        inherited = place.inherited.with_group(entry)
        item = self._plain(entry, path, place)
        if entry.children:
            tables = (*place.tables, path) if occurs else place.tables
            inside = replace(place, path=path, inherited=inherited, tables=tables)
            item = self._with_children(item, entry, inside)
        elif entry.usage == "POINTER" or (entry.usage is None and inherited.usage == "POINTER"):
            item = self._pointer(item, entry)
        else:
            kind, usage = kind_of(entry, place.inherited, self.context)
            item = replace(item, kind=kind, usage=usage, length=kind.length)
            if entry.sign is not None and entry.picture and "S" not in entry.picture.upper:
                effect = "it is read as signed" if has_sign_alone(entry) else "SIGN is ignored"
                self._notice(entry, f"{name} has SIGN but no S in its picture: {effect}")
            self.counters.add(replace(item, occurs=occurs), place.tables)
        uneven = occurs is not None and any(
            each.occurs and each.occurs.counter and each.occurs.counter[: len(path)] == path
            for each in item.walk()
        )
        item = replace(item, occurs=occurs, uneven=uneven)
        if item.offset + item.total > LARGEST_RECORD:
            raise self.context.error(
                entry.at, f"a record of more than {LARGEST_RECORD} bytes", "Make it smaller"
            )
        return item

    def _plain(self, entry: Entry, path: tuple[str, ...], place: _Context) -> Item:
        """The item without kind, length and children."""
        where = self.context.source.where(entry.at.start)
        return Item(
            level=entry.level,
            name=path[-1],
            path=path,
            offset=place.offset,
            length=0,
            conditions=tuple(Condition(each.name or "", each.ranges) for each in entry.conditions),
            value=entry.ranges[0].low if entry.ranges else None,
            moves=place.moves,
            picture=entry.picture.text if entry.picture else None,
            filler=entry.name is None,
            line=where.line,
            file=where.file,
        )

    def _occurs(self, entry: Entry, path: tuple[str, ...], place: _Context) -> Occurs | None:
        table = entry.table
        if table is None:
            return None
        if not table.counter:
            return Occurs(table.maximum, table.maximum)
        counter = self.counters.of(table, place.tables)
        stays = not self.context.dialect.slides and (not place.last or bool(place.tables))
        if stays:
            text = f"{path[-1]} always takes {table.maximum} occurrences, whatever {counter[-1]} is"
            self._notice(entry, f"{text}; declare slides if the items after it move")
        minimum = 0 if self.context.dialect.empty_tables else table.minimum
        return Occurs(minimum, table.maximum, counter, reserved=stays)

    def _pointer(self, item: Item, entry: Entry) -> Item:
        if entry.picture is not None:
            raise self.context.error(
                entry.picture, "a pointer takes no PICTURE", "Remove the PICTURE"
            )
        text = f"the POINTER {item.name} is skipped: its bytes have no meaning outside its program"
        self._notice(entry, text)
        length = self.context.dialect.pointer_length
        return replace(item, usage="POINTER", length=length, filler=True)

    def _with_children(self, item: Item, entry: Entry, inside: _Context) -> Item:
        self._check_group(entry)
        siblings = _PlacedChildren(item.offset)
        for index, child in enumerate(entry.children):
            last = inside.last and index == len(entry.children) - 1
            siblings.add(self._child(child, siblings, replace(inside, last=last)))
        length = siblings.after - item.offset
        item = replace(
            item,
            children=tuple(siblings.items),
            length=length,
            varies=siblings.varies,
            usage=inside.inherited.usage or "DISPLAY",
        )
        if entry.table is None:
            return item
        padding = -length % self._largest_boundary(entry, inside.inherited)
        if self.context.dialect.late_padding and not item.children[-1].redefines:
            return _padded_late(item, padding)
        return replace(item, length=length + padding, padding=padding)

    def _child(self, entry: Entry, siblings: _PlacedChildren, inside: _Context) -> Item:
        name = _unique(entry, siblings.names, self.context, self.notices)
        moves = inside.moves or siblings.varies
        if entry.redefines is not None:
            return self._redefining(entry, name, siblings, replace(inside, moves=moves))
        slack = -siblings.after % self._leading_boundary(entry, inside.inherited)
        offset = siblings.after + slack
        item = self._item(entry, name, replace(inside, offset=offset, moves=moves))
        siblings.bases = {name: item}
        return replace(item, slack=slack)

    def _redefining(
        self, entry: Entry, name: str, siblings: _PlacedChildren, inside: _Context
    ) -> Item:
        base = siblings.bases.get(entry.redefines.upper) if entry.redefines else None
        if base is None:
            raise self._unknown_base(entry)
        item = self._item(entry, name, replace(inside, offset=base.offset, moves=base.moves))
        for each in (base, item):
            if any(one.occurs and one.occurs.counter for one in each.walk()):
                raise self.context.error(
                    entry.at,
                    f"{each.name} contains OCCURS DEPENDING ON and shares its bytes",
                    "Describe the variants as records of their own, at level 01",
                )
        if item.total > base.total:
            self._notice(entry, f"{name} is longer than {base.name}, which it redefines")
        siblings.bases[name] = base
        return replace(item, redefines=base.name)

    def _unknown_base(self, entry: Entry) -> Exception:
        word = entry.redefines or entry.at
        return self.context.error(
            word,
            f"{word.upper} is not the item just before {entry.name or 'FILLER'}",
            "Name the previous item of the same level, or the item that it redefines",
        )

    def _check_group(self, entry: Entry) -> None:
        if entry.justified or entry.blank_when_zero:
            raise self.context.error(
                entry.at,
                "a group cannot have JUSTIFIED or BLANK WHEN ZERO",
                "Move the clause to its items",
            )

    def _leading_boundary(self, entry: Entry, inherited: Inherited) -> int:
        """The boundary of an item: its offset must be a multiple of it."""
        if not entry.children:
            return self._boundary(entry, inherited)
        if not self.context.dialect.slack_before_groups:
            return 1
        return self._leading_boundary(entry.children[0], inherited.with_group(entry))

    def _largest_boundary(self, entry: Entry, inherited: Inherited) -> int:
        """The largest boundary in a group. `inherited` contains the clauses of the group."""
        largest = 1
        for child in entry.children:
            if child.children:
                boundary = self._largest_boundary(child, inherited.with_group(child))
                largest = 1 if self.context.dialect.late_padding else largest
            else:
                boundary = self._boundary(child, inherited)
            largest = max(largest, boundary)
        return largest

    def _boundary(self, entry: Entry, inherited: Inherited) -> int:
        if not (entry.synchronized or inherited.synchronized):
            return 1
        dialect = self.context.dialect
        if "POINTER" in (entry.usage, entry.usage or inherited.usage):
            return dialect.boundary(dialect.pointer_length)
        kind, _ = kind_of(entry, inherited, self.context)
        if not isinstance(kind, Binary | Float):
            return 1
        return dialect.boundary(kind.length, floating=isinstance(kind, Float))

    def _notice(self, entry: Entry, text: str) -> None:
        self.notices.append(_notice_at(entry, text, self.context))


def _padded_late(item: Item, padding: int) -> Item:
    """The item with padding before its last elementary item."""
    if not item.children:
        return replace(item, offset=item.offset + padding, slack=item.slack + padding)
    last = _padded_late(item.children[-1], padding)
    return replace(item, children=(*item.children[:-1], last), length=item.length + padding)


def _notice_at(entry: Entry, text: str, context: CopybookContext) -> Notice:
    where = context.source.where(entry.at.start)
    return Notice(where.file, where.line, where.column, text)


def _unique(
    entry: Entry, names: dict[str, int], context: CopybookContext, notices: list[Notice]
) -> str:
    """The unique name of an entry among its siblings: the second FILLER is FILLER-2."""
    name = unique = entry.name or "FILLER"
    while unique in names:
        names[name] += 1
        unique = f"{name}-{names[name]}"
    names[unique] = 1
    if unique != name and entry.name is not None:
        notices.append(_notice_at(entry, f"a second {name}: it is named {unique}", context))
    return unique
