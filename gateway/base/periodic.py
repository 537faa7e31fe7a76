"""Background work: run again and again until stopped, and survive outages and defects.

`periodic` is the one loop. `Supervisor` runs all loops of a process in one TaskGroup.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.base.backoff import Backoff
from gateway.base.errors import NusabusError, Unavailable
from gateway.base.outages import PROCESS, OutageReporter, Outages
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.base.waiting import WakeUp

RETRY_FIRST, RETRY_LAST = 0.25, 2.0  # seconds until a run that failed is repeated

RunOnce = Callable[[], Awaitable[object]]


class Pace(Protocol):
    """How long to rest between two runs."""

    def pause(self, *, found: bool, woken: bool, took: float) -> float:
        """Seconds to rest after a run.

        `found`: it returned True. `woken`: a hint began it. `took`: its length in seconds.
        """


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed pause; after a run that returned True the next one follows at once.

    The pause is at least `rest` times as long as the run took, so that work which becomes slow is
    done less often; `longest` seconds bound that.
    """

    seconds: float
    rest: float = 0.0
    longest: float = float("inf")

    def pause(self, *, found: bool, woken: bool, took: float) -> float:
        """See Pace."""
        return 0.0 if found else max(self.seconds, min(self.rest * took, self.longest))


class Polling:
    """Rests `busy` seconds while runs find something or are woken, then longer, up to `idle`."""

    def __init__(self, busy: float, idle: float) -> None:
        self._backoff = Backoff(busy, idle)

    def pause(self, *, found: bool, woken: bool, took: float) -> float:
        """See Pace."""
        if found or woken:
            self._backoff.reset()
        return self._backoff.next()


async def periodic(
    name: str,
    run_once: RunOnce,
    every: float | Pace,
    stop: Stop,
    *,
    only_while: Callable[[], bool] | None = None,
    wake: WakeUp | None = None,
    outages: Outages = PROCESS,
) -> None:
    """Run `run_once` now, then again and again, until stopped. The stop cuts no run short.

    `name` is dotted and stable: the log calls the work by it.

    - `every` is seconds between the end of a run and the next, or a pace: `Every`, `Polling`.
    - `run_once` returns True where there is more to do. Long runs look at the stop themselves.
    - `only_while` says before each run whether it is this process's turn, such as `is_leader`.
    - `wake` is a hint: the next run begins as soon as it is set.
    - `Unavailable` is an outage, reported by the one policy (see `outages`); another NusabusError
      is logged once as `work.failed`. The run is repeated after 0.25 s, then less often up to
      2 s, or as `every` says if that is sooner.
    - Any other exception is a defect (see `defects`). The run is repeated in the same way: what
      one run stumbles over must not end the other work of the process.
    """
    pace = Every(every) if isinstance(every, int | float) else every
    retry = Backoff(RETRY_FIRST, RETRY_LAST)
    reporter = OutageReporter(name, outages)
    wake = WakeUp() if wake is None else wake
    woken = False
    with stop.waking(wake), closing(reporter):
        while not stop:
            began = time.monotonic()
            found = await _attempt(run_once, reporter, only_while)
            pause = pace.pause(found=found, woken=woken, took=time.monotonic() - began)
            if reporter.failing:
                woken = False
                await stop.sleep(min(max(pause, RETRY_FIRST), retry.next()))
            else:
                retry.reset()
                woken = await wake.wait(pause)


async def _attempt(
    run_once: RunOnce, reporter: OutageReporter, only_while: Callable[[], bool] | None
) -> bool:
    if only_while is not None and not only_while():
        reporter.close()
        return False
    try:
        with reporter.tolerated():
            return await run_once() is True
    except NusabusError as error:
        reporter.failed(error)
    except Exception as error:
        reporter.defect(error)
    return False


Session = Callable[[Callable[[], None]], Awaitable[None]]


async def reconnecting(
    name: str,
    session: Session,
    stop: Stop,
    *,
    backoff: Backoff | None = None,
    outages: Outages = PROCESS,
) -> None:
    """Run one session after another until stopped: a connection, and the work through it.

    `session(connected)` opens a connection, calls `connected()` once it works, and then works until
    the stop or until the connection is lost, which it raises as Unavailable. Each loss is reported
    as `periodic` does; the next session begins after a pause of `backoff` (0.1 to 2 s, unless
    given), which begins anew with each `connected()`. Any other exception is a defect, and loses
    the session in the same way.
    """
    backoff = backoff or Backoff(0.1, 2.0)
    reporter = OutageReporter(name, outages)

    def connected() -> None:
        backoff.reset()
        reporter.succeeded()

    with closing(reporter):
        while not stop:
            try:
                await session(connected)
            except Unavailable as error:
                reporter.failed(error)
            except Exception as error:
                reporter.defect(error)
            await stop.sleep(backoff.next())


class Supervisor:
    """The background work of a process. Work that ends by an exception ends all of it.

    `periodic` and `reconnecting` survive defects, so this is left to what cannot begin, such as a
    server whose port is taken.
    """

    def __init__(self, tasks: asyncio.TaskGroup, stop: Stop) -> None:
        self._tasks = tasks
        self.stop = stop

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run something that ends by itself once stopped."""
        self._tasks.create_task(self._watch(name, work), name=name)

    def periodic(
        self,
        name: str,
        run_once: RunOnce,
        every: float | Pace,
        *,
        only_while: Callable[[], bool] | None = None,
        wake: WakeUp | None = None,
    ) -> None:
        """Run it again and again, see `periodic`."""
        self.start(
            name, periodic(name, run_once, every, self.stop, only_while=only_while, wake=wake)
        )

    async def _watch(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            log().error("work.crashed", work=name, exc_info=error)
            raise


@asynccontextmanager
async def supervised(stop: Stop) -> AsyncIterator[Supervisor]:
    """Start background work in here; leaving waits until all of it has ended.

    Raises an ExceptionGroup with the defect that ended it.
    """
    async with asyncio.TaskGroup() as tasks:
        yield Supervisor(tasks, stop)
