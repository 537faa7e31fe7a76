"""The first reading of a file: everything is checked before the first event leaves."""

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
from adapters.legacy_cobol.transfer.members import NoMember, numbers
from adapters.legacy_cobol.transfer.publisher import Subjects, no_subject
from adapters.legacy_cobol.transfer.source_records import Document, SourceReader, SourceRecord

Progress = Callable[[int], None]
Keep = Callable[[list[Reject]], None]
Values = tuple[Decimal | None, ...]  # one for each sum
EXACT = Context(prec=100)  # digits of a sum of numbers of 38
REPORTED = 10_000  # rejects that are kept of a file once it is known to be refused


@dataclass(frozen=True, slots=True)
class ControlTotal:
    """A figure of a control record: what the sender says, what we find.

    `unknown` are rejected records whose value cannot be read, so that a sum proves nothing.
    """

    name: str
    stated: Decimal | None
    found: Decimal
    unknown: int = 0

    @property
    def agrees(self) -> bool:
        """Whether both say the same, or nobody can tell."""
        return self.stated == self.found or (self.unknown > 0 and self.stated is not None)

    def as_json(self) -> dict[str, Any]:
        """For the journal."""
        stated = None if self.stated is None else str(self.stated)
        return {
            "name": self.name, "stated": stated, "found": str(self.found),
            "unknown": self.unknown, "agrees": self.agrees,
        }  # fmt: skip


@dataclass(slots=True)
class CheckResult:
    """What the first reading found. `broken` says why the file is not what it claims to be."""

    records: int = 0
    rejected: int = 0
    events: int = 0
    totals: list[ControlTotal] = field(default_factory=list)
    day: str | None = None
    serial: int | None = None
    broken: str = ""
    crowded: bool = False  # more rejects than the threshold allows


