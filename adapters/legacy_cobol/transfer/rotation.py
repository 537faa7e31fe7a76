"""When an outbound file is closed: by count, by size, by time of day."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.legacy_cobol.mapping.section import Section

ZONE = "Asia/Jakarta"


@dataclass(frozen=True, slots=True)
class Rotation:
    """The first bound that is reached closes the file; 0 and no times set none."""

    records: int = 0
    bytes: int = 0
    times: tuple[time, ...] = ()
    zone: ZoneInfo = ZoneInfo(ZONE)  # noqa: RUF009  (immutable)
    empty: bool = False  # at a time of day, also a file without records

    def is_full(self, records: int, size: int) -> bool:
        """Whether no further record goes in."""
        return bool(self.records and records >= self.records) or bool(
            self.bytes and size >= self.bytes
        )

    def last_time(self, now: datetime) -> datetime | None:
        """The last closing time at or before now."""
        local = now.astimezone(self.zone)
        days = (local.date(), local.date() - timedelta(days=1))
        found = [datetime.combine(day, each, self.zone) for day in days for each in self.times]
        return max((each for each in found if each <= now), default=None)

    def next_time(self, now: datetime) -> datetime | None:
        """The first closing time after now."""
        local = now.astimezone(self.zone)
        days = (local.date(), local.date() + timedelta(days=1))
        found = [datetime.combine(day, each, self.zone) for day in days for each in self.times]
        return min((each for each in found if each > now), default=None)


def read_rotation(section: Section) -> Rotation:
    """What `rotation` declares. Raises LayoutError."""
    name = section.text("zone", ZONE)
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise section.error("zone", f"{name!r} is no time zone", "Write Asia/Jakarta") from None
    try:
        times = tuple(time.fromisoformat(each) for each in section.items("at"))
    except (TypeError, ValueError):
        raise section.error("at", "is no list of times", 'Write ["06:00", "23:30"]') from None
    found = Rotation(
        section.integer("records", 0),
        section.integer("bytes", 0),
        times,
        zone,
        section.flag("empty", False),
    )
    section.close()
    return found
