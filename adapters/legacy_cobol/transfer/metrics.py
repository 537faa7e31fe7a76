"""Figures of a feed as a text file for Prometheus' node exporter (its textfile collector)."""

import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from adapters.legacy_cobol.transfer.journal import Journal

FILE = "metrics.prom"


def write_metrics(folder: Path, feed: str, journal: Journal) -> None:
    """Replace the file: all counts since the journal began."""
    registry = CollectorRegistry()
    files = Gauge(
        "nusabus_legacy_files", "Files by outcome, or by state", ["feed", "outcome"],
        registry=registry,
    )  # fmt: skip
    for outcome, count in journal.count().items():
        files.labels(feed, outcome.lower()).set(count)
    records = Gauge(
        "nusabus_legacy_records", "Records by what became of them", ["feed", "fate"],
        registry=registry,
    )  # fmt: skip
    for fate, count in journal.sums().items():
        records.labels(feed, fate).set(count)
    seen = Gauge(
        "nusabus_legacy_seen_seconds", "When the watcher was last alive", ["feed"],
        registry=registry,
    )  # fmt: skip
    seen.labels(feed).set(time.time())
    write_to_textfile(str(folder / FILE), registry)
