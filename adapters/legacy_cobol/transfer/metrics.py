"""The metrics of a feed as a text file for the textfile collector of Prometheus."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import structlog
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.incoming import complete_files
from adapters.legacy_cobol.transfer.journal import Journal
from adapters.legacy_cobol.transfer.spool import Spool

FILE = "metrics.prom"
INTERVAL = 15.0  # seconds between two writes

Counts = Mapping[str, float]
_ALIVE = "nusabus_legacy_watcher_last_seen_timestamp_seconds", "When the watcher last ran"
_FILES = "nusabus_legacy_files", "Files by outcome; those in work by state", "outcome"
_RECORDS = "nusabus_legacy_records", "Records by outcome", "outcome"


def incoming(feed: Feed, journal: Journal) -> None:
    """Write the metrics of an inbound feed, counted since its journal began."""
    registry = _registry(feed, journal.count(), journal.sums())
    waiting = len(complete_files(feed))
    _gauge(registry, feed, "nusabus_legacy_waiting_files", "Complete files in incoming/", waiting)
    write_to_textfile(str(feed.folder / FILE), registry)


def outgoing(feed: Feed, spool: Spool) -> None:
    """Write the metrics of an outbound feed."""
    files, records, refused = spool.totals()
    registry = _registry(feed, {"issued": files}, {"issued": records, "refused": refused})
    waiting = spool.waiting()[0]
    _gauge(
        registry, feed, "nusabus_legacy_waiting_records", "Records that are in no file yet", waiting
    )
    write_to_textfile(str(feed.folder / FILE), registry)


@asynccontextmanager
async def written_periodically(write: Callable[[], None]) -> AsyncIterator[Callable[[], None]]:
    """Call `write` every few seconds, on request, and at the end. A full disk is logged only."""

    def attempt() -> None:
        try:
            write()
        except OSError as error:
            structlog.get_logger().warning("legacy.metrics_write_failed", reason=str(error))

    async def repeat() -> None:
        while True:
            attempt()
            await asyncio.sleep(INTERVAL)

    task = asyncio.create_task(repeat())
    try:
        yield attempt
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        attempt()


def _registry(feed: Feed, files: Counts, records: Counts) -> CollectorRegistry:
    registry = CollectorRegistry()
    for (name, help, label), counts in ((_FILES, files), (_RECORDS, records)):
        gauge = Gauge(name, help, ["feed", label], registry=registry)
        for each, count in counts.items():
            gauge.labels(feed.name, each.lower()).set(count)
    _gauge(registry, feed, *_ALIVE, time.time())
    return registry


def _gauge(registry: CollectorRegistry, feed: Feed, name: str, help: str, value: float) -> None:
    Gauge(name, help, ["feed"], registry=registry).labels(feed.name).set(value)
