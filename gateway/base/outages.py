"""One policy for an outage: reported once when it begins and once when it ends.

PostgreSQL or RabbitMQ goes away and twenty loops notice. Each loop has an `OutageReporter`. The
first failure begins the outage of that dependency for the whole process: one line
`outage.began`, with the loop that noticed it, and one count of `nusabus_outages_total`. Loops that
fail later only join it. The outage ends when every loop that failed has succeeded again: one line
`outage.ended`, with all that were affected and how long it lasted.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter

from gateway.base.defects import kind_of, report_defect
from gateway.base.errors import NusabusError, Unavailable
from gateway.base.telemetry import METRICS, log

BEGUN = Counter(
    "nusabus_outages",
    "Outages of PostgreSQL or RabbitMQ that this process noticed",
    ["dependency"],
    registry=METRICS,
)


class _Outage:
    def __init__(self, began: float) -> None:
        self.began = began
        self.failing: set[OutageReporter] = set()
        self.affected: set[str] = set()


class Outages:
    """The outages that a process is in, by dependency."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._present: dict[str, _Outage] = {}
        self._ended: dict[str, float] = {}

    @property
    def present(self) -> list[str]:
        """The dependencies that do not answer now."""
        return sorted(self._present)

    def failed(
        self, dependency: str, reporter: "OutageReporter", error: Exception, began: float
    ) -> None:
        """An attempt that began at that time failed, because the dependency did not answer."""
        outage = self._present.get(dependency)
        if outage is None:
            if began < self._ended.get(dependency, began):
                return  # the attempt is from the outage before, and only now timed out
            outage = self._present[dependency] = _Outage(began)
            BEGUN.labels(dependency).inc()
            log().warning(
                "outage.began", dependency=dependency, affected=reporter.name, reason=str(error)
            )
        outage.failing.add(reporter)
        outage.affected.add(reporter.name)

    def succeeded(self, reporter: "OutageReporter") -> None:
        """An attempt succeeded: whatever this reporter failed for answers again."""
        now = self.clock()
        for dependency, outage in self._without(reporter):
            self._ended[dependency] = now
            log().info(
                "outage.ended",
                dependency=dependency,
                affected=sorted(outage.affected),
                seconds=round(now - outage.began, 1),
            )

    def forget(self, reporter: "OutageReporter") -> None:
        """The reporter's work ends: that says nothing about the dependency."""
        self._without(reporter)

    def _without(self, reporter: "OutageReporter") -> list[tuple[str, _Outage]]:
        """The outages that nobody but this reporter was in."""
        over = []
        for dependency, outage in list(self._present.items()):
            if reporter in outage.failing:
                outage.failing.discard(reporter)
                if not outage.failing:
                    del self._present[dependency]
                    over.append((dependency, outage))
        return over


PROCESS = Outages()


class OutageReporter:
    """What one loop does about outages. `periodic` has one; loops of another shape make their own.

        outages = OutageReporter("relay.shard")
        try:
            while not stop:
                with outages.tolerated():
                    await step()
                if outages.failing:
                    await stop.sleep(backoff.next())
        finally:
            outages.close()

    `name` is a stable dotted name of the work, for people: it says what is affected.
    """

    def __init__(self, name: str, outages: Outages = PROCESS) -> None:
        self.name = name
        self.failing = False
        """Whether the last attempt failed."""
        self._outages = outages
        self._reason = ""

    @contextmanager
    def tolerated(self) -> Iterator[None]:
        """One attempt. `Unavailable` is reported and goes no further; all else passes through."""
        began = self._outages.clock()
        try:
            yield
        except Unavailable as error:
            self.failed(error, began)
        else:
            self.succeeded()

    def failed(self, error: NusabusError, began: float | None = None) -> None:
        """Report a failed attempt, and when it began (now, unless given).

        An error that names no dependency is the loop's own: `work.failed` once for each reason.
        """
        self.failing = True
        if isinstance(error, Unavailable) and error.dependency is not None:
            now = self._outages.clock()
            self._outages.failed(error.dependency, self, error, now if began is None else began)
        elif str(error) != self._reason:
            self._reason = str(error)
            log().warning("work.failed", work=self.name, code=error.code, reason=self._reason)

    def defect(self, error: Exception) -> None:
        """Report an attempt that failed by an exception that nobody expected."""
        self.failing, self._reason = True, kind_of(error)
        report_defect(self.name, error)

    def succeeded(self) -> None:
        """Report that the work succeeded. Costs nothing while it did not fail before."""
        if not self.failing:
            return
        self.failing = False
        self._outages.succeeded(self)
        if self._reason:
            self._reason = ""
            log().info("work.recovered", work=self.name)

    def close(self) -> None:
        """The work ends, or another process does it now."""
        self.failing, self._reason = False, ""
        self._outages.forget(self)
