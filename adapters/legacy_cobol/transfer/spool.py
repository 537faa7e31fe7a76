"""The spool of an outbound feed: received events, and the files made of them.

An event is spooled once, by its identity, before it is acknowledged. Files are made from the spool
alone. So a kill loses nothing and repeats nothing.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from adapters.legacy_cobol.transfer.journal import now
from adapters.legacy_cobol.transfer.masking import masked
from adapters.legacy_cobol.transfer.sqlite_store import Store

FILE = "spool.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL, closed TEXT NOT NULL,
    day TEXT NOT NULL, serial INTEGER NOT NULL, records INTEGER NOT NULL, size INTEGER,
    digest TEXT, issues INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE IF NOT EXISTS spool (
    position INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, document TEXT NOT NULL,
    records BLOB NOT NULL, size INTEGER NOT NULL, count INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS seen (identity BLOB PRIMARY KEY, day TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (
    identity BLOB PRIMARY KEY, id TEXT NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL,
    at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held (
    number INTEGER NOT NULL, position INTEGER PRIMARY KEY, kind TEXT NOT NULL,
    document TEXT NOT NULL, records BLOB NOT NULL, size INTEGER NOT NULL, count INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class IssueState(StrEnum):
    """The state of an outbound file."""

    CLOSING = "closing"  # its records are chosen; write it
    ISSUING = "issuing"  # it is written; move it to outgoing/
    ISSUED = "issued"
    STOPPED = "stopped"  # its header or trailer cannot be written; its records are held


@dataclass(frozen=True, slots=True)
class Issue:
    """An outbound file."""

    number: int
    name: str
    state: IssueState
    closed: str
    day: str
    serial: int
    records: int
    size: int | None
    digest: str | None
    issues: int


@dataclass(frozen=True, slots=True)
class SpooledEvent:
    """An event as records, without framing."""

    identity: bytes
    kind: str
    document: str
    records: tuple[bytes, ...]


def identity_of(event: Mapping[str, Any]) -> bytes:
    """The hash of source and id, which identify an event."""
    text = json.dumps([event["source"], event["id"]]).encode()
    return hashlib.sha256(text).digest()[:16]


class Spool(Store):
    """The spool of one feed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FILE, _SCHEMA)

    def add(self, events: Iterable[SpooledEvent]) -> int:
        """Add the events that are new. Returns how many were."""
        added = 0
        for each in events:
            known = self._db.execute(
                "INSERT OR IGNORE INTO seen VALUES (?, ?)", (each.identity, now()[:10])
            )
            if not known.rowcount:
                continue
            added += 1
            lengths = [len(record) for record in each.records]
            blob = json.dumps(lengths).encode() + b"\n" + b"".join(each.records)
            self._db.execute(
                "INSERT INTO spool (kind, document, records, size, count) VALUES (?, ?, ?, ?, ?)",
                (each.kind, each.document, blob, sum(lengths), len(lengths)),
            )
        return added

    def refuse(self, event: Mapping[str, Any], reason: str) -> None:
        """Add an event that fits no record, without national ids."""
        self._db.execute(
            "INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?, ?)",
            (identity_of(event), masked(event["id"]), masked(event["source"]), reason, now()),
        )

    def refused(self) -> list[dict[str, Any]]:
        """Events that fit no record, the oldest first."""
        rows = self._db.execute("SELECT id, source, reason, at FROM refused ORDER BY at, id")
        return [dict(row) for row in rows]

    def waiting(self) -> tuple[int, int]:
        """The records and bytes that wait for a file."""
        row = self._db.execute(
            "SELECT coalesce(sum(count), 0), coalesce(sum(size), 0) FROM spool"
        ).fetchone()
        return int(row[0]), int(row[1])

    def events(self, held: int = 0) -> Iterator[tuple[int, str, str, tuple[bytes, ...]]]:
        """The waiting events in order: position, record type, document and records.

        `held`: those of the stopped file with this number.
        """
        waiting = "SELECT * FROM spool ORDER BY position"
        stopped = "SELECT * FROM held WHERE number = ? ORDER BY position"
        found = self._db.execute(stopped, (held,)) if held else self._db.execute(waiting)
        for row in found:
            head, _, body = row["records"].partition(b"\n")
            records, at = [], 0
            for length in json.loads(head):
                records.append(body[at : at + length])
                at += length
            yield row["position"], row["kind"], row["document"], tuple(records)

    def stop(self, number: int, position: int, reason: str) -> Issue:
        """Hold the records of a file that cannot be written, so that others can be."""
        self._db.execute(
            "INSERT INTO held SELECT ?, * FROM spool WHERE position <= ?", (number, position)
        )
        self.delete_until(position)
        self.set_mark(f"{IssueState.STOPPED}-{number}", reason)
        count = "SELECT coalesce(sum(count), 0) FROM held WHERE number = ?"
        (records,) = self._db.execute(count, (number,)).fetchone()
        return self.update(number, state=IssueState.STOPPED, records=int(records))

    def stop_reason(self, number: int) -> str:
        """Why a file was stopped; empty if it was not."""
        return self.mark(f"{IssueState.STOPPED}-{number}")

    def release(self, number: int) -> None:
        """Forget the records of a stopped file, which is written now."""
        self._db.execute("DELETE FROM held WHERE number = ?", (number,))
        self._db.execute("DELETE FROM marks WHERE name = ?", (f"{IssueState.STOPPED}-{number}",))

    def delete_until(self, position: int) -> None:
        """Delete the events up to this position: they are in a file."""
        self._db.execute("DELETE FROM spool WHERE position <= ?", (position,))

    def open_file(self, name: str, day: str, number: int, serial: int) -> Issue:
        """Add a file that will be written."""
        self._db.execute(
            "INSERT INTO files (number, name, state, closed, day, serial, records)"
            " VALUES (?, ?, ?, ?, ?, ?, 0)",
            (number, name, IssueState.CLOSING, now(), day, serial),
        )
        return self.file(number)

    def update(self, number: int, **changes: Any) -> Issue:
        """Change columns of a file."""
        columns = ", ".join(f"{name} = :{name}" for name in changes)
        self._db.execute(
            f"UPDATE files SET {columns} WHERE number = :number",  # noqa: S608  (own names)
            {**changes, "number": number},
        )
        return self.file(number)

    def file(self, number: int) -> Issue:
        """One file. Raises KeyError."""
        row = self._db.execute("SELECT * FROM files WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise KeyError(number)
        return _issue(row)

    def files(self) -> list[Issue]:
        """All files, the newest first."""
        return [_issue(row) for row in self._db.execute("SELECT * FROM files ORDER BY number DESC")]

    def totals(self) -> tuple[int, int, int]:
        """The number of issued files, of their records, and of events that fit no record."""
        issued = self._db.execute(
            "SELECT count(*), coalesce(sum(records), 0) FROM files WHERE state = ?",
            (IssueState.ISSUED,),
        ).fetchone()
        refused = self._db.execute("SELECT count(*) FROM refused").fetchone()
        return int(issued[0]), int(issued[1]), int(refused[0])

    def unfinished(self) -> Issue | None:
        """The file that is not issued yet, if there is one."""
        row = self._db.execute(
            "SELECT * FROM files WHERE state NOT IN (?, ?) ORDER BY number",
            (IssueState.ISSUED, IssueState.STOPPED),
        ).fetchone()
        return None if row is None else _issue(row)

    def next_numbers(self, day: str) -> tuple[int, int]:
        """The next number of the feed, and the next serial of a day."""
        query = "SELECT coalesce(max(number), 0) + 1 FROM files"
        number = self._db.execute(query).fetchone()[0]
        query = "SELECT coalesce(max(serial), 0) + 1 FROM files WHERE day = ?"
        return int(number), int(self._db.execute(query, (day,)).fetchone()[0])

    def mark(self, name: str) -> str:
        """A stored value; empty if there is none."""
        row = self._db.execute("SELECT value FROM marks WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def set_mark(self, name: str, value: str) -> None:
        """Store a value."""
        self._db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, value))

    def forget_identities(self, before: str) -> None:
        """Delete the identities of before a day. Their duplicates are not recognised any more."""
        self._db.execute("DELETE FROM seen WHERE day < ?", (before,))


def _issue(row: sqlite3.Row) -> Issue:
    return Issue(**{**dict(row), "state": IssueState(row["state"])})
