"""Run an inbound feed: resume unfinished files, then take in new ones."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import structlog
from watchfiles import awatch

from adapters.legacy_cobol.transfer import metrics
from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.folders import IN_FOLDERS, INCOMING, create_folders, locked
from adapters.legacy_cobol.transfer.incoming import complete_files
from adapters.legacy_cobol.transfer.intake import Intake, ReportProgress
from adapters.legacy_cobol.transfer.journal import File, Journal
from adapters.legacy_cobol.transfer.sender import Sender

RESCAN = 15.0  # seconds between two scans of the folder without a notification


async def watch(
    feed: Feed,
    sender: Sender,
    stop: asyncio.Event,
    *,
    once: bool = False,
    polling: bool = False,
    progress: ReportProgress = lambda _file, _bytes: None,
) -> list[File]:
    """Run a feed until `stop`, or with `once` until incoming/ is empty.

    With `once`, returns the files that were taken in. Raises FeedBusy. After a kill the next start
    resumes; nothing is lost.
    """
    create_folders(feed.folder, IN_FOLDERS)
    taken: list[File] = []
    with locked(feed.folder):
        journal = Journal(feed.folder)
        try:
            intake = Intake(feed, journal, sender, progress)
            async with metrics.written_periodically(
                lambda: metrics.incoming(feed, journal)
            ) as report:
                async for _ in _ticks(feed.folder / INCOMING, stop, once=once, polling=polling):
                    async for file in _take_all(feed, intake, journal, stop):
                        report()
                        if once:
                            taken.append(file)
        finally:
            journal.close()
    return taken


async def _take_all(
    feed: Feed, intake: Intake, journal: Journal, stop: asyncio.Event
) -> AsyncIterator[File]:
    """Resume what was begun, then take in what is complete.

    A file that must wait is tried again at the next scan.
    """
    waiting: set[str] = set()
    for file in journal.unfinished():
        finished = await _finish(intake.resume(file), intake, file.name)
        for each in finished:
            yield each
        if not finished:
            waiting.add(file.name)
    while not stop.is_set():
        files = [each for each in complete_files(feed) if each.name not in waiting]
        if not files:
            return
        finished = await _finish(intake.take(files[0]), intake, files[0].name)
        for each in finished:
            yield each
        if not finished:
            waiting.add(files[0].name)


async def _finish(work: Awaitable[File], intake: Intake, name: str) -> list[File]:
    """Take a file to its outcome. None if it must wait: a disk is full, a folder is not writable.

    Any other exception is a defect, and costs this file alone: it is set aside.
    """
    try:
        return [await work]
    except (OSError, sqlite3.Error) as error:
        failure: Exception = error
    except Exception as error:
        try:
            return [intake.set_aside(name, error)]
        except Exception as second:
            failure = second
    reason = getattr(failure, "strerror", None) or type(failure).__name__
    structlog.get_logger().error("legacy.file_delayed", reason=reason)
    return []


async def _ticks(
    folder: Path, stop: asyncio.Event, *, once: bool, polling: bool
) -> AsyncIterator[None]:
    """When to scan the folder: now, at changes, and every few seconds."""
    yield
    if once:
        return
    structlog.get_logger().info("legacy.watch_started", folder=str(folder))
    changes = awatch(
        folder, stop_event=stop, recursive=False, force_polling=polling or None,
        rust_timeout=int(RESCAN * 1000), yield_on_timeout=True,
    )  # fmt: skip
    async for _ in changes:
        yield
