"""Header and trailer records: which of their fields say what about the file.

The same declaration is checked in files that come and filled in in files that go.
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
    """What a field of a control record holds."""

    COUNT = "count"  # the records between header and trailer
    SUM = "sum"  # of a member; with a modulo it is a hash total
    SERIAL = "serial"  # 1, 2, 3 within a date; without one, for good
    DATE = "date"  # the day of the file
    VALUE = "value"  # always the same


class ControlPlacement(StrEnum):
    """Where the control record stands."""

    BEGIN = "begin"
    END = "end"


@dataclass(frozen=True, slots=True)
class ControlField:
    """One field. `format` is that of a date, as in strftime."""

    of: ControlValue
    member: str = ""
    modulo: int = 0
    value: Any = None
    format: str = "%Y%m%d"


@dataclass(frozen=True, slots=True)
class ControlRecord:
    """A control record: its record type, its place, its fields by member name."""

    record: str
    place: ControlPlacement
    figures: Mapping[str, ControlField]


def number_of(value: Any) -> Decimal | None:
    """A value of a document as a number; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        found = Decimal(value)
    except ArithmeticError:
        return None
    return found if found.is_finite() else None


def read_controls(section: Section, layout: Layout) -> tuple[ControlRecord, ...]:
    """What `control` declares. Raises LayoutError."""
    known = [each.type.name for each in layout.records if each.role is Role.CONTROL]
    found = []
    for each in section.sections("control"):
        record = each.text("record", "")
        if record not in known:
            raise each.error(
                "record", f"{record!r} is no control record", f"Known: {', '.join(known) or 'none'}"
            )
        place = each.choice("place", ControlPlacement.END)
        figures = {name: _figure(inner, f"{name}") for name, inner in each.named("fields")}
        found.append(ControlRecord(record, place, figures))
        each.close()
    places = [each.place for each in found]
    if len(set(places)) != len(places):
        raise section.error("control", "two records at one place", "Give one header, one trailer")
    missing = [name for name in known if name not in {each.record for each in found}]
    if missing:
        raise section.error(
            "control", f"nothing for {missing[0]}", "Say what its fields hold; fields may be empty"
        )
    return tuple(found)


def _figure(section: Section, name: str) -> ControlField:
    of = section.one_of("of", ControlValue, None)
    if of is None:
        raise section.error("of", f"{name} has none", f"Take one of {', '.join(ControlValue)}")
    figure = ControlField(
        of,
        section.text("member", ""),
        section.integer("modulo", 0),
        section.any("value"),
        section.text("format", "%Y%m%d"),
    )
    section.close()
    if of is ControlValue.SUM and not figure.member:
        raise section.error("member", "is missing", "Name the member that is summed up")
    return figure
