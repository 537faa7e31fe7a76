"""A publisher at a fixed rate that takes every answer, in a process of its own.

A latency counts from the moment at which a request was due. It never waits for Retry-After.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import uvloop

from bench.connection import Connection
from bench.events import fresh_prefix
from bench.paced import quantiles

PATIENCE = 20.0  # seconds beyond the wanted time


class _Run:
    def __init__(self, question: Mapping[str, Any]) -> None:
        self.batch = question["batch"]
        kind = "cloudevents" if self.batch == 1 else "cloudevents-batch"
        self.head = (
            f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {question['token']}\r\n"
            f"Content-Type: application/{kind}+json\r\nContent-Length: "
        ).encode()
        self.event = question["event"].encode()
        self.prefix = fresh_prefix()
        self.number = 0
        self.due: deque[float] = deque()
        self.free: list[_Connection] = []
        self.latencies: dict[int, list[float]] = {}
        self.without_wait = 0
        self.lost = 0
        self.measured_from = 0.0

    def request(self) -> bytes:
        """The next one."""
        numbers = range(self.number, self.number + self.batch)
        self.number += self.batch
        body = b",".join([self.event % {b"id": b"%b-%d" % (self.prefix, n)} for n in numbers])
        if self.batch > 1:
            body = b"[%b]" % body
        return b"%b%d\r\n\r\n%b" % (self.head, len(body), body)


class _Connection(Connection):
    def __init__(self, run: _Run) -> None:
        super().__init__()
        self._run, self._due = run, 0.0

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.lost += 1

    def send(self, due: float) -> None:
        """The request that was due then."""
        self._due = due
        self.transport.write(self._run.request())

    def answered(self, answer: bytes, end: int) -> None:
        run, status = self._run, int(answer[9:12])
        if self._due >= run.measured_from:
            run.latencies.setdefault(status, []).append(time.monotonic() - self._due)
        if status in (429, 503) and b"\r\nretry-after:" not in answer[:end]:
            run.without_wait += 1
        if run.due:
            self.send(run.due.popleft())
        else:
            run.free.append(self)


async def publish(question: Mapping[str, Any]) -> dict[str, Any]:
    """Send at a rate for so long. Answers of the first `warm_up` seconds are not counted."""
    run = _Run(question)
    loop, rate = asyncio.get_running_loop(), question["rate"]
    for _ in range(question["connections"]):
        _, made = await loop.create_connection(
            lambda: _Connection(run), "127.0.0.1", question["port"]
        )
        run.free.append(made)
    connections, began, late = len(run.free), time.monotonic(), 0.0
    run.measured_from = began + question["warm_up"]
    for number in range(int(rate * (question["seconds"] + question["warm_up"]))):
        due = began + number / rate
        pause = due - time.monotonic()
        if pause > 0.001:
            await asyncio.sleep(pause)
        elif number % 50 == 0:
            late = max(late, -pause)
            await asyncio.sleep(0)
        if run.free:
            run.free.pop().send(due)
        else:
            run.due.append(due)
    queued = len(run.due)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while len(run.free) + run.lost < connections or run.due:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
    return {
        "counts": Counter({status: len(each) for status, each in run.latencies.items()}),
        "latencies": {status: quantiles(each) for status, each in run.latencies.items()},
        "without_wait": run.without_wait,
        "lost": run.lost,
        "queued": queued,
        "late": late,
    }


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(runner.run(publish(json.load(sys.stdin))), sys.stdout)
