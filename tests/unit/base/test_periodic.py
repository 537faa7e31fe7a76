"""Background work: ticks, hints, outages, defects and the stop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.base import periodic as module
from gateway.base.backoff import Backoff
from gateway.base.database import DatabaseUnavailable
from gateway.base.errors import BrokerUnavailable, Conflict, Unavailable
from gateway.base.outages import Outages
from gateway.base.periodic import Every, Polling, periodic, reconnecting, supervised
from gateway.base.stop import Stop
from gateway.base.telemetry import METRICS
from gateway.base.waiting import WakeUp

LONG = 3600.0
SOON = 0.001
ENOUGH = 20.0  # seconds until what must come has not come


class Work:
    """Counts its runs, does what the script says and stops after the last."""

    def __init__(self, stop: Stop, *script: Exception | bool | None) -> None:
        self.runs = 0
        self.began = asyncio.Event()
        self._stop = stop
        self._script = script

    async def run_once(self) -> bool | None:
        step = self._script[self.runs]
        self.runs += 1
        self.began.set()
        if self.runs == len(self._script):
            self._stop.set()
        await asyncio.sleep(0)
        if isinstance(step, Exception):
            raise step
        return step


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_FIRST", SOON)
    monkeypatch.setattr(module, "RETRY_LAST", SOON)


async def within(work: Awaitable[Any]) -> None:
    async with asyncio.timeout(ENOUGH):
        await work


async def test_it_runs_at_once_and_again_until_stopped(stop: Stop) -> None:
    work = Work(stop, None, None, None)
    await within(periodic("work", work.run_once, SOON, stop))
    assert work.runs == 3


async def test_nothing_runs_once_stopped(stop: Stop) -> None:
    work = Work(stop, None)
    stop.set()
    await within(periodic("work", work.run_once, SOON, stop))
    assert work.runs == 0


async def test_a_stop_ends_the_pause(stop: Stop) -> None:
    work = Work(Stop(), None)
    running = asyncio.create_task(periodic("work", work.run_once, LONG, stop))
    await within(work.began.wait())
    await asyncio.sleep(SOON)
    stop.set()
    await within(running)
    assert work.runs == 1


async def test_a_stop_cuts_no_run_short(stop: Stop) -> None:
    finished = []

    async def run_once() -> None:
        stop.set()
        await asyncio.sleep(SOON)
        finished.append(True)

    await within(periodic("work", run_once, LONG, stop))
    assert finished == [True]


async def test_a_hint_begins_the_next_run(stop: Stop) -> None:
    work, wake = Work(stop, None, None), WakeUp()
    running = asyncio.create_task(periodic("work", work.run_once, LONG, stop, wake=wake))
    await within(work.began.wait())
    wake.set()
    await within(running)
    assert work.runs == 2


async def test_a_run_that_found_something_is_followed_at_once(stop: Stop) -> None:
    work = Work(stop, True, True, True)
    await within(periodic("work", work.run_once, LONG, stop))
    assert work.runs == 3


async def test_only_while_it_is_its_turn(stop: Stop) -> None:
    work = Work(stop, None, None)
    turns = iter([False, False, True, False])
    await within(periodic("work", work.run_once, SOON, stop, only_while=lambda: next(turns, True)))
    assert work.runs == 2


async def test_an_outage_is_survived_and_reported_by_the_one_policy(stop: Stop) -> None:
    away = DatabaseUnavailable("the database does not answer")
    work = Work(stop, None, away, away, away, None)
    with capture_logs() as logs:
        await within(periodic("work", work.run_once, SOON, stop, outages=Outages()))
    assert work.runs == 5
    assert [(line["event"], line["affected"]) for line in logs] == [
        ("outage.began", "work"),
        ("outage.ended", ["work"]),
    ]


async def test_work_that_is_seldom_done_does_not_wait_so_long_after_an_outage(stop: Stop) -> None:
    work = Work(stop, DatabaseUnavailable("away"), None)
    await within(periodic("work", work.run_once, LONG, stop, outages=Outages()))
    assert work.runs == 2


async def test_an_outage_ends_quietly_for_whose_turn_it_is_no_more(stop: Stop) -> None:
    work = Work(Stop(), DatabaseUnavailable("away"))
    turns = iter([True, False])

    def is_leader() -> bool:
        turn = next(turns, None)
        if turn is None:
            stop.set()
        return bool(turn)

    with capture_logs() as logs:
        await within(
            periodic("work", work.run_once, SOON, stop, only_while=is_leader, outages=Outages())
        )
    assert [line["event"] for line in logs] == ["outage.began"]


async def test_another_refusal_is_reported_once_and_tried_again(stop: Stop) -> None:
    work = Work(stop, Conflict("no"), Conflict("no"), Unavailable("not yet"), None)
    with capture_logs() as logs:
        await within(periodic("work", work.run_once, LONG, stop, outages=Outages()))
    assert [(line["event"], line.get("reason")) for line in logs] == [
        ("work.failed", "no"),
        ("work.failed", "not yet"),
        ("work.recovered", None),
    ]


async def test_a_defect_is_reported_once_and_the_work_goes_on(stop: Stop) -> None:
    defect = ZeroDivisionError("3273011203900001")
    work = Work(stop, defect, defect, None)
    with capture_logs() as logs:
        await within(periodic("work.odd", work.run_once, LONG, stop, outages=Outages()))
    assert work.runs == 3
    assert [(line["event"], line["work"]) for line in logs] == [
        ("defect.found", "work.odd"),
        ("work.recovered", "work.odd"),
    ]
    assert METRICS.get_sample_value("nusabus_defects_total", {"work": "work.odd"}) == 2


def test_long_runs_are_done_less_often() -> None:
    pace = Every(1.0, rest=4, longest=5.0)
    pauses = [pace.pause(found=False, woken=False, took=took) for took in (0.0, 0.25, 0.5, 60)]
    assert pauses == [1.0, 1.0, 2.0, 5.0]
    assert pace.pause(found=True, woken=False, took=60) == 0.0


def test_polling_slows_down_while_there_is_nothing() -> None:
    pace = Polling(0.1, 0.5)
    script = [(False, False)] * 4 + [(True, False), (False, False), (False, True), (False, False)]
    pauses = [pace.pause(found=found, woken=woken, took=0.0) for found, woken in script]
    assert pauses == [0.1, 0.2, 0.4, 0.5, 0.1, 0.2, 0.1, 0.2]


async def test_one_session_follows_another(stop: Stop) -> None:
    opened = []

    async def session(connected: Callable[[], None]) -> None:
        opened.append(True)
        if len(opened) == 2:
            raise BrokerUnavailable("refused")
        connected()
        if len(opened) == 4:
            stop.set()
            return
        raise BrokerUnavailable("lost")

    with capture_logs() as logs:
        await within(
            reconnecting("work", session, stop, backoff=Backoff(SOON, SOON), outages=Outages())
        )
    assert len(opened) == 4
    assert [line["event"] for line in logs] == ["outage.began", "outage.ended"] * 2


async def test_a_defect_ends_one_session_and_not_the_next(stop: Stop) -> None:
    opened = []

    async def session(connected: Callable[[], None]) -> None:
        opened.append(True)
        if len(opened) == 3:
            stop.set()
            return
        connected()
        raise ZeroDivisionError

    with capture_logs() as logs:
        await within(reconnecting("work.sessions", session, stop, backoff=Backoff(SOON, SOON)))
    assert len(opened) == 3
    assert [line["event"] for line in logs if line["work"] == "work.sessions"] == [
        "defect.found",
        "work.recovered",
    ]


async def test_a_defect_in_one_periodic_work_leaves_the_others_alone(stop: Stop) -> None:
    odd, even = Work(Stop(), *[ZeroDivisionError()] * 9), Work(stop, None, None, None)
    async with asyncio.timeout(ENOUGH), supervised(stop) as background:
        background.periodic("breaks", odd.run_once, SOON)
        await odd.began.wait()
        background.periodic("goes.on", even.run_once, SOON)
    assert even.runs == 3


async def test_work_that_cannot_begin_is_logged_and_ends_the_others(stop: Stop) -> None:
    async def breaks() -> None:
        raise ZeroDivisionError

    async def run() -> None:
        async with supervised(stop) as background:
            background.start("waits", stop.wait())
            background.start("breaks", breaks())

    with capture_logs() as logs, pytest.raises(ExceptionGroup) as raised:
        await within(run())
    assert raised.group_contains(ZeroDivisionError)
    assert [(line["event"], line["work"]) for line in logs] == [("work.crashed", "breaks")]


async def test_all_parts_end_by_the_stop(stop: Stop) -> None:
    async with asyncio.timeout(ENOUGH), supervised(stop) as background:
        background.start("waits", stop.wait())
        background.periodic("ticks", Work(Stop(), None).run_once, LONG)
        asyncio.get_running_loop().call_later(SOON, stop.set)
