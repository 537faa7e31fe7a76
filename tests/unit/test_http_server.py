"""The parts of the HTTP server that need no socket."""

import asyncio
import resource
from collections.abc import Callable
from typing import Any

import pytest

from gateway.processes import connections, server
from gateway.processes.connections import Connections, LingeringTransport


@pytest.mark.parametrize(
    ("files", "limit"),
    [(20_000, 4096), (4480, 4096), (1024, 640), (400, 100), (resource.RLIM_INFINITY, 4096)],
)
def test_there_are_fewer_connections_than_files(
    monkeypatch: pytest.MonkeyPatch, files: int, limit: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert server._connection_limit(4096) == limit


def a_process(limit: int = 4, per_address: int = 2) -> Connections:
    return Connections(limit, per_address, {"10.0.0.1"}.__contains__)


def test_a_connection_counts_until_it_is_gone() -> None:
    process = a_process()
    assert [process.admit(n, "a", print) for n in range(3)] == [True, True, False]
    process.gone(2)  # it was not admitted
    assert not process.admit(3, "a", print)
    process.gone(0)
    process.gone(0)
    assert process.admit(4, "a", print)
    assert not process.admit(5, "a", print)


def test_the_oldest_that_has_said_nothing_makes_room() -> None:
    process, dropped = a_process(per_address=4), list[int]()
    for number in range(4):
        assert process.admit(number, "a", lambda n=number: dropped.append(n))  # type: ignore[misc]  # mypy knows no defaults of lambdas
    process.spoke(0)
    process.spoke(2)
    assert [process.admit(n, "b", print) for n in (4, 5)] == [True, True]
    assert dropped == [1, 3]
    process.spoke(4)
    process.spoke(5)
    assert not process.admit(6, "c", print)
    process.gone(1)  # the loop says so later
    assert not process.admit(7, "c", print)


def test_proxies_are_not_counted_by_address() -> None:
    process = a_process()
    assert all(process.admit(n, "10.0.0.1", print) for n in range(4))


def test_few_of_those_that_are_turned_away_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGERING", 2)
    process = a_process()
    assert [process.may_linger(n) for n in range(3)] == [True, True, False]
    process.gone(0)
    assert process.may_linger(3)


class Pipe(asyncio.Transport):
    """A transport whose peer takes what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 0
        self.calls: list[str] = []

    def get_write_buffer_size(self) -> int:
        return self.left

    def is_closing(self) -> bool:
        return "abort" in self.calls

    def __getattribute__(self, name: str) -> Any:
        if name in ("write", "write_eof", "abort", "resume_reading", "pause_reading"):
            return lambda *_: self.calls.append(name)
        return super().__getattribute__(name)


class Clock:
    """A loop in which time passes when the test says so."""

    def __init__(self) -> None:
        self.timers: list[tuple[float, Callable[[], object]]] = []

    def call_later(self, delay: float, callback: Any, *arguments: Any, **_: Any) -> Any:
        self.timers.append((delay, lambda: callback(*arguments)))
        return self

    def cancel(self) -> None:
        self.timers.clear()

    def ring(self) -> float:
        """Let the timer ring; how long it took."""
        ((delay, callback),) = self.timers
        callback()
        return delay


def lingering(pipe: Pipe, clock: Any) -> LingeringTransport:
    return LingeringTransport(pipe, clock)


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_closed_connection_stays_a_while_for_its_answer(pipe: Pipe, clock: Clock) -> None:
    transport = lingering(pipe, clock)
    transport.close()
    transport.close()
    assert transport.is_closing()
    assert pipe.calls == ["resume_reading", "write_eof"]
    assert clock.ring() == connections.LINGER
    assert pipe.calls[-1] == "abort"
    assert clock.timers == []


def test_a_peer_that_takes_its_answer_slowly_gets_all(pipe: Pipe, clock: Clock) -> None:
    transport, pipe.left = lingering(pipe, clock), 300
    transport.close()
    for pipe.left in (200, 100, 0):
        assert clock.ring() == connections.STALLED
    assert "abort" not in pipe.calls
    clock.ring()
    assert pipe.calls[-1] == "abort"


@pytest.mark.parametrize("closed", [True, False])
def test_a_peer_that_takes_nothing_is_given_up(pipe: Pipe, clock: Clock, closed: bool) -> None:
    transport, pipe.left = lingering(pipe, clock), 300
    if closed:
        transport.close()
    else:
        transport.watch_writing()
    clock.ring()
    assert pipe.calls[-1] == "abort"
    assert connections.refused()["stalled"] > 0


def test_a_peer_that_has_caught_up_is_not_watched(pipe: Pipe, clock: Clock) -> None:
    transport, pipe.left = lingering(pipe, clock), 300
    transport.watch_writing()
    transport.stop_watching()
    assert clock.timers == []
