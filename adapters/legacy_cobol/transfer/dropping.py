"""Putting a file into a feed as a good sender does: whole, with what its feed wants beside it."""

import hashlib
import os
from pathlib import Path

from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.folders import IN_FOLDERS, INCOMING, provide, write
from adapters.legacy_cobol.transfer.incoming import MARKERS

_BLOCK = 1 << 20


def drop(feed: Feed, file: Path) -> Path:
    """Copy a file into incoming/ and let it appear at once. Raises FileExistsError."""
    provide(feed.folder, IN_FOLDERS)
    target = feed.folder / INCOMING / file.name
    if target.exists():
        raise FileExistsError(f"{target} waits already")
    fresh = target.with_name(f".{file.name}.part")
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as source, fresh.open("wb") as copy:
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
