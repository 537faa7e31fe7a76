"""Reports of what was settled: in batches, never waited for, and bounded."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest

from adapters.client import Problem
from consumers import reporting
from consumers.reporting import Reporter


class Gateway:
    """Takes reports, or fails with `failure`."""

    def __init__(self) -> None:
        self.reports: list[list[str]] = []
        self.failure: Exception | None = None
        self.failed = 0

    async def __call__(self, sequences: Sequence[str]) -> None:
        if self.failure is not None:
            self.failed += 1
            raise self.failure
        self.reports.append(list(sequences))

    @property
    def sequences(self) -> list[str]:
        return [each for report in self.reports for each in report]


@asynccontextmanager
async def running(reporter: Reporter) -> AsyncIterator[None]:
    task = asyncio.create_task(reporter.run())
    yield
    reporter.finish()
    await asyncio.wait_for(task, 20)


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(reporting, "LONGEST_DELAY", 0.02)


async def test_a_full_batch_goes_at_once_and_the_rest_in_time() -> None:
    gateway = Gateway()
    full, rest = Reporter(gateway, batch=3, every=3600), Reporter(gateway, batch=100, every=0.01)
    async with running(full):
        for number in range(7):
            full.settled(f"00-{number}")
        await until(lambda: len(gateway.sequences) == 7)
    assert [len(report) for report in gateway.reports] == [3, 3, 1]
    async with running(rest):
        rest.settled("00-8")
        await until(lambda: gateway.sequences[-1] == "00-8")


async def test_the_end_reports_what_is_left() -> None:
    gateway = Gateway()
    reporter = Reporter(gateway, every=3600)
    async with running(reporter):
        reporter.settled("00-1")
        reporter.settled(None)
        reporter.settled("")
    assert gateway.reports == [["00-1"]]
    assert (reporter.reported, reporter.lost) == (1, 0)


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        Problem(503, "unavailable", "Away"),
        Problem(401, "not-authenticated", "Who?"),  # the secret was just replaced
        TimeoutError(),
    ],
)
async def test_while_the_gateway_is_away_it_is_remembered(failure: Exception) -> None:
    gateway = Gateway()
    gateway.failure = failure
    reporter = Reporter(gateway, batch=2, every=0.001)
    async with running(reporter):
        for number in range(5):
            reporter.settled(f"00-{number}")
        await until(lambda: gateway.failed >= 3)
        gateway.failure = None
        await until(lambda: len(gateway.sequences) == 5)
    assert gateway.sequences == [f"00-{number}" for number in range(5)]
    assert reporter.lost == 0


async def test_the_memory_is_bounded_and_the_youngest_are_kept() -> None:
    gateway = Gateway()
    gateway.failure = httpx.ConnectError("refused")
    reporter = Reporter(gateway, batch=2, every=0.001, memory=4)
    async with running(reporter):
        for number in range(10):
            reporter.settled(f"00-{number}")
            await asyncio.sleep(0)
        await until(lambda: gateway.failed >= 2)
        gateway.failure = None
        await until(lambda: len(gateway.sequences) == 4)
    assert gateway.sequences == ["00-6", "00-7", "00-8", "00-9"]
    assert reporter.lost == 6


async def test_what_the_gateway_never_takes_is_not_repeated() -> None:
    gateway = Gateway()
    gateway.failure = Problem(404, "not-found", "No such subscription")
    reporter = Reporter(gateway, every=0.001)
    async with running(reporter):
        reporter.settled("00-1")
        await until(lambda: reporter.lost == 1)
        gateway.failure = None
        reporter.settled("00-2")
        await until(lambda: gateway.sequences)
    assert gateway.sequences == ["00-2"]
    assert gateway.failed == 1


async def test_a_gateway_that_hangs_holds_up_nobody() -> None:
    async def hang(_: Sequence[str]) -> None:
        await asyncio.Event().wait()

    reporter = Reporter(hang, batch=1, memory=3)
    task = asyncio.create_task(reporter.run())
    for number in range(50):
        reporter.settled(f"00-{number}")
        await asyncio.sleep(0)
    assert reporter.lost > 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(("batch", "memory"), [(0, 10), (1001, 10_000), (20, 10)])
def test_what_cannot_be(batch: int, memory: int) -> None:
    with pytest.raises(ValueError, match="batch"):
        Reporter(Gateway(), batch=batch, memory=memory)
