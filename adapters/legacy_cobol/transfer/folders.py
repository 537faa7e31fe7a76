"""The folder of a feed, and durable changes in it."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

INCOMING, PROCESSING, DONE, FAILED = "incoming", "processing", "done", "failed"
REJECTS, ACKS = "rejects", "acks"
OUTGOING, ISSUED = "outgoing", "issued"
IN_FOLDERS = (INCOMING, PROCESSING, DONE, FAILED, REJECTS, ACKS)
OUT_FOLDERS = (OUTGOING, PROCESSING, ISSUED, REJECTS)
LOCK = ".lock"


class FeedBusy(Exception):
    """Another process is running this feed."""


def create_folders(folder: Path, names: Iterable[str]) -> None:
    """Create the folders that are missing, for this account alone.

    The permissions of folders that exist stay as the operator has set them.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in names:
        (folder / name).mkdir(mode=0o700, exist_ok=True)


def create_private(file: Path) -> BinaryIO:
    """Open a new or emptied file. Its group may do what the group of its folder may."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.fchmod(descriptor, 0o600 | (file.parent.stat().st_mode & 0o060))
        return os.fdopen(descriptor, "wb")
    except BaseException:
        os.close(descriptor)
        raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only process that runs the feed. The lock ends with the process.

    Raises FeedBusy.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise FeedBusy(f"Process {file.read().strip()} is running the feed {folder}.") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_busy(folder: Path) -> bool:
    """Whether a process is running the feed."""
    try:
        with locked(folder):
            return False
    except FeedBusy:
        return True


def move(source: Path, target: Path) -> None:
    """Rename a file durably. A missing source was moved before."""
    if source.exists():
        os.replace(source, target)
        sync_folder(target.parent)
        sync_folder(source.parent)


def write(target: Path, pieces: Iterable[bytes]) -> None:
    """Write a file durably: complete or not at all."""
    fresh = target.with_name(f".{target.name}.part")
    with create_private(fresh) as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable, which the fsync of a file does not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
