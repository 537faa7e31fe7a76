"""The names that feed.toml has of members of documents: each must exist in the layout."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from string import Formatter

from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.mapping.section import LayoutError
from adapters.legacy_cobol.transfer.control_records import ControlRecord, ControlValue


def check_names(
    layout: Layout, subjects: Mapping[str, str], controls: Sequence[ControlRecord], where: str
) -> None:
    """Check the subjects of events, by record type, and the fields of control records.

    Raises LayoutError.
    """
    values = {each.type.name: each.type.values for each in layout.records}
    for number, (record, subject) in enumerate(subjects.items(), 1):
        for _, name, _, _ in Formatter().parse(subject):
            if name is not None:
                _check(name, values[record], f"{where}events[{number}].subject", record)
    summed = {name for each in subjects for name in values[each]}
    for number, control in enumerate(controls, 1):
        known = values[control.record]
        for name, control_field in control.fields.items():
            key = f"{where}control[{number}].fields.{name}"
            _check(name, known, key, control.record)
            if control_field.of is ControlValue.SUM:
                _check(control_field.member, summed, f"{key}.member", ", ".join(subjects))


def _check(name: str, known: Collection[str], key: str, record: str) -> None:
    if name in known:
        return
    near = get_close_matches(name, known, 1) or [
        each for each in known if each.rpartition(".")[2] == name
    ]
    remedy = f"Perhaps you mean {near[0]}" if near else f"Known: {', '.join(sorted(known))}"
    raise LayoutError(key, f"the documents of {record} have no value {name!r}", remedy)


def check_file_name(text: str, key: str) -> None:
    """Check the braces of the names of files. Raises LayoutError."""
    try:
        text.format(number=1, serial=1, date=date(2026, 1, 2))
    except (KeyError, IndexError, ValueError, AttributeError):
        raise LayoutError(
            key, f"{text!r} has other braces", "Use {number}, {serial} and {date:%Y%m%d}"
        ) from None
