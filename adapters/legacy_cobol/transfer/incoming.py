"""The folder incoming/: which files are complete, their markers, and how to submit a file."""

import errno
import fcntl
import hashlib
import json
import os
import signal
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from adapters.legacy_cobol.transfer.feed import Complete, Feed
from adapters.legacy_cobol.transfer.folders import (
    IN_FOLDERS,
    INCOMING,
    create_folders,
    create_private,
    write,
)

UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload", ".partial")
MARKERS = {Complete.DONE: ".done", Complete.CTL: ".ctl"}
_ALL_MARKERS = tuple(MARKERS.values())
_KEYS = ("size", "sha256", "records")
LONGEST_NAME = 200  # bytes; suffixes are appended to it
_LARGEST_MARKER = 1 << 16
_LONGEST_NUMBER = 18  # digits
_SHOWN = 80  # characters of a wrong value in an error
_BLOCK = 1 << 20


class BadMarker(ValueError):
    """A .done or .ctl file is invalid."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What the sender states about a file. None: not stated."""

    size: int | None = None
    sha256: str | None = None
    records: int | None = None


def complete_files(feed: Feed) -> list[Path]:
    """The complete files of incoming/, ordered by name."""
    folder = feed.folder / INCOMING
    found = [each for each in folder.iterdir() if _is_file(each)]
    names = {each.name for each in found}
    suffix = MARKERS.get(feed.complete)
    return sorted(
        each
        for each in found
        if fnmatchcase(each.name, feed.pattern)
        and not each.name.startswith(".")
        and each.name.isprintable()
        and len(each.name.encode()) <= LONGEST_NAME
        and not each.name.lower().endswith((*UNFINISHED, *_ALL_MARKERS))
        and (not is_being_written(each) if suffix is None else f"{each.name}{suffix}" in names)
    )


def is_being_written(file: Path) -> bool:
    """Whether a process has the file open for writing, as far as the system knows.

    The kernel grants no read lease on such a file (Linux, fcntl(2)). A process that does not own
    the file needs the capability CAP_LEASE, and some file systems have no leases: False then.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        # A process that opens the file now breaks the lease; SIGURG is ignored.
        fcntl.fcntl(opened, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(opened)
    return False


def marker_text(feed: Feed, file: Path) -> str:
    """The text of the marker of a file; empty if the feed uses no markers."""
    suffix = MARKERS.get(feed.complete)
    if suffix is None:
        return ""
    with file.with_name(file.name + suffix).open("rb") as opened:
        return opened.read(_LARGEST_MARKER).decode("utf-8", "replace")


def parse_marker(text: str, feed: Feed) -> Marker:
    """Parse a marker: lines like `size = 4711`, or a JSON object. Raises BadMarker."""
    values = _json(text) if text.lstrip().startswith("{") else _lines(text)
    unknown = [key for key in values if key not in _KEYS]
    if unknown:
        raise BadMarker(f"unknown key. Known keys: {', '.join(_KEYS)}")
    numbers = {}
    for key in ("size", "records"):
        if key in values and not (values[key].isdecimal() and len(values[key]) <= _LONGEST_NUMBER):
            raise BadMarker(f"{key} is not a number")
        numbers[key] = int(values[key]) if key in values else None
    digest = values.get("sha256")
    if digest is not None and (len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef")):
        raise BadMarker("sha256 is not a SHA-256 in hex")
    if feed.complete is Complete.CTL and not values:
        raise BadMarker("it has neither size nor sha256 nor records")
    return Marker(numbers["size"], digest and digest.lower(), numbers["records"])


def submit(feed: Feed, file: Path) -> Path:
    """Copy a file into incoming/ with its marker, so that it appears complete.

    Raises FileExistsError.
    """
    create_folders(feed.folder, IN_FOLDERS)
    target = feed.folder / INCOMING / file.name
    if target.exists():
        raise FileExistsError(
            f"{target} is waiting already. Submit it under another name, or let the feed take it."
        )
    fresh = target.with_name(f".{file.name}.part")
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as source, create_private(fresh) as copy:
        while block := source.read(_BLOCK):
            copy.write(block)
            digest.update(block)
            size += len(block)
        copy.flush()
        os.fsync(copy.fileno())
    suffix = MARKERS.get(feed.complete)
    if suffix is not None:
        text = f"size = {size}\nsha256 = {digest.hexdigest()}\n"
        write(target.with_name(target.name + suffix), [text.encode()])
    fresh.rename(target)
    return target


def _json(text: str) -> Mapping[str, str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMarker(f"it is not JSON: {str(error)[:_SHOWN]}") from None
    return {str(key).lower(): str(value) for key, value in found.items()}


def _lines(text: str) -> Mapping[str, str]:
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, sign, value = line.partition("=" if "=" in line else ":")
        if not sign:
            raise BadMarker(f"line {number} is not `key = value`")
        found[key.strip().lower()] = value.strip()
    return found


def _is_file(path: Path) -> bool:
    """Whether it is a regular file. The sender did not send the target of a link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
