"""Check a whole file before its first event is published."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any

from adapters.legacy_cobol.records.framing import FramingError
from adapters.legacy_cobol.transfer.control_records import (
    ControlField,
    ControlPlacement,
    ControlRecord,
    ControlValue,
    number_of,
)
from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.journal import Reject
from adapters.legacy_cobol.transfer.members import NoMember, follow, numbers, path_of
from adapters.legacy_cobol.transfer.publisher import Subjects, no_subject
from adapters.legacy_cobol.transfer.source_records import Document, SourceReader, SourceRecord

ReportProgress = Callable[[int], None]
Keep = Callable[[list[Reject]], None]
Values = tuple[Decimal | None, ...]  # one for each sum
EXACT = Context(prec=100)  # sums of numbers of 38 digits
REPORTED = 10_000  # rejected records kept of a file that is refused anyway


@dataclass(frozen=True, slots=True)
class ControlTotal:
    """A control total: the value that the sender states, and the value that we find.

    `unknown` counts rejected records whose value cannot be read. With any, a sum proves nothing.
    """

    name: str
    stated: Decimal | None
    found: Decimal
    unknown: int = 0

    @property
    def agrees(self) -> bool:
        """Whether both are equal, or nobody can know."""
        return self.stated == self.found or (self.unknown > 0 and self.stated is not None)

    def as_json(self) -> dict[str, Any]:
        """As JSON, for the journal."""
        stated = None if self.stated is None else str(self.stated)
        return {
            "name": self.name, "stated": stated, "found": str(self.found),
            "unknown": self.unknown, "agrees": self.agrees,
        }  # fmt: skip


@dataclass(slots=True)
class CheckResult:
    """What the check found. `problem` says why the file must be quarantined."""

    records: int = 0
    rejected: int = 0
    events: int = 0
    totals: list[ControlTotal] = field(default_factory=list)
    day: str | None = None
    serial: int | None = None
    problem: str = ""
    over_threshold: bool = False  # more rejects than the threshold allows


class FileChecker:
    """Checks files of a feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._reader = SourceReader(feed.layout, feed.framing)
        self._controls = {each.record: each for each in feed.controls}
        self._summed = _summed(feed)
        self._read = numbers([control_field.member for control_field in self._summed])
        self._subjects = Subjects(feed)
        self._fields = {each.type.name: each.type for each in feed.layout.records}

    def check(
        self, file: Path, keep: Keep, progress: ReportProgress = lambda _: None
    ) -> CheckResult:
        """Check a file. Rejected records go to `keep`, batch by batch."""
        state = _State(self._feed.controls, len(self._summed))
        with localcontext(EXACT):
            try:
                for records in self._reader.read(file):
                    keep(list(self._check(records, state)))
                    if records:
                        progress(records[-1].offset)
            except FramingError as error:
                state.checked.problem = state.checked.problem or str(error)
            return self._conclude(state)

    def _check(self, records: Sequence[SourceRecord], state: "_State") -> Iterator[Reject]:
        checked = state.checked
        for record, subject, values in zip(
            records, self._subjects.of(records), self._values(records), strict=True
        ):
            state.check_end(record)
            if record.kind in self._controls and not record.faults:
                state.control(self._controls[record.kind], record)
                continue
            checked.records += len(record.records)
            fault = (no_subject(str(subject)),) if isinstance(subject, NoMember) else ()
            if record.faults or fault or record.kind in self._controls:
                checked.rejected += len(record.records)
                if not self._surely_refused(checked) or checked.rejected <= REPORTED:
                    yield from (Reject.of(part, *fault) for part in record.records)
            else:
                checked.events += 1
            if self._summed:
                self._add(record, values, state)

    def _surely_refused(self, checked: CheckResult) -> bool:
        bound = self._feed.threshold.records
        return bound is not None and checked.rejected > bound

    def _add(self, record: SourceRecord, values: Values, state: "_State") -> None:
        bad = self._unreadable(record) if record.faults else ()
        for at, value in enumerate(values):
            if value is None or self._summed[at].member in bad or None in bad:
                state.unknown[at] += bool(record.faults)
            else:
                state.sums[at] += value

    def _values(self, records: Sequence[SourceRecord]) -> Iterable[Values]:
        """The values of the members that are summed."""
        good = iter(self._read([each.text for each in records if not each.faults]))
        return (self._values_of_bad(each) if each.faults else next(good) for each in records)

    def _values_of_bad(self, record: SourceRecord) -> Values:
        """The values of a bad record, as far as its text can be parsed."""
        try:
            return self._read([record.text])[0]
        except ValueError:
            return (None,) * len(self._summed)

    def _unreadable(self, record: SourceRecord) -> set[str | None]:
        """Members of a rejected record that cannot be read; None means all of them."""
        kind = self._fields.get(record.kind or "")
        found: set[str | None] = set()
        for fault in record.faults:
            try:
                names = fault.field.partition("(")[0].split(".")
                assert kind is not None  # noqa: S101  (else there is no name to be found)
                path = kind.record.find(*names).path
                found |= {name for name, paths in kind.values.items() if path in paths} or {None}
            except (KeyError, AssertionError):
                found.add(None)
        return found

    def _conclude(self, state: "_State") -> CheckResult:
        checked = state.checked
        checked.problem = checked.problem or state.missing()
        for control, document in state.found:
            for name, control_field in control.fields.items():
                value = follow(document, path_of(name))
                self._check_control_field(name, control_field, value, state)
        checked.problem = checked.problem or next(
            (_disagreement(each) for each in checked.totals if not each.agrees), ""
        )
        checked.over_threshold = self._feed.threshold.exceeded(checked.rejected, checked.records)
        return checked

    def _check_control_field(
        self, name: str, control_field: ControlField, value: Any, state: "_State"
    ) -> None:
        checked = state.checked
        match control_field.of:
            case ControlValue.COUNT:
                total = ControlTotal(name, number_of(value), Decimal(checked.records))
                checked.totals.append(total)
            case ControlValue.SUM:
                at = self._summed.index(control_field)
                found = (
                    state.sums[at] % control_field.modulo
                    if control_field.modulo
                    else state.sums[at]
                )
                total = ControlTotal(name, number_of(value), found, state.unknown[at])
                checked.totals.append(total)
            case ControlValue.SERIAL:
                number = number_of(value)
                checked.serial = None if number is None else int(number)
                if checked.serial is None:
                    checked.problem = checked.problem or f"{name} is not a number"
            case ControlValue.DATE:
                checked.day = _day(str(value), control_field.format)
                if checked.day is None:
                    checked.problem = checked.problem or f"{name} is not a date"
            case ControlValue.VALUE if not _same(value, control_field.value):
                checked.problem = checked.problem or f"{name} is not {control_field.value!r}"


