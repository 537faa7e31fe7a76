"""A feed as its operator declares it in feed.toml: which files, which layout, which events."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from adapters.legacy_cobol.mapping.layout_file import Layout, read_layout
from adapters.legacy_cobol.mapping.section import LayoutError, Section
from adapters.legacy_cobol.records.framing import Framing
from adapters.legacy_cobol.transfer.control_records import ControlRecord, read_controls
from adapters.legacy_cobol.transfer.rotation import Rotation, read_rotation

FILE = "feed.toml"


class Direction(StrEnum):
    """Files to events, or events to files."""

    IN = "in"
    OUT = "out"


class Complete(StrEnum):
    """How one knows that a file in incoming/ is whole."""

    RENAME = "rename"  # it was written under another name: .NAME, NAME.part, .tmp or .filepart
    DONE = "done"  # NAME.done stands beside it, empty or with what a .ctl says
    CTL = "ctl"  # NAME.ctl says size, SHA-256 or counts


class Names(StrEnum):
    """Whether a name may come again with other content."""

    UNIQUE = "unique"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class Threshold:
    """More rejects than this refuse the whole file. None sets no bound."""

    records: int | None = None
    percent: Decimal | None = None

    def broken(self, rejects: int, records: int) -> bool:
        """Whether there are too many."""
        if self.records is not None and rejects > self.records:
            return True
        return self.percent is not None and rejects * 100 > self.percent * records


@dataclass(frozen=True, slots=True)
class EventMapping:
    """What a record type becomes. `subject` has members of the document in braces."""

    record: str
    type: str
    source: str = ""
    subject: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Feed:
    """Everything that is declared about a feed. `events` is by the name of the record type."""

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
    rotation: Rotation = Rotation()  # noqa: RUF009  (frozen)
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
    """The same from values; the layout is looked for in `beside`."""
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
        rotation=read_rotation(section.section("rotation")),
        file_name=section.text("file_name", ""),
    )
    section.close()
    _require_whole(feed, section)
    return feed


def _events(section: Section, layout: Layout) -> dict[str, EventMapping]:
    known = [each.type.name for each in layout.events]
    found = {}
    for each in section.sections("events"):
        record = each.text("record", known[0] if len(known) == 1 else "")
        if record not in known:
            raise each.error("record", f"{record!r} is no event", f"Take one of {', '.join(known)}")
        found[record] = EventMapping(
            record,
            each.text("type", ""),
            each.text("source", ""),
            each.text("subject", ""),
            each.section("attributes").content,
        )
        if not found[record].type:
            raise each.error("type", "is missing", "Name the event type, as id.go. ...")
        each.close()
    missing = [name for name in known if name not in found]
    if missing:
        raise section.error("events", f"nothing for {missing[0]}", "Say which event it becomes")
    return found


def _threshold(section: Section) -> Threshold:
    records, percent = section.any("records"), section.any("percent")
    section.close()
    for key, value in (("records", records), ("percent", percent)):
        if isinstance(value, bool) or not isinstance(value, int | Decimal | None):
            raise section.error(key, f"{value!r} is no number", "Write a number")
    return Threshold(records, None if percent is None else Decimal(percent))


def _require_whole(feed: Feed, section: Section) -> None:
    if feed.direction is Direction.IN:
        bare = [each.record for each in feed.events.values() if not each.source]
        if bare:
            raise section.error("events", f"{bare[0]} has no source", 'Write source = "/..."')
        return
    if not feed.subscription:
        raise section.error("subscription", "is missing", "Name the subscription to be read")
    if "{number}" not in feed.file_name and "{number:" not in feed.file_name:
        raise section.error(
            "file_name", "has no number", 'Write it as "NAME-{date:%Y%m%d}-{number:06}.DAT"'
        )