class FileChecker:
    """Reads files of a feed through once."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._reader = SourceReader(feed.layout, feed.framing)
        self._controls = {each.record: each for each in feed.controls}
        self._summed = _summed(feed)
        self._read = numbers([figure.member for figure in self._summed])
        self._subjects = Subjects(feed)
        self._fields = {each.type.name: each.type for each in feed.layout.records}

    def check(self, file: Path, keep: Keep, progress: Progress = lambda _: None) -> CheckResult:
        """Check a file; rejects go to `keep`, piece by piece."""
        state = _State(self._feed.controls, len(self._summed))
        with localcontext(EXACT):
            try:
                for piece in self._reader.pieces(file):
                    keep(list(self._piece(piece, state)))
                    if piece:
                        progress(piece[-1].offset)
            except FramingError as error:
                state.checked.broken = state.checked.broken or str(error)
            return self._judge(state)

    def _piece(self, piece: Sequence[SourceRecord], state: "_State") -> Iterator[Reject]:
        checked = state.checked
        for unit, subject, values in zip(
            piece, self._subjects.of(piece), self._values(piece), strict=True
        ):
            state.ended(unit)
            if unit.kind in self._controls and not unit.faults:
                state.control(self._controls[unit.kind], unit)
                continue
            checked.records += len(unit.records)
            fault = (no_subject(str(subject)),) if isinstance(subject, NoMember) else ()
            if unit.faults or fault or unit.kind in self._controls:
                checked.rejected += len(unit.records)
                if not self._hopeless(checked) or checked.rejected <= REPORTED:
                    yield from (Reject.of(part, *fault) for part in unit.records)
            else:
                checked.events += 1
            if self._summed:
                self._add(unit, values, state)

    def _hopeless(self, checked: CheckResult) -> bool:
        bound = self._feed.threshold.records
        return bound is not None and checked.rejected > bound

    def _add(self, unit: SourceRecord, values: Values, state: "_State") -> None:
        bad = self._unreadable(unit) if unit.faults else ()
        for at, value in enumerate(values):
            if value is None or self._summed[at].member in bad or None in bad:
                state.unknown[at] += bool(unit.faults)
            else:
                state.sums[at] += value

    def _values(self, piece: Sequence[SourceRecord]) -> Iterable[Values]:
        """Of the members that are summed up."""
        good = iter(self._read([each.text for each in piece if not each.faults]))
        return (self._broken(each) if each.faults else next(good) for each in piece)

    def _broken(self, unit: SourceRecord) -> Values:
        """The same of a bad record: a broken number may break its text."""
        try:
            return self._read([unit.text])[0]
        except ValueError:
            return (None,) * len(self._summed)

    def _unreadable(self, unit: SourceRecord) -> set[str | None]:
        """Members of a rejected record that have no value; None stands for all of them."""
        kind = self._fields.get(unit.kind or "")
        found: set[str | None] = set()
        for fault in unit.faults:
            try:
                names = fault.field.partition("(")[0].split(".")
                assert kind is not None  # noqa: S101  (else there is no name to be found)
                found.add(kind.name_of(kind.record.find(*names)))
            except (KeyError, AssertionError):
                found.add(None)
        return found

    def _judge(self, state: "_State") -> CheckResult:
        checked = state.checked
        checked.broken = checked.broken or state.missing()
        for control, document in state.found:
            for name, figure in control.figures.items():
                self._figure(name, figure, document.get(name), state)
        checked.broken = checked.broken or next(
            (_disagreement(each) for each in checked.totals if not each.agrees), ""
        )
        checked.crowded = self._feed.threshold.broken(checked.rejected, checked.records)
        return checked

    def _figure(self, name: str, figure: ControlField, value: Any, state: "_State") -> None:
        checked = state.checked
        match figure.of:
            case ControlValue.COUNT:
                total = ControlTotal(name, number_of(value), Decimal(checked.records))
                checked.totals.append(total)
            case ControlValue.SUM:
                at = self._summed.index(figure)
                found = state.sums[at] % figure.modulo if figure.modulo else state.sums[at]
                total = ControlTotal(name, number_of(value), found, state.unknown[at])
                checked.totals.append(total)
            case ControlValue.SERIAL:
                number = number_of(value)
                checked.serial = None if number is None else int(number)
                if checked.serial is None:
                    checked.broken = checked.broken or f"{name} is no number"
            case ControlValue.DATE:
                checked.day = _day(str(value), figure.format)
                if checked.day is None:
                    checked.broken = checked.broken or f"{name}: {value!r} is no date"
            case ControlValue.VALUE if not _same(value, figure.value):
                checked.broken = checked.broken or f"{name} is {value!r}, not {figure.value!r}"


class _State:
    """What is known of a file while it is read."""

    def __init__(self, controls: tuple[ControlRecord, ...], sums: int) -> None:
        self.checked = CheckResult()
        self.sums = [Decimal(0)] * sums
        self.unknown = [0] * sums
        self.found: list[tuple[ControlRecord, Document]] = []
        self._wanted = controls
        self._seen: set[str] = set()
        self._first = True
        self._over = 0

    def ended(self, unit: SourceRecord) -> None:
        """A trailer has nothing behind it."""
        if self._over and not self.checked.broken:
            self.checked.broken = (
                f"record {unit.number} stands behind the trailer, which is record {self._over}"
            )

    def control(self, control: ControlRecord, unit: SourceRecord) -> None:
        """Note a header or trailer."""
        begins = control.place is ControlPlacement.BEGIN
        alone = not self.checked.records and not self._seen
        if control.record in self._seen or (begins and not alone):
            self.checked.broken = self.checked.broken or (
                f"record {unit.number} is a {control.record} where none belongs"
            )
        self._seen.add(control.record)
        self._over = self._over or (0 if begins else unit.number)
        if not self.checked.broken:  # a file of headers only would gather them all
            self.found.append((control, unit.document()))

    def missing(self) -> str:
        """A sentence about a control record that should be there."""
        for each in self._wanted:
            if each.record not in self._seen:
                place = "begin" if each.place is ControlPlacement.BEGIN else "end"
                return f"the file does not {place} with a good {each.record} record"
        return ""


def _summed(feed: Feed) -> list[ControlField]:
    return [f for each in feed.controls for f in each.figures.values() if f.of is ControlValue.SUM]


def _disagreement(total: ControlTotal) -> str:
    return f"{total.name}: the sender says {total.stated}, the file has {total.found}"


def _day(value: str, format: str) -> str | None:
    try:
        # A date has no zone: it is what the sender calls its day.
        return datetime.strptime(value, format).date().isoformat()  # noqa: DTZ007
    except ValueError:
        return None


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, str):
        return bool(value == wanted)
    return number_of(value) == number_of(wanted)
