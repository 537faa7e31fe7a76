"""A feed, as feed.toml declares it: which files, which layout, which events."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.legacy_cobol.mapping.layout_file import Layout, read_layout
from adapters.legacy_cobol.mapping.section import LayoutError, Section
from adapters.legacy_cobol.records.framing import Framing
from adapters.legacy_cobol.transfer.control_records import ControlRecord, read_controls
from adapters.legacy_cobol.transfer.feed_names import check_file_name, check_names

FILE = "feed.toml"
ZONE = "Asia/Jakarta"


class Direction(StrEnum):
    """Whether files become events, or events become files."""

    IN = "in"
    OUT = "out"


class Complete(StrEnum):
    """How to know that a file in incoming/ is complete."""

    RENAME = "rename"  # it is written as .NAME, NAME.part, .tmp or .filepart, then renamed
    DONE = "done"  # NAME.done is beside it, empty or with the content of a .ctl
    CTL = "ctl"  # NAME.ctl is beside it, with size, SHA-256 or number of records


class Names(StrEnum):
    """Whether a file name may be used again for other content."""

    UNIQUE = "unique"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class Threshold:
    """More rejected records than this refuse the whole file. None sets no bound."""

    records: int | None = None
    percent: Decimal | None = None

    def exceeded(self, rejects: int, records: int) -> bool:
        """Whether there are too many rejected records."""
        if self.records is not None and rejects > self.records:
            return True
        return self.percent is not None and rejects * 100 > self.percent * records


@dataclass(frozen=True, slots=True)
class EventMapping:
    """The event that a record type becomes. `subject` has members of the document in braces."""

    record: str
    type: str
    source: str = ""
    subject: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rotation:
    """When an outbound file is issued: at the first bound that is reached. 0 sets no bound."""

    records: int = 0
    bytes: int = 0
    times: tuple[time, ...] = ()
    zone: ZoneInfo = ZoneInfo(ZONE)  # noqa: RUF009  (immutable)
    empty: bool = False  # also issue a file without records, at a time of day

    def is_full(self, records: int, size: int) -> bool:
        """Whether the file takes no further record."""
        return bool(self.records and records >= self.records) or bool(
            self.bytes and size >= self.bytes
        )

    def last_time(self, now: datetime) -> datetime | None:
        """The last time of day at or before now."""
        local = now.astimezone(self.zone)
        days = (local.date(), local.date() - timedelta(days=1))
        found = [datetime.combine(day, each, self.zone) for day in days for each in self.times]
        return max((each for each in found if each <= now), default=None)

    def next_time(self, now: datetime) -> datetime | None:
        """The first time of day after now."""
        local = now.astimezone(self.zone)
        days = (local.date(), local.date() + timedelta(days=1))
        found = [datetime.combine(day, each, self.zone) for day in days for each in self.times]
        return min((each for each in found if each > now), default=None)


@dataclass(frozen=True, slots=True)
class Feed:
    """The declaration of a feed. `events` maps record types to events."""

    name: str
    folder: Path
    direction: Direction
    layout: Layout
    framing: Framing
    events: Mapping[str, EventMapping]
    controls: tuple[ControlRecord, ...] = ()
    pattern: str = "*"
    complete: Complete = Complete.RENAME
    names: Names = Names.UNIQUE
    threshold: Threshold = Threshold()
    subscription: str = ""
    rotation: Rotation = Rotation()
    file_name: str = ""


def read_feed(folder: Path, file: Path | None = None) -> Feed:
    """The feed of a folder. Raises LayoutError, CopybookError and OSError."""
    file = file or folder / FILE
    try:
        content = tomllib.loads(file.read_text(), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LayoutError(str(file), str(error), "Correct the TOML of the feed") from None
    return feed_of(content, folder, file.parent, str(file))


def feed_of(content: Mapping[str, Any], folder: Path, beside: Path, name: str = "feed") -> Feed:
    """The feed that values declare. `beside` is the folder of the layout."""
    section = Section(content, f"{name}: ")
    layout = read_layout(beside / section.text("layout", "layout.toml"))
    if layout.framing is None:
        raise section.error("layout", "has no framing", "Declare [framing] in it")
    feed = Feed(
        name=section.text("name", folder.resolve().name),
        folder=folder,
        direction=section.choice("direction", Direction.IN),
        layout=layout,
        framing=layout.framing,
        events=_events(section, layout),
        controls=read_controls(section, layout),
        pattern=section.text("pattern", "*"),
        complete=section.choice("complete", Complete.RENAME),
        names=section.choice("names", Names.UNIQUE),
        threshold=_threshold(section.section("threshold")),
        subscription=section.text("subscription", ""),
        rotation=_rotation(section.section("rotation")),
        file_name=section.text("file_name", ""),
    )
    section.close()
    _require_complete(feed, section)
    subjects = {each.record: each.subject for each in feed.events.values()}
    check_names(layout, subjects, feed.controls, section.where)
    return feed


def _events(section: Section, layout: Layout) -> dict[str, EventMapping]:
    known = [each.type.name for each in layout.events]
    found = {}
    for each in section.sections("events"):
        record = each.text("record", known[0] if len(known) == 1 else "")
        if record not in known:
            raise each.error(
                "record", f"{record!r} is not an event", f"Use one of {', '.join(known)}"
            )
        found[record] = EventMapping(
            record,
            each.text("type", ""),
            each.text("source", ""),
            each.text("subject", ""),
            each.section("attributes").content,
        )
        if not found[record].type:
            raise each.error("type", "is missing", "Name the event type, for example id.go. ...")
        each.close()
    missing = [name for name in known if name not in found]
    if missing:
        raise section.error("events", f"nothing for {missing[0]}", "Declare which event it becomes")
    return found


def _threshold(section: Section) -> Threshold:
    records, percent = section.any("records"), section.any("percent")
    section.close()
    for key, value in (("records", records), ("percent", percent)):
        if isinstance(value, bool) or not isinstance(value, int | Decimal | None):
            raise section.error(key, f"{value!r} is not a number", "Write a number")
    return Threshold(records, None if percent is None else Decimal(percent))


def _rotation(section: Section) -> Rotation:
    """The rotation that a feed declares. Raises LayoutError."""
    name = section.text("zone", ZONE)
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise section.error(
            "zone", f"{name!r} is not a time zone", "Write a name like Asia/Jakarta"
        ) from None
    try:
        times = tuple(time.fromisoformat(each) for each in section.items("at"))
    except (TypeError, ValueError):
        raise section.error("at", "is not a list of times", 'Write ["06:00", "23:30"]') from None
    found = Rotation(
        section.integer("records", 0),
        section.integer("bytes", 0),
        times,
        zone,
        section.flag("empty", False),
    )
    section.close()
    return found


def _require_complete(feed: Feed, section: Section) -> None:
    if feed.direction is Direction.IN:
        bare = [each.record for each in feed.events.values() if not each.source]
        if bare:
            raise section.error("events", f"{bare[0]} has no source", 'Write source = "/..."')
        return
    if not feed.subscription:
        raise section.error("subscription", "is missing", "Name the subscription to read")
    if "{number}" not in feed.file_name and "{number:" not in feed.file_name:
        raise section.error(
            "file_name", "has no number", 'Write it as "NAME-{date:%Y%m%d}-{number:06}.DAT"'
        )
    check_file_name(feed.file_name, f"{section.where}file_name")
