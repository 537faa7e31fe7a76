"""Take a file from incoming/ to its outcome: state by state, each safe to repeat."""

import asyncio
import hashlib
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from adapters.legacy_cobol.transfer.acknowledgement import acknowledgement
from adapters.legacy_cobol.transfer.feed import Feed, Names
from adapters.legacy_cobol.transfer.file_check import CheckResult, FileChecker
from adapters.legacy_cobol.transfer.folders import (
    ACKS,
    DONE,
    FAILED,
    INCOMING,
    PROCESSING,
    REJECTS,
    move,
    write,
)
from adapters.legacy_cobol.transfer.incoming import MARKERS, BadMarker, marker_text, parse_marker
from adapters.legacy_cobol.transfer.journal import (
    File,
    FileOutcome,
    FileState,
    Journal,
    Reject,
    now,
)
from adapters.legacy_cobol.transfer.masking import masked
from adapters.legacy_cobol.transfer.publisher import FilePublisher
from adapters.legacy_cobol.transfer.reject_report import rejects_file, report, report_lines
from adapters.legacy_cobol.transfer.sender import Sender
from adapters.legacy_cobol.transfer.serials import wrong_serial

ReportProgress = Callable[[File, int], None]
_BLOCK = 1 << 20


class Intake:
    """Takes in the files of a feed. `progress` gets a file and how many bytes of it were read."""

    def __init__(
        self, feed: Feed, journal: Journal, sender: Sender,
        progress: ReportProgress = lambda _file, _bytes: None,
    ) -> None:  # fmt: skip
        self._feed = feed
        self._journal = journal
        self._sender = sender
        self._checker = FileChecker(feed)
        self._progress = progress

    async def take(self, incoming: Path) -> File:
        """Take in a complete file of incoming/."""
        file = self._journal.claim(incoming.name, marker_text(self._feed, incoming))
        return await self.resume(file)

    async def resume(self, file: File) -> File:
        """Take a file from its present state to its outcome."""
        log = structlog.get_logger()
        while file.state is not FileState.FINISHED:
            match file.state:
                case FileState.CLAIMED:
                    file = self._fetch(file)
                case FileState.CHECKING:
                    file = await asyncio.to_thread(self._check, file)
                case FileState.PUBLISHING:
                    file = await self._publish(file)
                case FileState.FINISHING:
                    file = self._finish(file)
        log.info(
            "legacy.file_finished", feed=self._feed.name, file=masked(file.name),
            arrival=file.arrival, outcome=str(file.outcome), records=file.records,
            published=file.published,
            rejected=file.rejected, reason=masked(file.reason),
        )  # fmt: skip
        return file

    def set_aside(self, name: str, error: Exception) -> File:
        """Set a file aside on which the program failed. Records that are events stay so."""
        (file,) = [each for each in self._journal.unfinished() if each.name == name][-1:]
        kind = type(error).__name__
        structlog.get_logger().error(
            "legacy.file_failed", arrival=file.arrival, error=kind, trace=_trace(error)
        )
        reason = f"the program failed on it ({kind}), which was logged"
        if file.published:
            reason += f", after {file.published} records; sent again, these are not repeated"
        try:
            file = self._end(file, FileOutcome.QUARANTINE, reason, published=file.published)
        except OSError:
            raise
        except Exception:  # the reports are what it fails on
            file = self._change(file, state=FileState.FINISHING)
        return self._finish(file)

    def _path(self, file: File, suffix: str = "") -> Path:
        return self._feed.folder / PROCESSING / f"{file.stem}{suffix}"

    def _fetch(self, file: File) -> File:
        """Move a file out of the sender's reach, its marker first, as another file could use it."""
        incoming = self._feed.folder / INCOMING / file.name
        suffix = MARKERS.get(self._feed.complete)
        if suffix is not None:
            move(incoming.with_name(file.name + suffix), self._path(file, suffix))
        if not self._path(file).exists():
            move(incoming, self._path(file))
        if not self._path(file).exists():
            return self._end(file, FileOutcome.QUARANTINE, "the file disappeared from incoming/")
        return self._change(file, state=FileState.CHECKING)

    def _check(self, file: File) -> File:
        path = self._path(file)
        before = _fingerprint(path)
        try:
            size, digest = _digest(path)
        except PermissionError as error:
            return self._end(
                file, FileOutcome.QUARANTINE, f"the file cannot be read: {error.strerror}"
            )
        file = self._change(file, size=size, digest=digest)
        refused = self._refuse_unread(file, size, digest)
        if refused is not None:
            return refused
        with self._journal.change():
            self._journal.delete_rejects(file.arrival)

        def keep(rejects: list[Reject]) -> None:
            if rejects:
                with self._journal.change():
                    self._journal.reject(file.arrival, rejects)

        try:
            checked = self._checker.check(path, keep, lambda read: self._progress(file, read))
        except (ValueError, PermissionError) as error:  # nothing was published; others are waiting
            kind = type(error).__name__  # its text may quote a record
            structlog.get_logger().error(
                "legacy.file_failed", arrival=file.arrival, error=kind, trace=_trace(error)
            )
            return self._end(file, FileOutcome.QUARANTINE, f"the file cannot be read ({kind})")
        if _fingerprint(path) != before:
            return self._end(file, FileOutcome.QUARANTINE, "the file changed while it was checked")
        return self._decide(file, checked)

    def _refuse_unread(self, file: File, size: int, digest: str) -> File | None:
        """Refuse a file without reading its records, if there is a reason."""
        earlier = self._journal.last_published(digest=digest)
        if earlier is not None:
            reason = f"the same as {earlier.name}, arrival {earlier.arrival} of {earlier.received}"
            return self._end(file, FileOutcome.DUPLICATE, reason)
        try:
            marker = parse_marker(file.marker, self._feed)
        except BadMarker as error:
            return self._end(file, FileOutcome.QUARANTINE, f"the control file: {error}")
        if marker.size not in (None, size):
            reason = f"the control file states {marker.size} bytes, the file has {size}"
            return self._end(file, FileOutcome.QUARANTINE, reason)
        if marker.sha256 not in (None, digest):
            reason = "the SHA-256 in the control file differs from that of the file"
            return self._end(file, FileOutcome.QUARANTINE, reason)
        if self._feed.names is Names.UNIQUE:
            earlier = self._journal.last_published(name=file.name)
            if earlier is not None:
                reason = f"arrival {earlier.arrival} had the same name and other content"
                return self._end(file, FileOutcome.QUARANTINE, reason)
        return None

    def _decide(self, file: File, checked: CheckResult) -> File:
        """Decide about a file that was checked."""
        facts: dict[str, Any] = {
            "records": checked.records, "rejected": checked.rejected, "day": checked.day,
            "serial": checked.serial, "totals": [each.as_json() for each in checked.totals],
        }  # fmt: skip
        stated = parse_marker(file.marker, self._feed).records
        if checked.problem:
            return self._end(file, FileOutcome.QUARANTINE, checked.problem, **facts)
        if stated not in (None, checked.records):
            reason = f"the control file states {stated} records, the file has {checked.records}"
            return self._end(file, FileOutcome.QUARANTINE, reason, **facts)
        wrong = wrong_serial(self._feed, checked, self._journal)
        if wrong:
            return self._end(file, FileOutcome.QUARANTINE, wrong, **facts)
        if checked.over_threshold:
            reason = (
                f"{checked.rejected} of {checked.records} records are bad, so none was published"
            )
            return self._end(file, FileOutcome.REJECTED, reason, **facts)
        return self._change(file, state=FileState.PUBLISHING, published=0, repeated=0, **facts)

    async def _publish(self, file: File) -> File:
        publishing = FilePublisher(self._feed, self._journal, self._sender)

        def progress(done: File) -> None:
            self._progress(done, done.position.offset if done.position else 0)

        file = await publishing.run(file, self._path(file), progress)
        outcome = FileOutcome.PARTIAL if file.rejected else FileOutcome.ACCEPTED
        reason = f"rejected records: {file.rejected}" if file.rejected else ""
        if file.rejected and not file.published:  # its name and serial are free for a better one
            outcome, reason = FileOutcome.REJECTED, f"none of {file.records} records was accepted"
        return self._end(file, outcome, reason, note="")

    def _end(self, file: File, outcome: FileOutcome, reason: str, **facts: Any) -> File:
        """Record the outcome, and write the reports and the acknowledgement."""
        with self._journal.change():
            if not outcome.is_published:
                facts.setdefault("published", 0)
            file = self._journal.update(
                file.arrival, outcome=outcome, reason=reason, finished=now(), **facts
            )
        if file.rejected and any(self._journal.rejects(file.arrival)):
            rejects = self._journal.rejects
            framing, arrival = self._feed.framing, file.arrival
            raw = rejects_file(rejects(arrival), framing)
            write(self._path(file, ".rejects"), raw)
            write(self._path(file, ".report.txt"), report(file, rejects(arrival)))
            lines = report_lines(rejects(arrival))
            write(self._path(file, ".report.jsonl"), lines)
        write(self._path(file, ".ack"), acknowledgement(self._feed, file))
        return self._change(file, state=FileState.FINISHING)

    def _finish(self, file: File) -> File:
        """Move the files. What is missing in processing/ was moved before."""
        folder, stem = self._feed.folder, file.stem
        for suffix in (".rejects", ".report.txt", ".report.jsonl"):
            move(self._path(file, suffix), folder / REJECTS / f"{stem}{suffix}")
        taken = file.outcome is not None and (
            file.outcome.is_published or file.outcome == "DUPLICATE"
        )
        end = folder / (DONE if taken else FAILED)
        for suffix in MARKERS.values():
            move(self._path(file, suffix), end / f"{stem}{suffix}")
        move(self._path(file), end / stem)
        move(self._path(file, ".ack"), folder / ACKS / f"{stem}.ack")
        return self._change(file, state=FileState.FINISHED)

    def _change(self, file: File, **changes: Any) -> File:
        with self._journal.change():
            return self._journal.update(file.arrival, **changes)


def _fingerprint(path: Path) -> tuple[int, int]:
    """The size and the modification time."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _trace(error: Exception) -> list[str]:
    """Where it was raised, without any value: records hold personal data."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in frames]


def _digest(path: Path) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
