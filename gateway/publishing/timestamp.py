"""Timestamps (RFC 3339, section 5.6), strictly: what every reader of the standard understands."""

import re
from datetime import UTC, datetime

_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIMESTAMP = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_MINUTE}:[0-6][0-9](?:\.[0-9]+)?(?:[Zz]|[+-]{_MINUTE})"
)
_LEAP_DAYS = {(6, 30), (12, 31)}


def is_timestamp(text: str) -> bool:
    """Whether `text` is a date of the calendar and a time with its offset from UTC.

    Second 60 is a time only where a leap second can be: 23:59:60 UTC at the end of June or of
    December (section 5.7). The year 0000 is refused, as most libraries cannot hold it.
    """
    if not _TIMESTAMP.fullmatch(text):
        return False
    leap = text[17:19] == "60"
    try:
        at = datetime.fromisoformat((text[:17] + "59" + text[19:] if leap else text).upper())
        return not leap or _may_leap(at.astimezone(UTC))
    except (ValueError, OverflowError):
        return False


def _may_leap(at: datetime) -> bool:
    return (at.hour, at.minute) == (23, 59) and (at.month, at.day) in _LEAP_DAYS
