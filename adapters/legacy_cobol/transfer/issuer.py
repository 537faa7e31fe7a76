"""Issue files from the spool: header, records, trailer, an atomic rename, a copy to reissue."""

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Context, Decimal, localcontext
from itertools import chain
from pathlib import Path
from typing import Any

from adapters.legacy_cobol.mapping.codecs import encoder_of
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.transfer.control_records import (
    ControlField,
    ControlPlacement,
    ControlRecord,
    ControlValue,
    number_of,
)
from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.folders import (
    ISSUED,
    OUTGOING,
    PROCESSING,
    move,
    sync_folder,
    write,
)
from adapters.legacy_cobol.transfer.members import follow, path_of
from adapters.legacy_cobol.transfer.spool import Issue, IssueState, Spool


class ControlRefused(ValueError):
    """A header or trailer cannot be encoded."""


class FileIssuer:
    """Issues the files of an outbound feed."""

    def __init__(self, feed: Feed, spool: Spool) -> None:
        self._feed = feed
        self._spool = spool
        self._encoder = encoder_of(feed.layout, feed.framing)
        self._summed = [
            control_field for each in feed.controls for control_field in each.fields.values()
            if control_field.of is ControlValue.SUM
        ]  # fmt: skip

    def close(self, now: datetime) -> Issue:
        """Issue a file of the waiting records, as many as the rotation allows."""
        day = now.astimezone(self._feed.rotation.zone).date()
        with self._spool.change():
            number, serial = self._spool.next_numbers(day.isoformat())
            name = self._feed.file_name.format(number=number, serial=serial, date=day)
            issue = self._spool.open_file(name, day.isoformat(), number, serial)
        return self.resume(issue)

    def resume(self, issue: Issue) -> Issue:
        """Take a file from its present state to outgoing/, or stop it."""
        path = self._feed.folder / PROCESSING / issue.name
        if issue.state is IssueState.CLOSING:
            try:
                issue = self._written(path, issue)
            except ControlRefused as refused:
                with localcontext(Context(prec=100)):
                    last = self._measure()[0]
                with self._spool.change():
                    return self._spool.stop(issue.number, last, str(refused))
        if path.exists():
            kept = self._feed.folder / ISSUED / issue.name
            kept.unlink(missing_ok=True)
            os.link(path, kept)
            sync_folder(kept.parent)
            move(path, self._feed.folder / OUTGOING / issue.name)
        with self._spool.change():
            return self._spool.update(issue.number, state=IssueState.ISSUED)

    def _written(self, path: Path, issue: Issue, held: int = 0) -> Issue:
        """Write a file, and forget its records in the spool. Raises ControlRefused."""
        last, records = self._write(path, issue, held)
        size, digest = _digest(path)
        with self._spool.change():
            self._spool.release(held) if held else self._spool.delete_until(last)
            issue = self._spool.update(
                issue.number, state=IssueState.ISSUING, records=records, size=size, digest=digest
            )
        self._spool.clear_log()
        return issue

    def reissue(self, number: int) -> Path:
        """Copy an issued file to outgoing/ again, byte by byte, or write a stopped one.

        Raises KeyError, and ControlRefused if a stopped file still cannot be written.
        """
        issue = self._spool.file(number)
        if issue.state is IssueState.STOPPED:
            path = self._feed.folder / PROCESSING / issue.name
            self.resume(self._written(path, issue, number))
            return self._feed.folder / OUTGOING / issue.name
        target = self._feed.folder / OUTGOING / issue.name
        with (self._feed.folder / ISSUED / issue.name).open("rb") as file:
            write(target, iter(lambda: file.read(1 << 20), b""))
        with self._spool.change():
            self._spool.update(number, issues=issue.issues + 1)
        return target

    def _write(self, path: Path, issue: Issue, held: int) -> tuple[int, int]:
        """Write the file. Returns its last position in the spool and its number of records."""
        with localcontext(Context(prec=100)):
            last, count, sums = self._measure(held)
            values = _ControlValues(issue, count, sums, self._summed)
            head, tail = (self._controls(place, values) for place in ControlPlacement)
            records = chain(head, self._waiting(last, held), tail)
            write(path, frame_records(records, self._feed.framing.body))
        return last, count

    def _measure(self, held: int = 0) -> tuple[int, int, list[Decimal]]:
        """The last position of the file, its number of records, and its sums."""
        last = count = size = 0
        sums = [Decimal(0)] * len(self._summed)
        for position, _, document, records in self._spool.events(held):
            if not held and self._feed.rotation.is_full(count, size):
                break
            last, count = position, count + len(records)
            size += sum(map(len, records))
            content = json.loads(document, parse_float=Decimal)
            for at, control_field in enumerate(self._summed):
                sums[at] += number_of(follow(content, path_of(control_field.member))) or 0
        return last, count, sums

    def _waiting(self, last: int, held: int) -> Iterator[bytes]:
        for position, _, _, records in self._spool.events(held):
            if position > last:
                break
            yield from records

    def _controls(self, place: ControlPlacement, values: "_ControlValues") -> list[bytes]:
        """The control records at the begin or the end. Raises ControlRefused."""
        return [self._control(each, values) for each in self._feed.controls if each.place is place]

    def _control(self, control: ControlRecord, values: "_ControlValues") -> bytes:
        document: dict[str, Any] = {}
        for name, each in control.fields.items():
            *above, last = path_of(name)
            inner = document
            for group in above:
                inner = inner.setdefault(group, {})
            inner[last] = values.value(each)
        blank = self._encoder.initial(control.record)
        encoded = self._encoder.encode([document], control.record, [blank])
        if encoded.records[0] is None:
            faults = "; ".join(map(str, encoded.faults[0]))
            raise ControlRefused(f"The {control.record} record cannot be encoded: {faults}")
        return encoded.records[0]


class _ControlValues:
    """The values of the fields of header and trailer."""

    def __init__(
        self, issue: Issue, count: int, sums: list[Decimal], summed: list[ControlField]
    ) -> None:
        self._issue = issue
        self._count = count
        self._sums = sums
        self._summed = summed

    def value(self, control_field: ControlField) -> Any:
        match control_field.of:
            case ControlValue.COUNT:
                return self._count
            case ControlValue.SERIAL:
                return self._issue.serial
            case ControlValue.DATE:
                return date.fromisoformat(self._issue.day).strftime(control_field.format)
            case ControlValue.VALUE:
                return control_field.value
        total = self._sums[self._summed.index(control_field)]
        return total % control_field.modulo if control_field.modulo else total


def _digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, digest
