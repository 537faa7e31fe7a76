"""Run an inbound feed: resume unfinished files, then take in new ones."""

import asyncio
from collections.abc import AsyncIterator
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
                for file in journal.unfinished():
                    taken.append(await intake.resume(file))
                async for _ in _ticks(feed.folder / INCOMING, stop, once=once, polling=polling):
                    async for file in _take_all(feed, intake, stop):
                        report()
                        if once:
                            taken.append(file)
        finally:
            journal.close()
    return taken


async def _take_all(feed: Feed, intake: Intake, stop: asyncio.Event) -> AsyncIterator[File]:
    while not stop.is_set() and (files := complete_files(feed)):
        yield await intake.take(files[0])


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
