"""An outage is reported once when it begins and once when it ends, however many notice it."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.base.database import DatabaseUnavailable
from gateway.base.errors import BrokerUnavailable, Conflict, Overloaded
from gateway.base.outages import OutageReporter, Outages
from gateway.base.telemetry import METRICS


class Clock:
    """The time as the test has it."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outages(clock: Clock) -> Outages:
    return Outages(clock)


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


def events(logs: list[Any]) -> list[str]:
    return [line["event"] for line in logs]


def fail(reporter: OutageReporter) -> None:
    with reporter.tolerated():
        raise DatabaseUnavailable("the database does not answer")


def succeed(reporter: OutageReporter) -> None:
    with reporter.tolerated():
        pass


def test_many_failures_of_many_loops_are_one_outage(
    outages: Outages, clock: Clock, logs: list[Any]
) -> None:
    before = METRICS.get_sample_value("nusabus_outages_total", {"dependency": "database"}) or 0
    loops = [OutageReporter(f"loop.{number}", outages) for number in range(3)]
    for _ in range(5):
        for loop in loops:
            fail(loop)
    assert logs == [
        {
            "event": "outage.began",
            "log_level": "warning",
            "dependency": "database",
            "affected": "loop.0",
            "reason": "the database does not answer",
        }
    ]
    clock.now += 20
    for loop in loops:
        assert events(logs) == ["outage.began"]
        succeed(loop)
        succeed(loop)
    assert logs[1:] == [
        {
            "event": "outage.ended",
            "log_level": "info",
            "dependency": "database",
            "affected": ["loop.0", "loop.1", "loop.2"],
            "seconds": 20.0,
        }
    ]
    after = METRICS.get_sample_value("nusabus_outages_total", {"dependency": "database"})
    assert after == before + 1


def test_each_dependency_has_its_own_outage(outages: Outages, logs: list[Any]) -> None:
    one, other = OutageReporter("one", outages), OutageReporter("other", outages)
    fail(one)
    with other.tolerated():
        raise BrokerUnavailable("RabbitMQ does not answer")
    succeed(one)
    succeed(other)
    assert [(line["event"], line["dependency"]) for line in logs] == [
        ("outage.began", "database"),
        ("outage.began", "broker"),
        ("outage.ended", "database"),
        ("outage.ended", "broker"),
    ]


def test_one_loop_may_miss_both(outages: Outages, logs: list[Any]) -> None:
    loop = OutageReporter("loop", outages)
    fail(loop)
    loop.failed(BrokerUnavailable("RabbitMQ does not answer"))
    assert loop.failing
    loop.succeeded()
    assert not loop.failing
    assert events(logs) == ["outage.began", "outage.began", "outage.ended", "outage.ended"]


def test_an_attempt_from_before_the_end_begins_no_new_outage(
    outages: Outages, clock: Clock, logs: list[Any]
) -> None:
    quick, slow = OutageReporter("quick", outages), OutageReporter("slow", outages)
    with slow.tolerated():  # it began during the outage and times out after it
        fail(quick)
        clock.now += 5
        succeed(quick)
        raise DatabaseUnavailable("timeout")
    assert slow.failing
    assert events(logs) == ["outage.began", "outage.ended"]
    clock.now += 1
    succeed(slow)
    fail(slow)
    assert events(logs) == ["outage.began", "outage.ended", "outage.began"]


def test_work_that_ends_in_an_outage_says_nothing(outages: Outages, logs: list[Any]) -> None:
    gone, left = OutageReporter("gone", outages), OutageReporter("left", outages)
    fail(gone)
    fail(left)
    gone.close()
    gone.succeeded()
    assert events(logs) == ["outage.began"]
    left.succeeded()
    assert events(logs) == ["outage.began", "outage.ended"]
    fail(left)
    left.close()
    assert events(logs) == ["outage.began", "outage.ended", "outage.began"]


def test_an_error_without_a_dependency_is_the_work_s_own(outages: Outages, logs: list[Any]) -> None:
    loop = OutageReporter("loop", outages)
    for _ in range(3):
        loop.failed(Conflict("the queue differs"))
    with loop.tolerated():
        raise Overloaded("too many")
    loop.succeeded()
    loop.succeeded()
    assert [(line["event"], line.get("reason"), line["work"]) for line in logs] == [
        ("work.failed", "the queue differs", "loop"),
        ("work.failed", "too many", "loop"),
        ("work.recovered", None, "loop"),
    ]


def test_a_defect_passes_through(outages: Outages, logs: list[Any]) -> None:
    loop = OutageReporter("loop", outages)
    with pytest.raises(ZeroDivisionError), loop.tolerated():
        raise ZeroDivisionError
    assert not loop.failing
    assert not logs
