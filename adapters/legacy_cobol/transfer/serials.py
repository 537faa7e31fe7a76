"""The serials of the files of a feed: 1, 2, 3, within a date or for ever."""

from adapters.legacy_cobol.transfer.control_records import ControlValue
from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.file_check import CheckResult
from adapters.legacy_cobol.transfer.journal import Journal


def wrong_serial(feed: Feed, checked: CheckResult, journal: Journal | None) -> str:
    """Why a file must be quarantined, if its serial is not the next one; else an empty text."""
    if checked.serial is None:
        return ""
    last = None if journal is None else journal.last_serial(checked.day)
    dated = any(f.of is ControlValue.DATE for c in feed.controls for f in c.fields.values())
    wanted = last + 1 if last is not None else (1 if dated else checked.serial)
    if checked.serial == wanted:
        return ""
    of = f" of {checked.day}" if checked.day else ""
    return f"serial {checked.serial}{of}, but {wanted} is the next one"
