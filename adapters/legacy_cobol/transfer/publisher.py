"""Publish the records of a checked file as events, several batches in in_flight."""

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
IN_FLIGHT = 4  # batches
_encode = msgspec.json.Encoder().encode
CHECKPOINT = 1.0  # seconds between two commits


@dataclass(slots=True)
class Batch:
    """Events to be sent in one call. `last` is the last record read, event or not."""

    records: list[SourceRecord] = field(default_factory=list)
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
    after: ResumePoint | None = None


class Subjects:
    """Computes the subjects of events, as the feed declares them."""

    def __init__(self, feed: Feed) -> None:
        self._templates = {name: template(each.subject) for name, each in feed.events.items()}

    def of(self, records: Sequence[SourceRecord]) -> list[str | NoMember]:
        """The subject of each record, "" for none; NoMember if the record has no value for it."""
        found: list[str | NoMember] = [""] * len(records)
        for kind, fill in self._templates.items():
            mine = [at for at, each in enumerate(records) if each.kind == kind and not each.faults]
            for at, subject in zip(mine, fill([records[at].text for at in mine]), strict=True):
                found[at] = subject
        return found


class Envelope:
    """Makes the events of a file. The same record always becomes the same event."""

    def __init__(self, feed: Feed, digest: str) -> None:
        self._heads = {name: _head(each, digest) for name, each in feed.events.items()}
        self._id = digest[:32].encode()  # 128 bits tell files apart

    def event(self, record: SourceRecord, subject: str) -> bytes:
        """The event of a record."""
        return b'%b%b"id":"%b-%d","data":%b}' % (
            self._heads[record.kind or ""],
            b'"subject":%b,' % _encode(subject) if subject else b"",
            self._id, record.number, record.text,
        )  # fmt: skip


def _head(published: EventMapping, digest: str) -> bytes:
    """The attributes that all events of a file share. The file is one trace."""
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
    source: Iterable[Sequence[SourceRecord]], feed: Feed, envelope: Envelope
) -> Iterator[Batch]:
    """Group the events of records. Rejected and control records only advance `last`."""
    batch, subjects = Batch(), Subjects(feed)
    for records in source:
        for record, subject in zip(records, subjects.of(records), strict=True):
            if isinstance(subject, NoMember):
                batch.rejects.append(Reject.of(record, no_subject(str(subject))))
            elif not record.faults and record.kind in feed.events:
                text = envelope.event(record, subject)
                if len(batch.texts) >= BATCH_EVENTS or batch.size + len(text) > BATCH_BYTES:
                    yield batch
                    batch = Batch()
                batch.records.append(record)
                batch.texts.append(text)
                batch.subjects.add(subject)
                batch.size += len(text) + 1
            batch.last = record
    if batch.last is not None:
        yield batch


class FilePublisher:
    """Publishes the rest of a file, from the position in the journal."""

    def __init__(self, feed: Feed, journal: Journal, sender: Sender) -> None:
        self._feed = feed
        self._journal = journal
        self._sender = sender
        self._done = _Settled()
        self._committed = 0.0

    async def run(
        self, file: File, path: Path, progress: Callable[[File], None] = lambda _: None
    ) -> File:
        """Publish until every record is settled. After a kill, settled records stay settled."""
        reader = SourceReader(self._feed.layout, self._feed.framing)
        envelope = Envelope(self._feed, file.digest or "")
        waiting = batches(reader.read(path, file.position), self._feed, envelope)
        in_flight: deque[tuple[Batch, asyncio.Task[list[Answer]]]] = deque()
        try:
            while (batch := await asyncio.to_thread(next, waiting, None)) is not None:
                while in_flight and (
                    len(in_flight) >= IN_FLIGHT or _shares_subject(batch, in_flight)
                ):
                    await self._settle(*in_flight[0])
                    in_flight.popleft()
                    file = self._commit(file)
                    progress(file)
                in_flight.append((batch, asyncio.create_task(self._send(batch, file))))
            while in_flight:
                await self._settle(*in_flight[0])
                in_flight.popleft()
        finally:
            for _, task in in_flight:
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
        for record, answer in zip(batch.records, answers, strict=True):
            if isinstance(answer, Problem):
                fault = fault_of(answer)
                done.rejects += [Reject.of(part, fault) for part in record.records]
            else:
                done.published += 1
                done.repeated += answer
        done.rejects += batch.rejects
        done.after = batch.last.after if batch.last else None

    def _commit(self, file: File, *, now: bool = False) -> File:
        done = self._done
        due = now or time.monotonic() - self._committed >= CHECKPOINT
        if done.after is None or not due:
            return file
        with self._journal.change():
            self._journal.reject(file.arrival, done.rejects)
            file = self._journal.update(
                file.arrival,
                position=done.after,
                published=file.published + done.published,
                repeated=file.repeated + done.repeated,
                rejected=self._journal.count_rejects(file.arrival),
            )
        self._done, self._committed = _Settled(), time.monotonic()
        return file


def _shares_subject(batch: Batch, in_flight: Iterable[tuple[Batch, object]]) -> bool:
    """Whether a subject of the batch is in in_flight. Its events must stay in order."""
    return any(not batch.subjects.isdisjoint(other.subjects - {""}) for other, _ in in_flight)


def no_subject(member: str) -> Fault:
    """The fault of a record without the value that is its subject."""
    return Fault(member, "no-subject", "Send a value: it is the subject of the event.")


def fault_of(problem: Problem) -> Fault:
    """The refusal of the gateway, as a fault of the record."""
    advice = "Correct the value in the sending system, or talk to the owner of the contract."
    detail = problem.detail or problem.title
    field_ = "(event)"
    if problem.violations:
        first = problem.violations[0]
        field_ = first.pointer.lstrip("/").replace("/", ".") or "(document)"
        detail = "; ".join(f"{each.pointer or '/'} {each.message}" for each in problem.violations)
    return Fault(field_, f"gateway:{problem.code}", advice, detail=detail)
