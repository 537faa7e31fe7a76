"""The journal of a feed: its files with their states, and the rejected records.

A commit is durable when it returns (WAL with synchronous=FULL), so a state is a promise.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from adapters.legacy_cobol.records.chunk_reader import ResumePoint
from adapters.legacy_cobol.transfer.source_records import Fault, SourceRecord
from adapters.legacy_cobol.transfer.sqlite_store import Store

FILE = "journal.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    arrival INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, marker TEXT NOT NULL,
    state TEXT NOT NULL, received TEXT NOT NULL, finished TEXT, digest TEXT, size INTEGER,
    records INTEGER NOT NULL DEFAULT 0, published INTEGER NOT NULL DEFAULT 0,
    repeated INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0,
    position TEXT, reason TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '',
    outcome TEXT, day TEXT, serial INTEGER, totals TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX IF NOT EXISTS files_digest ON files (digest);
CREATE INDEX IF NOT EXISTS files_name ON files (name);
CREATE TABLE IF NOT EXISTS rejects (
    arrival INTEGER NOT NULL, number INTEGER NOT NULL, offset INTEGER NOT NULL, kind TEXT,
    raw BLOB NOT NULL, faults TEXT NOT NULL, PRIMARY KEY (arrival, number)
) WITHOUT ROWID;
"""


class FileState(StrEnum):
    """The state of a file. It changes only when the work that it names is done."""

    CLAIMED = "claimed"  # move it to processing/
    CHECKING = "checking"  # read it once, publish nothing
    PUBLISHING = "publishing"  # its records become events
    FINISHING = "finishing"  # its outcome is known; move its files
    FINISHED = "finished"


class FileOutcome(StrEnum):
    """The outcome of a file."""

    ACCEPTED = "ACCEPTED"
    PARTIAL = "PARTIAL"  # accepted, with rejected records
    DUPLICATE = "DUPLICATE"
    REJECTED = "REJECTED"  # too many bad records
    QUARANTINE = "QUARANTINE"  # inconsistent: a person has to look at it

    @property
    def is_published(self) -> bool:
        """Whether its records were published."""
        return self in (FileOutcome.ACCEPTED, FileOutcome.PARTIAL)


