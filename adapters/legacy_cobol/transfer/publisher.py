"""The second reading: good records become events, in batches, a few of them under way."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from adapters.client import Problem
from adapters.legacy_cobol.records.chunk_reader import ResumePoint
from adapters.legacy_cobol.transfer.feed import EventMapping, Feed
from adapters.legacy_cobol.transfer.journal import File, Journal, Reject
from adapters.legacy_cobol.transfer.members import NoMember, template
from adapters.legacy_cobol.transfer.sender import Answer, Sender
from adapters.legacy_cobol.transfer.source_records import Fault, SourceReader, SourceRecord

BATCH_EVENTS, BATCH_BYTES = 1000, 3_500_000  # the gateway's limits are 1000 and 4 MiB
DEPTH = 4  # batches under way
_encode = msgspec.json.Encoder().encode
CHECKPOINT = 1.0  # seconds between two commits


@dataclass(slots=True)
class Batch:
    """Events to be sent together. `last` is the last record read, which may be no event."""

    units: list[SourceRecord] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)
    rejects: list[Reject] = field(default_factory=list)
    last: SourceRecord | None = None
    size: int = 2


@dataclass(slots=True)
class _Settled:
    """What was settled since the last commit."""

    published: int = 0
    repeated: int = 0
    rejects: list[Reject] = field(default_factory=list)
    behind: ResumePoint | None = None


class Subjects:
    """The subjects of events, as the feed declares them."""

    def __init__(self, feed: Feed) -> None:
        self._templates = {name: template(each.subject) for name, each in feed.events.items()}

    def of(self, units: Sequence[SourceRecord]) -> list[str | NoMember]:
        """One for each unit, "" for none; a NoMember where the record has no value for it."""
        found: list[str | NoMember] = [""] * len(units)
        for kind, fill in self._templates.items():
            mine = [at for at, each in enumerate(units) if each.kind == kind and not each.faults]
            for at, subject in zip(mine, fill([units[at].text for at in mine]), strict=True):
                found[at] = subject
        return found


class Envelope:
    """Events of a file: the same record always gives the same event."""

    def __init__(self, feed: Feed, digest: str) -> None:
        self._heads = {name: _head(each, digest) for name, each in feed.events.items()}
        self._id = digest[:32].encode()  # 128 bits tell files apart

    def event(self, unit: SourceRecord, subject: str) -> bytes:
        """The event of a record."""
        return b'%b%b"id":"%b-%d","data":%b}' % (
            self._heads[unit.kind or ""],
            b'"subject":%b,' % _encode(subject) if subject else b"",
            self._id, unit.number, unit.text,
        )  # fmt: skip


def _head(published: EventMapping, digest: str) -> bytes:
    """What all events of a file have in common. The trace is that of the file."""
    common = {
        "specversion": "1.0",
        "type": published.type,
        "source": published.source,
        "datacontenttype": "application/json",
        "traceparent": f"00-{digest[:32]}-{digest[32:48]}-01",
        **published.attributes,
    }
    return json.dumps(common, ensure_ascii=False).encode()[:-1] + b","


def batches(
    pieces: Iterable[Sequence[SourceRecord]], feed: Feed, envelope: Envelope
) -> Iterator[Batch]:
    """The events of records; rejected and control records only move on."""
    batch, subjects = Batch(), Subjects(feed)
    for piece in pieces:
        for unit, subject in zip(piece, subjects.of(piece), strict=True):
            if isinstance(subject, NoMember):
                batch.rejects.append(Reject.of(unit, no_subject(str(subject))))
            elif not unit.faults and unit.kind in feed.events:
                text = envelope.event(unit, subject)
                if len(batch.texts) >= BATCH_EVENTS or batch.size + len(text) > BATCH_BYTES:
                    yield batch
                    batch = Batch()
                batch.units.append(unit)
                batch.texts.append(text)
                batch.subjects.add(subject)
                batch.size += len(text) + 1
            batch.last = unit
    if batch.last is not None:
        yield batch


class FilePublisher:
    """Publishes the rest of a file from where the journal says."""

    def __init__(self, feed: Feed, journal: Journal, sender: Sender) -> None:
        self._feed = feed
        self._journal = journal
        self._sender = sender
        self._done = _Settled()
        self._committed = 0.0

    async def run(
        self, file: File, path: Path, progress: Callable[[File], None] = lambda _: None
    ) -> File:
        """Publish; every record is settled when this returns. What is settled survives a kill."""
        reader = SourceReader(self._feed.layout, self._feed.framing)
        envelope = Envelope(self._feed, file.digest or "")
        pieces = reader.pieces(path, file.position)
        waiting = batches(pieces, self._feed, envelope)
        flight: deque[tuple[Batch, asyncio.Task[list[Answer]]]] = deque()
        try:
            while (batch := await asyncio.to_thread(next, waiting, None)) is not None:
                while flight and (len(flight) >= DEPTH or _meet(batch, flight)):
                    await self._settle(*flight[0])
                    flight.popleft()
                    file = self._commit(file)
                    progress(file)
                flight.append((batch, asyncio.create_task(self._send(batch, file))))
            while flight:
                await self._settle(*flight[0])
                flight.popleft()
        finally:
            for _, task in flight:
                task.cancel()
            file = self._commit(file, now=True)
            progress(file)
        return file

    async def _send(self, batch: Batch, file: File) -> list[Answer]:
        if not batch.texts:
            return []

        def note(text: str) -> None:
            with self._journal.change():
                self._journal.update(file.arrival, note=text)

        return await self._sender.send(batch.texts, note)

    async def _settle(self, batch: Batch, task: "asyncio.Task[list[Answer]]") -> None:
        answers = await task
        done = self._done
        for unit, answer in zip(batch.units, answers, strict=True):
            if isinstance(answer, Problem):
                fault = fault_of(answer)
                done.rejects += [Reject.of(part, fault) for part in unit.records]
            else:
                done.published += 1
                done.repeated += answer
        done.rejects += batch.rejects
        done.behind = batch.last.behind if batch.last else None

    def _commit(self, file: File, *, now: bool = False) -> File:
        done = self._done
        due = now or time.monotonic() - self._committed >= CHECKPOINT
        if done.behind is None or not due:
            return file
        with self._journal.change():
            self._journal.reject(file.arrival, done.rejects)
            file = self._journal.update(
                file.arrival,
                position=done.behind,
                published=file.published + done.published,
                repeated=file.repeated + done.repeated,
                rejected=self._journal.count_rejects(file.arrival),
            )
        self._done, self._committed = _Settled(), time.monotonic()
        return file


def _meet(batch: Batch, flight: Iterable[tuple[Batch, object]]) -> bool:
    """Whether one of these is about a subject that is under way: its events stay in order."""
    return any(not batch.subjects.isdisjoint(other.subjects - {""}) for other, _ in flight)


def no_subject(member: str) -> Fault:
    """For a record whose event has no subject."""
    return Fault(member, "no-subject", "Send a value: it is the subject of the event.")


def fault_of(problem: Problem) -> Fault:
    """Why the gateway refused, as a fault of the record."""
    advice = "Correct the value in the sending system, or talk to the owner of the contract."
    detail = problem.detail or problem.title
    field_ = "(event)"
    if problem.violations:
        first = problem.violations[0]
        field_ = first.pointer.lstrip("/").replace("/", ".") or "(document)"
        detail = "; ".join(f"{each.pointer or '/'} {each.message}" for each in problem.violations)
    return Fault(field_, f"gateway:{problem.code}", advice, detail=detail)
