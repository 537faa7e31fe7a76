"""An outbound feed whose disk is full waits, and loses and repeats nothing."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from adapters.legacy_cobol.transfer import folders, issuer, outbound
from adapters.legacy_cobol.transfer.outbound import run_outbound
from adapters.legacy_cobol.transfer.spool import Spool
from tests.legacy_feeds import OUT, FakePull, a_bus, a_feed, a_payment_document

EVENTS = 150
GROWTH = 1  # pages that the spool may grow before its disk is full


class SmallSpool(Spool):
    """A spool on a disk with little room, as SQLite's own limit makes it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        self.limit(int(pages) + GROWTH)

    def limit(self, pages: int) -> None:
        self._db.execute(f"PRAGMA max_page_count = {pages}")


@pytest.fixture
def spools(monkeypatch: pytest.MonkeyPatch) -> list[SmallSpool]:
    made: list[SmallSpool] = []

    def make(folder: Path) -> SmallSpool:
        made.append(SmallSpool(folder))
        return made[-1]

    monkeypatch.setattr(outbound, "Spool", make)
    monkeypatch.setattr(outbound, "RETRY_DELAY", 0.01)
    return made


class WaitingPull(FakePull):
    """A pull that lets others work, as one over a network does."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.001)
        return await super().handle_async_request(request)


def a_pull() -> FakePull:
    return WaitingPull(*(a_payment_document(number) for number in range(1, EVENTS + 1)))


def serials(folder: Path) -> list[bytes]:
    """The records of all issued files."""
    whole = b"".join(each.read_bytes() for each in sorted((folder / "outgoing").iterdir()))
    return [line for line in whole.splitlines() if line]


@contextlib.asynccontextmanager
async def running(folder: Path, pull: FakePull) -> Any:
    feed = a_feed(folder, feed=f"{OUT}\n[rotation]\nrecords = {EVENTS}\n")
    stop = asyncio.Event()
    task = asyncio.create_task(run_outbound(feed, a_bus(pull), stop))
    try:
        yield lambda: any((folder / "outgoing").glob("*"))
    finally:
        stop.set()
        await task


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - no other sign
            await asyncio.sleep(0.01)


async def test_a_full_spool_is_waited_out(tmp_path: Path, spools: list[SmallSpool]) -> None:
    pull = a_pull()
    with capture_logs() as logs:
        async with running(tmp_path, pull) as issued:
            await until(lambda: [e["event"] for e in logs].count("legacy.feed_delayed") > 2)
            assert pull.waiting  # what is not in the spool is not acknowledged
            spools[0].limit(1 << 20)
            await until(issued)
    assert not pull.waiting
    (file,) = (tmp_path / "outgoing").iterdir()
    assert all(b"%d" % number in file.read_bytes() for number in range(1, EVENTS + 1))
    delayed = [e for e in logs if e["event"] == "legacy.feed_delayed"]
    assert {e["reason"] for e in delayed} == {"database or disk is full"}


async def test_a_file_that_cannot_be_written_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spools: list[SmallSpool]
) -> None:
    whole, failures = folders.write, iter(range(3))

    def write(path: Path, pieces: Iterator[bytes]) -> None:
        if next(failures, None) is not None:
            raise OSError(28, "No space left on device")
        whole(path, pieces)

    monkeypatch.setattr(issuer, "write", write)
    pull = a_pull()
    monkeypatch.setattr(SmallSpool, "limit", lambda *_: None)
    with capture_logs() as logs:
        async with running(tmp_path, pull) as issued:
            await until(issued)
    assert [e["event"] for e in logs].count("legacy.feed_delayed") == 3
    assert len(list((tmp_path / "outgoing").iterdir())) == 1
    assert not pull.waiting


async def test_once_says_that_the_disk_is_full(tmp_path: Path, spools: list[SmallSpool]) -> None:
    feed = a_feed(tmp_path, feed=OUT)
    with pytest.raises(sqlite3.Error, match="full"):
        await run_outbound(feed, a_bus(a_pull()), asyncio.Event(), once=True)


def test_a_transaction_that_cannot_be_committed_is_over(tmp_path: Path) -> None:
    """The next one begins, whoever rolled the last one back."""
    spool = SmallSpool(tmp_path)
    for _ in range(3):
        with pytest.raises(sqlite3.Error, match="full"), spool.change():
            spool.set_mark("large", "x" * 100_000)
    spool.limit(1 << 20)
    with spool.change():
        spool.set_mark("a", "b")
    assert spool.mark("a") == "b"
    spool.close()
