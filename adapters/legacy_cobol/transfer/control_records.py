"""Header and trailer records: what their fields state about the file.

The same declaration checks the files of an inbound feed and fills in the files of an outbound one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.mapping.record_types import Role
from adapters.legacy_cobol.mapping.section import Section


class ControlValue(StrEnum):
    """What a field of a control record states."""

    COUNT = "count"  # the records between header and trailer
    SUM = "sum"  # of a member; with a modulo, a hash total
    SERIAL = "serial"  # 1, 2, 3, ... within a date, or for ever if no field is a date
    DATE = "date"  # the day of the file
    VALUE = "value"  # a constant


class ControlPlacement(StrEnum):
    """Whether the control record is a header or a trailer."""

    BEGIN = "begin"
    END = "end"


@dataclass(frozen=True, slots=True)
class ControlField:
    """One field of a control record. `format` is that of a date, as in strftime."""

    of: ControlValue
    member: str = ""
    modulo: int = 0
    value: Any = None
    format: str = "%Y%m%d"


@dataclass(frozen=True, slots=True)
class ControlRecord:
    """A control record: its record type, its placement, and its fields by member name."""

    record: str
    place: ControlPlacement
    fields: Mapping[str, ControlField]


def number_of(value: Any) -> Decimal | None:
    """A value of a document as a number; None if it is not a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        found = Decimal(value)
    except ArithmeticError:
        return None
    return found if found.is_finite() else None


def read_controls(section: Section, layout: Layout) -> tuple[ControlRecord, ...]:
    """The control records that a feed declares. Raises LayoutError."""
    known = [each.type.name for each in layout.records if each.role is Role.CONTROL]
    found = []
    for each in section.sections("control"):
        record = each.text("record", "")
        if record not in known:
            raise each.error(
                "record",
                f"{record!r} is not a control record",
                f"Known: {', '.join(known) or 'none'}",
            )
        place = each.choice("place", ControlPlacement.END)
        fields = {name: _control_field(inner, f"{name}") for name, inner in each.named("fields")}
        found.append(ControlRecord(record, place, fields))
        each.close()
    places = [each.place for each in found]
    if len(set(places)) != len(places):
        raise section.error(
            "control", "two records have the same place", "Declare one header and one trailer"
        )
    missing = [name for name in known if name not in {each.record for each in found}]
    if missing:
        raise section.error(
            "control",
            f"nothing for {missing[0]}",
            "Declare what its fields state; fields may be empty",
        )
    return tuple(found)


def _control_field(section: Section, name: str) -> ControlField:
    of = section.one_of("of", ControlValue, None)
    if of is None:
        raise section.error("of", f"{name} has none", f"Use one of {', '.join(ControlValue)}")
    control_field = ControlField(
        of,
        section.text("member", ""),
        section.integer("modulo", 0),
        section.any("value"),
        section.text("format", "%Y%m%d"),
    )
    section.close()
    if of is ControlValue.SUM and not control_field.member:
        raise section.error("member", "is missing", "Name the member to sum")
    return control_field
