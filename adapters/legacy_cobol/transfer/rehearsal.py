"""What a feed would do with a file: everything is checked, and nothing is changed or sent."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.legacy_cobol.transfer.feed import Feed, Names
from adapters.legacy_cobol.transfer.file_check import CheckResult, FileChecker
from adapters.legacy_cobol.transfer.journal import FILE, FileOutcome, Journal, Reject
from adapters.legacy_cobol.transfer.publisher import Envelope, batches
from adapters.legacy_cobol.transfer.serials import wrong_serial
from adapters.legacy_cobol.transfer.source_records import SourceReader

SHOWN = 20  # rejected records that are kept


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The outcome that a file would have, unless the gateway refuses records.

    `first` is the first event, as JSON; empty if there would be none. `rejects` are the first few.
    """

    outcome: FileOutcome
    reason: str
    checked: CheckResult
    rejects: list[Reject]
    first: bytes


def rehearse(feed: Feed, file: Path) -> Rehearsal:
    """Check a file as the feed would. Raises OSError, and ValueError for an unreadable record."""
    rejects: list[Reject] = []

    def keep(found: list[Reject]) -> None:
        rejects.extend(found[: SHOWN - len(rejects)])

    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    checked = FileChecker(feed).check(file, keep)
    with _journal(feed) as journal:
        outcome, reason = _outcome(feed, file.name, digest, checked, journal)
    first = _first_event(feed, file, digest) if outcome.is_published else b""
    return Rehearsal(outcome, reason, checked, rejects, first)


@contextmanager
def _journal(feed: Feed) -> Iterator[Journal | None]:
    """The journal of the feed, if it has one."""
    if not (feed.folder / FILE).exists():
        yield None
        return
    journal = Journal(feed.folder)
    try:
        yield journal
    finally:
        journal.close()


def _outcome(
    feed: Feed, name: str, digest: str, checked: CheckResult, journal: Journal | None
) -> tuple[FileOutcome, str]:
    same = journal and journal.last_published(digest=digest)
    if same:
        return FileOutcome.DUPLICATE, f"the same as {same.name}, arrival {same.arrival}"
    earlier = journal and feed.names is Names.UNIQUE and journal.last_published(name=name)
    if earlier:
        reason = f"arrival {earlier.arrival} had the same name and other content"
        return FileOutcome.QUARANTINE, reason
    problem = checked.problem or wrong_serial(feed, checked, journal)
    if problem:
        return FileOutcome.QUARANTINE, problem
    if checked.over_threshold:
        return FileOutcome.REJECTED, f"{checked.rejected} of {checked.records} records are bad"
    if checked.rejected:
        return FileOutcome.PARTIAL, f"rejected records: {checked.rejected}"
    return FileOutcome.ACCEPTED, ""


def _first_event(feed: Feed, file: Path, digest: str) -> bytes:
    reader = SourceReader(feed.layout, feed.framing)
    found = batches(reader.read(file), feed, Envelope(feed, digest))
    return next((batch.texts[0] for batch in found if batch.texts), b"")
