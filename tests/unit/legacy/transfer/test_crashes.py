"""A crash before and after every durable step of a file: each record once, each answer once."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.journal import FileOutcome, Journal
from adapters.legacy_cobol.transfer.watcher import watch
from tests.legacy_feeds import FakeGateway, a_feed, a_file, a_payment, a_sender, payments, submit

MOST = 200  # steps that no file has


class Killed(BaseException):
    """The process is gone: nothing that it does has an effect any more."""


class Death:
    """Kills at one step: each rename, each commit and each request is one."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.steps = 0
        self.dead = False
        self._at = at
        self._after = after

    def step(self, effect: Callable[[], Any]) -> Any:
        """Carry out an effect unless we are dead or die of it."""
        if self.dead:
            raise Killed
        self.steps += 1
        last = self.steps == self._at
        if last and not self._after:
            self.dead = True
            raise Killed
        result = effect()
        if last:
            self.dead = True
            raise Killed
        return result


class DyingGateway(FakeGateway):
    """A gateway whose publisher may be gone before or behind a request."""

    death: Death

    def _store(self, event: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.death.step(lambda: FakeGateway._store(self, event))
        return found


@contextlib.contextmanager
def dying(death: Death, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let renames and commits be steps."""
    replace, change = os.replace, Journal.change

    @contextlib.contextmanager
    def commit(self: Journal) -> Iterator[None]:
        if death.dead:
            raise Killed
        # Before: the transaction is rolled back. Behind: it stands.
        with change(self):
            yield
            if not death._after:
                death.step(lambda: None)
        if death._after:
            death.step(lambda: None)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda a, b: death.step(lambda: replace(a, b)))
        patch.setattr(Journal, "change", commit)
        with contextlib.suppress(Killed):
            yield


async def run_dying(feed: Feed, gateway: FakeGateway) -> None:
    """One life of the watcher."""
    task = asyncio.create_task(watch(feed, a_sender(gateway), asyncio.Event(), once=True))
    with contextlib.suppress(Killed):
        await task


def taken(feed: Feed, found: list[str]) -> None:
    """What a sender does: it takes the answers away."""
    for folder in ("acks", "rejects"):
        for each in (feed.folder / folder).iterdir():
            found.append(each.name)
            each.unlink()


def a_case(folder: Path) -> Feed:
    feed = a_feed(folder, 'complete = "done"')
    good = payments(4)
    bad = good[1][:21] + b"000X0002" + good[1][29:]
    file = submit(feed, a_file(good).replace(good[1], bad))
    file.with_name("PAY.DAT.done").touch()
    return feed


def lives(folder: Path, at: int, *, after: bool, patch: pytest.MonkeyPatch) -> bool:
    """Die at a step, start again, judge. False when there was no such step."""
    feed, gateway, found = a_case(folder), DyingGateway(), []  # type: ignore[var-annotated]
    gateway.death = death = Death(at, after=after)
    with dying(death, patch):
        asyncio.run(run_dying(feed, gateway))
    taken(feed, found)
    gateway.death = Death(0, after=False)
    asyncio.run(run_dying(feed, gateway))
    taken(feed, found)
    journal = Journal(feed.folder)
    (file,) = journal.files()
    journal.close()
    assert (file.outcome, file.published, file.rejected) == (FileOutcome.PARTIAL, 3, 1), at
    assert len(gateway.events) == 3
    assert sorted(found) == [
        "PAY.DAT.000001.ack", "PAY.DAT.000001.rejects",
        "PAY.DAT.000001.report.jsonl", "PAY.DAT.000001.report.txt",
    ], (at, after)  # fmt: skip
    assert [each.name for each in (feed.folder / "processing").iterdir()] == []
    assert [each.name for each in (feed.folder / "incoming").iterdir()] == []
    return death.dead


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    steps = 0
    for at in range(1, MOST):
        if not lives(tmp_path / str(at), at, after=after, patch=monkeypatch):
            break
        steps = at
    assert 15 < steps < MOST - 1


async def test_a_stop_keeps_what_is_settled(tmp_path: Path) -> None:
    feed, gateway = a_feed(tmp_path), FakeGateway()
    submit(feed, a_file([a_payment(number) for number in range(1, 12_001)]))
    task = asyncio.create_task(watch(feed, a_sender(gateway), asyncio.Event(), once=True))
    await gateway.reached(5)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    journal = Journal(feed.folder)
    (file,) = journal.files()
    journal.close()
    assert 0 < file.published < 12_000
    assert file.position is not None
    (done,) = await watch(feed, a_sender(gateway), asyncio.Event(), once=True)
    assert (done.outcome, done.published) == (FileOutcome.ACCEPTED, 12_000)
    assert done.repeated <= 5000
    assert len(gateway.events) == 12_000
