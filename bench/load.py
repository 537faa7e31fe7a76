"""The load: a closed loop of N connections in a process of its own, each request prepared in bytes.

It costs some 15 us a request, so that it is not what is measured (part `client` shows it). Any
answer but the expected one ends it with a failure.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.answer import answer
from bench.connection import Connection
from bench.events import batch, event, fresh_prefix, management_publish

PATIENCE = 60.0  # seconds beyond the wanted time until a run has failed


@dataclass(frozen=True)
class Load:
    """What to send, and when to stop: after `seconds` or after `requests`, what comes first."""

    port: int
    path: str
    headers: Mapping[str, str]
    connections: int
    seconds: float
    requests: int = 1 << 40
    batch: int = 1  # events in one request
    management_key: str | None = None  # wrap each event for RabbitMQ's management API
    status: int = 202
    contains: str = ""  # what a good answer has in its first bytes
    host: str = "127.0.0.1"


@dataclass(frozen=True)
class Outcome:
    """What was accepted. Times of the clock that all processes share (CLOCK_MONOTONIC)."""

    requests: int
    events: int
    began: float
    ended: float
    p50: float  # milliseconds
    p99: float
    cpu: float  # seconds of this client itself
    first: float | None = None  # events per second in the first second, where it was counted
    last: float | None = None  # and in the last one

    @property
    def rate(self) -> float:
        """Accepted events per second."""
        return self.events / (self.ended - self.began)


@dataclass
class _Run:
    """The state that the connections of one run share."""

    load: Load
    render: Callable[[int], bytes]
    good: bytes
    contains: bytes
    until: float
    asked: int = 0
    latencies: list[float] = field(default_factory=list)
    answered_at: list[float] = field(default_factory=list)
    failure: str = ""

    def next(self) -> bytes | None:
        """The next request, None when it is enough."""
        if self.asked >= self.load.requests or time.monotonic() >= self.until or self.failure:
            return None
        self.asked += 1
        return self.render(self.asked - 1)


class _Connection(Connection):
    """Sends a request, waits for its answer, sends the next."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        self._run = run
        self._sent_at = 0.0
        self._waiting = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self) -> None:
        request = self._run.next()
        if request is None:
            self.transport.close()
            return
        self._waiting = True
        self._sent_at = time.monotonic()
        self.transport.write(request)

    def answered(self, answer: bytes, end: int) -> None:
        self._waiting = False
        run = self._run
        now = time.monotonic()
        run.latencies.append(now - self._sent_at)
        run.answered_at.append(now)
        if not answer.startswith(run.good) or run.contains not in answer[: end + 100]:
            run.failure = answer[:2000].decode("latin-1")
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._run.failure = f"the connection was closed before the answer: {exc}"
        if not self.done.done():
            self.done.set_result(None)


def _renderer(load: Load) -> Callable[[int], bytes]:
    prefix = fresh_prefix()
    lines = [f"POST {load.path} HTTP/1.1", f"Host: {load.host}:{load.port}"]
    lines += [f"{name}: {value}" for name, value in load.headers.items()]
    head = "\r\n".join(lines).encode() + b"\r\nContent-Length: "

    def body(number: int) -> bytes:
        if load.batch > 1:
            return batch(prefix, number * load.batch, load.batch)
        return wrapped(prefix, number)

    wrapped = management_publish(load.management_key) if load.management_key else event

    def request(number: int) -> bytes:
        content = body(number)
        return b"%b%d\r\n\r\n%b" % (head, len(content), content)

    return request


async def _carry_out(load: Load) -> Outcome:
    loop = asyncio.get_running_loop()
    good = b"HTTP/1.1 %d " % load.status
    run = _Run(load, _renderer(load), good, load.contains.encode(), 0.0)
    made = [
        await loop.create_connection(lambda: _Connection(run), load.host, load.port)
        for _ in range(load.connections)
    ]
    cpu, began = sum(os.times()[:2]), time.monotonic()
    run.until = began + load.seconds
    for _, connection in made:
        connection.send()
    async with asyncio.timeout(load.seconds + PATIENCE):
        await asyncio.gather(*(connection.done for _, connection in made))
    if run.failure:
        raise SystemExit(f"{load.path}: a request was not accepted: {run.failure}")
    ended, cpu = time.monotonic(), sum(os.times()[:2]) - cpu
    ranked = sorted(run.latencies)
    count = len(ranked)
    p50, p99 = (1000 * ranked[min(count - 1, int(count * part))] for part in (0.5, 0.99))
    first = load.batch * sum(each < began + 1 for each in run.answered_at)
    last = load.batch * sum(each >= ended - 1 for each in run.answered_at)
    return Outcome(count, count * load.batch, began, ended, p50, p99, cpu, first, last)


async def _answer(question: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(await _carry_out(Load(**question)))


def main() -> None:
    """Read a Load as JSON from standard input, write the Outcome to standard output."""
    answer(_answer)


if __name__ == "__main__":
    main()
