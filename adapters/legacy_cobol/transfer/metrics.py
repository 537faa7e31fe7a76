"""Figures of a feed as a text file for Prometheus' node exporter (its textfile collector)."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import structlog
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.incoming import whole_files
from adapters.legacy_cobol.transfer.journal import Journal
from adapters.legacy_cobol.transfer.spool import Spool

FILE = "metrics.prom"
BEAT = 15.0  # seconds between two writes, whatever happens

Counts = Mapping[str, float]
_SEEN = "nusabus_legacy_watcher_last_seen_timestamp_seconds", "When the watcher last ran"
_FILES = "nusabus_legacy_files", "Files by outcome; those in work by state", "outcome"
_RECORDS = "nusabus_legacy_records", "Records by outcome", "outcome"


def incoming(feed: Feed, journal: Journal) -> None:
    """Replace the file of an inbound feed: all counts since the journal began."""
    registry = _registry(feed, journal.count(), journal.sums())
    waiting = len(whole_files(feed))
    _gauge(registry, feed, "nusabus_legacy_waiting_files", "Complete files in incoming/", waiting)
    write_to_textfile(str(feed.folder / FILE), registry)


def outgoing(feed: Feed, spool: Spool) -> None:
    """Replace the file of an outbound feed."""
    files, records, refused = spool.totals()
    registry = _registry(feed, {"issued": files}, {"issued": records, "refused": refused})
    waiting = spool.waiting()[0]
    _gauge(
        registry, feed, "nusabus_legacy_waiting_records", "Records that are in no file yet", waiting
    )
    write_to_textfile(str(feed.folder / FILE), registry)


@asynccontextmanager
async def reported(write: Callable[[], None]) -> AsyncIterator[Callable[[], None]]:
    """Write every few seconds, when asked to, and at the end; a full disk stops nothing."""

    def attempt() -> None:
        try:
            write()
        except OSError as error:
            structlog.get_logger().warning("legacy.metrics_not_written", reason=str(error))

    async def beat() -> None:
        while True:
            attempt()
            await asyncio.sleep(BEAT)

    task = asyncio.create_task(beat())
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
    _gauge(registry, feed, *_SEEN, time.time())
    return registry


def _gauge(registry: CollectorRegistry, feed: Feed, name: str, help: str, value: float) -> None:
    Gauge(name, help, ["feed"], registry=registry).labels(feed.name).set(value)
