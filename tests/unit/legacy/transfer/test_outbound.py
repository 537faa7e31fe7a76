"""Files that go: every event in one of them, once, by number, with right totals."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.client import Problem
from adapters.legacy_cobol.transfer import outbound
from adapters.legacy_cobol.transfer.feed import Feed, Rotation
from adapters.legacy_cobol.transfer.issuer import FileIssuer
from adapters.legacy_cobol.transfer.outbound import OutboundFeed, run_outbound
from adapters.legacy_cobol.transfer.spool import Spool
from tests.legacy_feeds import (
    OUT,
    FakePull,
    a_bus,
    a_feed,
    a_file,
    a_payment_document,
    payments,
)


def today() -> str:
    return datetime.now(Rotation().zone).strftime("%Y%m%d")


def a_pull(count: int, **more: Any) -> FakePull:
    return FakePull(*(a_payment_document(number) for number in range(1, count + 1)), **more)


async def work(feed: Feed, pull: FakePull) -> None:
    """Until nothing comes any more."""
    await run_outbound(feed, a_bus(pull), asyncio.Event(), once=True)


def issued(feed: Feed) -> dict[str, bytes]:
    folder = feed.folder / "outgoing"
    return {each.name: each.read_bytes() for each in sorted(folder.iterdir())}


async def test_events_become_a_file(tmp_path: Path) -> None:
    feed, pull = a_feed(tmp_path, feed=OUT), a_pull(7)
    await work(feed, pull)
    assert issued(feed) == {f"ANS-{today()}-000001.DAT": a_file(payments(7), date=today())}
    assert not pull.waiting
    printed = (tmp_path / "metrics.prom").read_text()
    assert 'nusabus_legacy_records{feed="answers",outcome="issued"} 7.0' in printed


async def test_once_does_not_wait_for_what_somebody_has_to_change(tmp_path: Path) -> None:
    feed, pull = a_feed(tmp_path, feed=OUT), a_pull(1)
    pull.refusal = 409
    with pytest.raises(Problem, match="409"):
        await work(feed, pull)
    pull.refusal = 0
    await work(feed, pull)
    assert len(issued(feed)) == 1


async def test_files_rotate_by_count_with_gapless_numbers(tmp_path: Path) -> None:
    feed = a_feed(tmp_path, feed=f"{OUT}\n[rotation]\nrecords = 3\n")
    await work(feed, a_pull(7))
    files = issued(feed)
    assert [name[-7:-4] for name in files] == ["001", "002", "003"]
    first, second, third = files.values()
    assert first == a_file(payments(3), date=today())
    assert second == a_file(payments(3, 4), date=today(), serial=2)
    assert third == a_file(payments(1, 7), date=today(), serial=3)


async def test_files_rotate_by_size(tmp_path: Path) -> None:
    feed = a_feed(tmp_path, feed=f"{OUT}\n[rotation]\nbytes = 66\n")
    await work(feed, a_pull(4))
    assert [len(each) for each in issued(feed).values()] == [4 * 33, 4 * 33]


async def test_files_rotate_by_the_time_of_day(tmp_path: Path) -> None:
    feed = a_feed(tmp_path, feed=f'{OUT}\n[rotation]\nat = ["12:00"]\nempty = true\n')
    spool = Spool(tmp_path)
    pull = a_pull(3)
    for folder in ("outgoing", "issued"):
        (tmp_path / folder).mkdir()
    working = OutboundFeed(feed, spool, a_bus(pull))
    noon = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)  # 12:00 in Jakarta
    assert working.rotate(noon - timedelta(minutes=1)) == []
    await working.receive(0)
    assert working.rotate(noon - timedelta(seconds=1)) == []
    assert [each.records for each in working.rotate(noon)] == [3]
    assert working.rotate(noon + timedelta(hours=1)) == []
    assert [each.records for each in working.rotate(noon + timedelta(days=1))] == [0]
    spool.close()


async def test_acknowledgements_that_are_lost_repeat_nothing(tmp_path: Path) -> None:
    outgoing_pause, outbound.RETRY_DELAY = outbound.RETRY_DELAY, 0.01
    feed, pull = a_feed(tmp_path, feed=OUT), a_pull(7, lost=4)
    try:
        await work(feed, pull)
    finally:
        outbound.RETRY_DELAY = outgoing_pause
    assert issued(feed) == {f"ANS-{today()}-000001.DAT": a_file(payments(7), date=today())}


async def test_what_fits_no_record_is_rejected_with_why(tmp_path: Path) -> None:
    feed = a_feed(tmp_path, feed=OUT)
    good = a_payment_document(1)
    pull = FakePull(good, {**good, "amount": "12345678901.00"}, {**good, "taxpayer": "Ω"}, {})
    await work(feed, pull)
    assert issued(feed) == {f"ANS-{today()}-000001.DAT": a_file(payments(1), date=today())}
    assert set(pull.rejected) == {"e1", "e2", "e3"}
    assert "AMOUNT" in pull.rejected["e1"]
    assert "overflow" in pull.rejected["e1"]
    assert "unencodable" in pull.rejected["e2"]
    assert len((tmp_path / "rejects" / "refused.jsonl").read_text().splitlines()) == 3


async def test_a_file_is_issued_again(tmp_path: Path) -> None:
    feed = a_feed(tmp_path, feed=OUT)
    await work(feed, a_pull(2))
    (name, content), *_ = issued(feed).items()
    (tmp_path / "outgoing" / name).unlink()
    spool = Spool(tmp_path)
    FileIssuer(feed, spool).reissue(1)
    assert issued(feed) == {name: content}
    assert spool.file(1).issues == 2
    with pytest.raises(KeyError):
        FileIssuer(feed, spool).reissue(2)
    spool.close()


class Killed(BaseException):
    """The process is gone."""


class Death:
    """Kills at one step, a rename, a commit or a request, and at all behind it."""

    def __init__(self, at: int) -> None:
        self.steps = 0
        self._at = at

    def step(self) -> None:
        self.steps += 1
        if self.steps >= self._at:
            raise Killed


def make_mortal(patch: pytest.MonkeyPatch, death: Death, *, after: bool) -> None:
    """Let renames and commits be steps, which have an effect only if one dies behind them."""
    replace, change = os.replace, Spool.change

    def replacing(source: Path, target: Path) -> None:
        if not after:
            death.step()
        replace(source, target)
        if after:
            death.step()

    @contextlib.contextmanager
    def changing(self: Spool) -> Iterator[None]:
        with change(self):
            yield
            if not after:
                death.step()
        if after:
            death.step()

    patch.setattr(os, "replace", replacing)
    patch.setattr(Spool, "change", changing)


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    at = 0
    ended = False
    while not ended:
        at += 1
        feed, pull, death = a_feed(tmp_path / str(at), feed=OUT), a_pull(5), Death(at)
        pull.step = death.step
        with monkeypatch.context() as patch:
            make_mortal(patch, death, after=after)
            with contextlib.suppress(Killed):
                await work(feed, pull)
        ended = death.steps < at
        found = issued(feed)
        for each in (feed.folder / "outgoing").iterdir():
            each.unlink()
        pull.step = lambda: None
        await work(feed, pull)
        again = issued(feed)
        assert not set(found) & set(again), f"a file appeared twice (step {at})"
        found |= again
        assert b"".join(each[33:-33] for each in found.values()) == b"".join(payments(5)), at
        assert [int(name[-10:-4]) for name in found] == list(range(1, len(found) + 1))
    assert at > 10
