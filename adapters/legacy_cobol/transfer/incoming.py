"""Which files in incoming/ are whole, and what came with them."""

import errno
import fcntl
import json
import os
import signal
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from adapters.legacy_cobol.transfer.feed import Complete, Feed
from adapters.legacy_cobol.transfer.folders import INCOMING

UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload", ".partial")
MARKERS = {Complete.DONE: ".done", Complete.CTL: ".ctl"}
_ALL_MARKERS = tuple(MARKERS.values())
_KEYS = ("size", "sha256", "records")
LONGEST_NAME = 200  # bytes; suffixes are put behind it
_LARGEST_MARKER = 1 << 16


class BadMarker(ValueError):
    """A .done or .ctl file says something that cannot be."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What the sender says about a file. None is nothing said."""

    size: int | None = None
    sha256: str | None = None
    records: int | None = None


def whole_files(feed: Feed) -> list[Path]:
    """Files that may be taken, in the order of their names."""
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
    """Whether somebody has the file open for writing, as far as the system tells.

    A read lease is not to be had on such a file (Linux, fcntl(2)). Who does not own the file needs
    the capability CAP_LEASE, and some file systems have no leases: False then.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        # Who opens it meanwhile gets it; the signal that tells so is one that is ignored.
        fcntl.fcntl(opened, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(opened)
    return False


def marker_text(feed: Feed, file: Path) -> str:
    """What the marker beside a file says, as it is; empty where none belongs there."""
    suffix = MARKERS.get(feed.complete)
    if suffix is None:
        return ""
    with file.with_name(file.name + suffix).open("rb") as opened:
        return opened.read(_LARGEST_MARKER).decode("utf-8", "replace")


def marker_of(text: str, feed: Feed) -> Marker:
    """The same as values: lines like `size = 4711`, or a JSON object. Raises BadMarker."""
    values = _json(text) if text.lstrip().startswith("{") else _lines(text)
    unknown = [key for key in values if key not in _KEYS]
    if unknown:
        raise BadMarker(f"{unknown[0]!r} is not known: {', '.join(_KEYS)} are")
    numbers = {}
    for key in ("size", "records"):
        if key in values and not values[key].isdecimal():
            raise BadMarker(f"{key} is {values[key]!r}, which is no number")
        numbers[key] = int(values[key]) if key in values else None
    digest = values.get("sha256")
    if digest is not None and (len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef")):
        raise BadMarker(f"sha256 is {digest!r}, which is no SHA-256 in hex")
    if feed.complete is Complete.CTL and not values:
        raise BadMarker("it says neither size nor sha256 nor records")
    return Marker(numbers["size"], digest and digest.lower(), numbers["records"])


def _json(text: str) -> Mapping[str, str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadMarker(f"it is no JSON: {error}") from None
    return {str(key).lower(): str(value) for key, value in found.items()}


def _lines(text: str) -> Mapping[str, str]:
    found = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, sign, value = line.partition("=" if "=" in line else ":")
        if not sign:
            raise BadMarker(f"the line {line!r} is no `key = value`")
        found[key.strip().lower()] = value.strip()
    return found


def _is_file(path: Path) -> bool:
    """A plain file: what a link points to was not sent by the sender."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