class _State:
    """What is known about a file while it is read."""

    def __init__(self, controls: tuple[ControlRecord, ...], sums: int) -> None:
        self.checked = CheckResult()
        self.sums = [Decimal(0)] * sums
        self.unknown = [0] * sums
        self.found: list[tuple[ControlRecord, Document]] = []
        self._wanted = controls
        self._seen: set[str] = set()
        self._first = True
        self._trailer = 0

    def check_end(self, record: SourceRecord) -> None:
        """Nothing may follow the trailer."""
        if self._trailer and not self.checked.problem:
            self.checked.problem = (
                f"record {record.number} follows the trailer, which is record {self._trailer}"
            )

    def control(self, control: ControlRecord, record: SourceRecord) -> None:
        """Remember a header or trailer."""
        begins = control.place is ControlPlacement.BEGIN
        alone = not self.checked.records and not self._seen
        if control.record in self._seen or (begins and not alone):
            self.checked.problem = self.checked.problem or (
                f"record {record.number} is a {control.record} at a wrong position"
            )
        self._seen.add(control.record)
        self._trailer = self._trailer or (0 if begins else record.number)
        if not self.checked.problem:  # else a file of headers alone would fill the memory
            self.found.append((control, record.document()))

    def missing(self) -> str:
        """Why the file must be quarantined, if a control record is missing."""
        for each in self._wanted:
            if each.record not in self._seen:
                place = "begin" if each.place is ControlPlacement.BEGIN else "end"
                return f"the file does not {place} with a good {each.record} record"
        return ""


def _summed(feed: Feed) -> list[ControlField]:
    return [f for each in feed.controls for f in each.fields.values() if f.of is ControlValue.SUM]


def _disagreement(total: ControlTotal) -> str:
    return f"{total.name}: the sender states {total.stated}, the file has {total.found}"


def _day(value: str, format: str) -> str | None:
    try:
        # A date has no time zone: it is the day as the sender names it.
        return datetime.strptime(value, format).date().isoformat()  # noqa: DTZ007
    except ValueError:
        return None


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, str):
        return bool(value == wanted)
    return number_of(value) == number_of(wanted)
