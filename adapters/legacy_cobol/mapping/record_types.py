"""Read the record types of a layout file, with their selectors, names and policies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from adapters.legacy_cobol.copybook.kinds import (
    Binary,
    Edited,
    Float,
    Kind,
    National,
    Packed,
    Text,
    Zoned,
)
from adapters.legacy_cobol.copybook.layout import Copybook, Item, Range, Record
from adapters.legacy_cobol.fields.policy import Meaning, Policy
from adapters.legacy_cobol.mapping.section import LayoutError, Section
from adapters.legacy_cobol.records.record_type import Path, RecordType, Selector
from adapters.legacy_cobol.records.segments import Segment


class Role(StrEnum):
    """The role of a record in its feed."""

    EVENT = "event"
    CONTROL = "control"  # header or trailer: checked, never published


class Conditions(StrEnum):
    """What level 88 means for the values of a field."""

    CLOSED = "closed"  # it has no other values
    OPEN = "open"  # other values are allowed


@dataclass(frozen=True, slots=True)
class DeclaredRecord:
    """A record type and its role, segment, conditions and titles."""

    type: RecordType
    role: Role = Role.EVENT
    segment: Segment | None = None  # how it belongs to the event of another record
    open_conditions: frozenset[Path] = frozenset()
    titles: dict[Path, str] = field(default_factory=dict)

    @property
    def is_event(self) -> bool:
        """Whether it becomes an event."""
        return self.role is Role.EVENT and self.segment is None


def read_record_types(section: Section, copybook: Copybook) -> tuple[DeclaredRecord, ...]:
    """The declared record types in order, or all records of the copybook."""
    common = _policies(section.section("policy"))
    conditions = section.choice("conditions", Conditions.CLOSED)
    found = [
        _declaration(each, copybook, common, conditions) for each in section.sections("records")
    ]
    if not found:
        types = [
            RecordType(each.name.lower(), each, kinds=common.kinds, policy=common.all)
            for each in copybook.records
        ]
        found = [
            DeclaredRecord(each, open_conditions=_all_open(each, conditions)) for each in types
        ]
    names = {each.type.name for each in found}
    for each in found:
        if len(names) != len(found) or (each.segment and each.segment.parent not in names):
            raise section.error(
                "records",
                "names are missing or not unique",
                "Give each record a name, and name existing parents",
            )
    _check_lists(section, found)
    return tuple(found)


def _check_lists(section: Section, found: list[DeclaredRecord]) -> None:
    """Raises LayoutError if a list of segments has the name of another member of its parent."""
    taken = {each.type.name: set(each.type.top_members) for each in found}
    for each in found:
        if each.segment is None:
            continue
        if each.segment.name in taken[each.segment.parent]:
            raise section.error(
                "records",
                f"{each.segment.parent} has another member {each.segment.name!r}",
                f"Declare another list for {each.segment.kind}",
            )
        taken[each.segment.parent].add(each.segment.name)


def _declaration(
    section: Section, copybook: Copybook, common: "_Policies", conditions: Conditions
) -> DeclaredRecord:
    record = _record(section, copybook)
    name = section.text("name", record.name.lower())
    names, policies, titles = {}, {}, {}
    open_conditions = set()
    for path, each in _fields(section, "fields", record):
        names[path] = each.text("name", "")
        titles[path] = each.text("title", "")
        if each.choice("conditions", conditions) is Conditions.OPEN:
            open_conditions.add(path)
        policies[path] = _policy(each, common.of(record.find(*path)))
    if conditions is Conditions.OPEN:
        open_conditions |= {each.path for each in record.items()} - set(names)
    variants = {
        path: _selectors(each, "when", record)
        for path, each in _fields(section, "variants", record)
    }
    when = _selectors(section, "when", record, close=False)
    names = {path: each for path, each in names.items() if each}
    optional = _optional(section, record)
    try:
        type_ = RecordType(
            name, record, when, variants, names, policies, common.kinds, optional, common.all
        )
    except ValueError as error:
        raise section.error("fields", str(error), "Member names are unique") from None
    role = section.choice("role", Role.EVENT)
    segment = _segment(section, name)
    section.close()
    return DeclaredRecord(type_, role, segment, frozenset(open_conditions), titles)


def _optional(section: Section, record: Record) -> Path:
    name = section.text("optional", "")
    if not name:
        return ()
    inner = Section({}, f"{section.where}optional.")
    item = _item(inner, name, record)
    tables = [each.path for each in record.items() if each.occurs is not None]
    if item.redefines or any(item.path[: len(path)] == path != item.path for path in tables):
        raise section.error(
            "optional", f"{name} is in a table or redefines another item", "Name another item"
        )
    return item.path


def _all_open(kind: RecordType, conditions: Conditions) -> frozenset[Path]:
    if conditions is Conditions.CLOSED:
        return frozenset()
    return frozenset(each.path for each in kind.record.items())


def _record(section: Section, copybook: Copybook) -> Record:
    only = copybook.records[0].name if len(copybook.records) == 1 else ""
    name = section.text("record", only)
    try:
        return copybook.record(name)
    except KeyError as error:
        raise section.error("record", str(error.args[0]), "Name a level 01") from None


def _segment(section: Section, name: str) -> Segment | None:
    parent = section.text("parent", "")
    members = section.text("list", f"{name}s")
    return Segment(name, parent, members) if parent else None


def _fields(section: Section, key: str, record: Record) -> Iterator[tuple[Path, Section]]:
    for name, each in section.named(key):
        yield _item(each, name, record).path, each


def _item(section: Section, name: str, record: Record) -> Item:
    """The item with a name like NIK or GROUP.NIK."""
    try:
        return record.find(*name.split("."))
    except KeyError as error:
        raise LayoutError(
            section.where.rstrip("."), str(error.args[0]), "Qualify it, as in GROUP.FIELD"
        ) from None


_KINDS: dict[str, type[Kind]] = {
    "text": Text, "national": National, "zoned": Zoned, "packed": Packed,
    "binary": Binary, "float": Float, "edited": Edited,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Policies:
    """The policies that a layout declares for all fields, and for all of one kind."""

    all: Policy
    kinds: Mapping[type[Kind], Policy]

    def of(self, item: Item) -> Policy:
        """The policy of an item that declares nothing itself."""
        if item.kind is None:
            return self.all
        return self.kinds.get(type(item.kind)) or self.all.suited_to(type(item.kind))


def _policies(section: Section) -> _Policies:
    section.known.update(_KINDS)
    inner = {name: section.section(name) for name in _KINDS if name in section.content}
    common = _policy(section, Policy())
    kinds = {_KINDS[name]: each for name, each in inner.items()}
    return _Policies(
        common, {kind: _policy(each, common.suited_to(kind)) for kind, each in kinds.items()}
    )


def _policy(section: Section, common: Policy) -> Policy:
    if common.shared and section.content.keys() & {"blanks", "low_values", "high_values"}:
        common = replace(common, blanks=None, low_values=None, high_values=None, shared=False)
    policy = Policy(
        blanks=section.one_of("blanks", Meaning, common.blanks),
        low_values=section.one_of("low_values", Meaning, common.low_values),
        high_values=section.one_of("high_values", Meaning, common.high_values),
        trim=section.choice("trim", common.trim),
        padding=section.choice("padding", common.padding),
        form=section.choice("form", common.form),
        controls=section.flag("controls", common.controls),
        preferred_signs=section.flag("preferred_signs", common.preferred_signs),
        shared=common.shared,
    )
    section.close()
    return policy


def _selectors(
    section: Section, key: str, record: Record, *, close: bool = True
) -> tuple[Selector, ...]:
    found = tuple(_selector(each, record) for each in section.sections(key))
    if close:
        section.close()
    return found


def _selector(section: Section, record: Record) -> Selector:
    condition = section.text("condition", "")
    name = section.text("field", "")
    values = section.items("values")
    low, high = section.any("from"), section.any("thru")
    section.close()
    if condition:
        try:
            return Selector.condition(record, condition)
        except KeyError as error:
            raise section.error("condition", str(error.args[0]), "Name a level 88") from None
    path = _item(section, name, record).path
    ranges = [Range(_literal(section, "values", each)) for each in values]
    if low is not None or high is not None:
        ranges.append(Range(_literal(section, "from", low), _literal(section, "thru", high)))
    if not ranges:
        raise section.error(
            "values", "no values are selected", "Give values, or from and thru, or a condition"
        )
    return Selector(path, tuple(ranges))


def _literal(section: Section, key: str, value: Any) -> str | Decimal:
    if isinstance(value, str | Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise section.error(key, f"{value!r} is not a value of a field", "Write a text or a number")