@dataclass(frozen=True, slots=True)
class File:
    """A file. `totals` are its control totals; `note` says what it is waiting for."""

    arrival: int
    name: str
    marker: str
    state: FileState
    received: str
    finished: str | None
    digest: str | None
    size: int | None
    records: int
    published: int
    repeated: int
    rejected: int
    position: ResumePoint | None
    reason: str
    note: str
    outcome: FileOutcome | None
    day: str | None
    serial: int | None
    totals: tuple[Mapping[str, Any], ...]

    @property
    def stem(self) -> str:
        """Its unique name in all folders but incoming/."""
        return f"{self.name}.{self.arrival:06}"


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that was not published."""

    number: int
    offset: int
    kind: str | None
    raw: bytes
    faults: tuple[Fault, ...]

    @staticmethod
    def of(record: SourceRecord, *faults: Fault) -> "Reject":
        """The reject of a record, with these faults or its own."""
        return Reject(
            record.number, record.offset, record.kind, record.raw, faults or record.faults
        )


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Journal(Store):
    """The files of one feed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FILE, _SCHEMA)

    def claim(self, name: str, marker: str) -> File:
        """Add a file, before it is moved."""
        found = self._db.execute(
            "INSERT INTO files (name, marker, state, received) VALUES (?, ?, ?, ?)",
            (name, marker, FileState.CLAIMED, now()),
        )
        return self.file(int(found.lastrowid or 0))

    def file(self, arrival: int) -> File:
        """One file. Raises KeyError."""
        row = self._db.execute("SELECT * FROM files WHERE arrival = ?", (arrival,)).fetchone()
        if row is None:
            raise KeyError(arrival)
        return _file(row)

    def update(self, arrival: int, **changes: Any) -> File:
        """Change columns of a file."""
        position = changes.get("position")
        if position is not None:
            changes["position"] = json.dumps(asdict(position))
        if "totals" in changes:
            changes["totals"] = json.dumps(changes["totals"])
        columns = ", ".join(f"{name} = :{name}" for name in changes)
        self._db.execute(
            f"UPDATE files SET {columns} WHERE arrival = :arrival",  # noqa: S608  (own names)
            {**changes, "arrival": arrival},
        )
        return self.file(arrival)

    def unfinished(self) -> list[File]:
        """The files that are not finished, the oldest first."""
        rows = self._db.execute(
            "SELECT * FROM files WHERE state <> ? ORDER BY arrival", (FileState.FINISHED,)
        )
        return [_file(row) for row in rows]

    def files(self, limit: int = 1_000_000) -> list[File]:
        """All files, the newest first."""
        rows = self._db.execute("SELECT * FROM files ORDER BY arrival DESC LIMIT ?", (limit,))
        return [_file(row) for row in rows]

    def last_published(self, **columns: Any) -> File | None:
        """The last published file with these values."""
        where = " AND ".join(f"{name} = :{name}" for name in columns)
        row = self._db.execute(
            f"SELECT * FROM files WHERE {where} AND outcome IN ('ACCEPTED', 'PARTIAL')"  # noqa: S608
            " ORDER BY arrival DESC LIMIT 1",
            columns,
        ).fetchone()
        return None if row is None else _file(row)

    def last_serial(self, day: str | None) -> int | None:
        """The highest serial of a day among the published files."""
        row = self._db.execute(
            "SELECT max(serial) FROM files WHERE day IS ? AND outcome IN ('ACCEPTED', 'PARTIAL')",
            (day,),
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def reject(self, arrival: int, rejects: Iterable[Reject]) -> None:
        """Store rejected records, and replace those that are stored."""
        self._db.executemany(
            "INSERT OR REPLACE INTO rejects VALUES (?, ?, ?, ?, ?, ?)",
            (
                (arrival, each.number, each.offset, each.kind, each.raw,
                 json.dumps([asdict(fault) for fault in each.faults]))
                for each in rejects
            ),
        )  # fmt: skip

    def delete_rejects(self, arrival: int) -> None:
        """Delete the rejected records of a file, before it is checked again."""
        self._db.execute("DELETE FROM rejects WHERE arrival = ?", (arrival,))

    def rejects(self, arrival: int) -> Iterator[Reject]:
        """The rejected records of a file, in the order of the file."""
        rows = self._db.execute(
            "SELECT * FROM rejects WHERE arrival = ? ORDER BY number", (arrival,)
        )
        for row in rows:
            faults = tuple(Fault(**each) for each in json.loads(row["faults"]))
            yield Reject(row["number"], row["offset"], row["kind"], row["raw"], faults)

    def count_rejects(self, arrival: int) -> int:
        """How many records of a file were rejected."""
        query = "SELECT count(*) FROM rejects WHERE arrival = ?"
        return int(self._db.execute(query, (arrival,)).fetchone()[0])

    def count(self) -> dict[str, int]:
        """The number of files by outcome, or by state if there is no outcome yet."""
        rows = self._db.execute("SELECT coalesce(outcome, state), count(*) FROM files GROUP BY 1")
        return {str(row[0]): int(row[1]) for row in rows}

    def sums(self) -> dict[str, int]:
        """Records read, published, repeated and rejected, over all files."""
        names = ("records", "published", "repeated", "rejected")
        wanted = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
        row = self._db.execute(f"SELECT {wanted} FROM files").fetchone()  # noqa: S608  (own names)
        return {name: int(value) for name, value in zip(names, row, strict=True)}


def _file(row: sqlite3.Row) -> File:
    found = {each.name: row[each.name] for each in fields(File)}
    found["state"] = FileState(row["state"])
    found["outcome"] = row["outcome"] and FileOutcome(row["outcome"])
    found["position"] = row["position"] and ResumePoint(**json.loads(row["position"]))
    found["totals"] = tuple(json.loads(row["totals"]))
    return File(**found)
