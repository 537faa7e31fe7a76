"""Requests at a fixed rate whatever comes back; for the load clients that run as programs.

A latency counts from the moment at which a request was due, so a stall is not left out. With a
rate of 0 each connection goes on at once when it is answered.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.connection import END, Connection

PATIENCE = 30.0  # seconds beyond the wanted time


class Answer(NamedTuple):
    """When a request was due, when its answer had come (`time.time`), and the answer's body."""

    due: float
    got: float
    body: bytes


@dataclass(frozen=True)
class Pace:
    """How often to send: `rate` is in requests a second, 0 for as fast as the answers come."""

    port: int
    connections: int
    rate: float
    seconds: float
    status: int
    host: str = "127.0.0.1"


@dataclass
class _Run:
    pace: Pace
    render: Callable[[int], bytes]
    good: bytes
    number: int = 0
    due: deque[float] = field(default_factory=deque)
    free: list["_Connection"] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    until: float = 0.0
    failure: str = ""

    def request(self) -> bytes:
        """The next one, as bytes."""
        self.number += 1
        return self.render(self.number - 1)

    def go_on(self, connection: "_Connection") -> None:
        """A connection has nothing to do."""
        if self.due:
            connection.send(self.due.popleft())
        elif not self.pace.rate and time.time() < self.until and not self.failure:
            connection.send(time.time())
        else:
            self.free.append(connection)


class _Connection(Connection):
    def __init__(self, run: _Run) -> None:
        super().__init__()
        self._run = run
        self._due = 0.0

    def send(self, due: float) -> None:
        self._due = due
        self.transport.write(self._run.request())

    def answered(self, answer: bytes, end: int) -> None:
        if not answer.startswith(self._run.good):
            self._run.failure = answer[:1000].decode("latin-1")
        self._run.answers.append(Answer(self._due, time.time(), answer[end + len(END) :]))
        self._run.go_on(self)


async def carry_out(pace: Pace, render: Callable[[int], bytes]) -> tuple[float, list[Answer]]:
    """Send what `render` makes of 0, 1, 2...; when that began, and all answers.

    Request n of a rate is due n / rate seconds after the beginning.
    """
    loop = asyncio.get_running_loop()
    run = _Run(pace, render, b"HTTP/1.1 %d " % pace.status)
    for _ in range(pace.connections):
        _, made = await loop.create_connection(lambda: _Connection(run), pace.host, pace.port)
        run.free.append(made)
    began = time.time()
    run.until = began + pace.seconds
    if pace.rate:
        await _at_a_rate(run, began)
    else:
        for connection in [run.free.pop() for _ in range(pace.connections)]:
            run.go_on(connection)
        await asyncio.sleep(pace.seconds)
    async with asyncio.timeout(PATIENCE):
        while len(run.free) < pace.connections and not run.failure:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    if run.failure:
        raise SystemExit(f"a request was not answered: {run.failure}")
    return began, run.answers


async def _at_a_rate(run: _Run, began: float) -> None:
    for number in range(int(run.pace.rate * run.pace.seconds)):
        due = began + number / run.pace.rate
        pause = due - time.time()
        if pause > 0:
            await asyncio.sleep(pause)
        if run.free:
            run.free.pop().send(due)
        else:
            run.due.append(due)


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds."""
    ranked = sorted(seconds)
    last = len(ranked) - 1
    return {
        f"p{part}": 1000 * ranked[min(last, len(ranked) * part // 100)] for part in (50, 95, 99)
    }
