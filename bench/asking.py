"""The asking client: requests at a fixed rate whatever comes back, in a process of its own.

A latency counts from the moment at which the request was due, so a stall is not left out. With a
rate of 0 each connection asks again once it is answered.
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, cast

import uvloop

from bench.events import fresh_prefix
from bench.load import LENGTH

TYPE = "id.go.dukcapil.nik.validasi.v1"
PHASES = ("ask to record", "record to responder", "responder to record", "record to answer")
PATIENCE = 30.0  # seconds beyond the wanted time
_END = b"\r\n\r\n"
_BODY = (
    '{"specversion":"1.0","id":"%s-%d","source":"/dukcapil/bench","type":"' + TYPE + '",'
    '"datacontenttype":"application/json","data":{"nomor_permintaan":"VAL-dukcapil-20231105-%06d",'
    '"nik":"3273011203900001","nama":"Budi Santoso","tujuan":"IZIN_USAHA"}}'
)


@dataclass(frozen=True)
class Ask:
    """What to ask. `rate` is in requests a second, 0 for as fast as the answers come."""

    port: int
    headers: Mapping[str, str]
    connections: int
    rate: float
    seconds: float
    host: str = "127.0.0.1"


@dataclass
class _Run:
    ask: Ask
    prefix: str = field(default_factory=lambda: fresh_prefix().decode())
    number: int = 0
    due: deque[float] = field(default_factory=deque)
    free: list["_Connection"] = field(default_factory=list)
    answers: list[tuple[float, float, bytes]] = field(default_factory=list)  # due, got, body
    until: float = 0.0
    failure: str = ""

    def request(self) -> bytes:
        """The next one, as bytes."""
        self.number += 1
        body = _BODY % (self.prefix, self.number, self.number % 1_000_000)
        lines = [f"POST /v1/requests HTTP/1.1\r\nHost: {self.ask.host}:{self.ask.port}"]
        lines += [f"{name}: {value}" for name, value in self.ask.headers.items()]
        lines.append(f"Content-Length: {len(body)}\r\n\r\n{body}")
        return "\r\n".join(lines).encode()

    def go_on(self, connection: "_Connection") -> None:
        """A connection has nothing to do."""
        if self.due:
            connection.send(self.due.popleft())
        elif not self.ask.rate and time.time() < self.until and not self.failure:
            connection.send(time.time())
        else:
            self.free.append(connection)


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._received = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, due: float) -> None:
        self._due = due
        self._transport.write(self._run.request())

    def data_received(self, data: bytes) -> None:
        received = self._received + data
        end = received.find(_END)
        length = LENGTH.search(received, 0, end + 2) if end >= 0 else None
        if length is None or len(received) < end + len(_END) + int(length[1]):
            self._received = received
            return
        self._received = b""
        body = received[end + len(_END) :]
        if not received.startswith(b"HTTP/1.1 200 "):
            self._run.failure = received[:1000].decode("latin-1")
        self._run.answers.append((self._due, time.time(), body))
        self._run.go_on(self)


async def _carry_out(ask: Ask) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    run = _Run(ask)
    for _ in range(ask.connections):
        _, made = await loop.create_connection(lambda: _Connection(run), ask.host, ask.port)
        run.free.append(made)
    began = time.time()
    run.until = began + ask.seconds
    if ask.rate:
        await _at_a_rate(run, began)
    else:
        for connection in [run.free.pop() for _ in range(ask.connections)]:
            run.go_on(connection)
        await asyncio.sleep(ask.seconds)
    async with asyncio.timeout(PATIENCE):
        while len(run.free) < ask.connections and not run.failure:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    if run.failure:
        raise SystemExit(f"a request was not answered: {run.failure}")
    return _summary(run, began)


async def _at_a_rate(run: _Run, began: float) -> None:
    for number in range(int(run.ask.rate * run.ask.seconds)):
        due = began + number / run.ask.rate
        pause = due - time.time()
        if pause > 0:
            await asyncio.sleep(pause)
        if run.free:
            run.free.pop().send(due)
        else:
            run.due.append(due)


def _summary(run: _Run, began: float) -> dict[str, Any]:
    last = max(got for _, got, _ in run.answers)
    phases = [_phases(*answer) for answer in run.answers]
    return {
        "requests": len(run.answers),
        "rate": len(run.answers) / (last - began),
        "latency": _quantiles([got - due for due, got, _ in run.answers]),
        "phases": {
            name: _quantiles([each[place] for each in phases]) for place, name in enumerate(PHASES)
        },
    }


def _phases(due: float, got: float, body: bytes) -> tuple[float, ...]:
    """Seconds between its stations. All clocks are this machine's."""
    found = json.loads(body)
    times = (
        due,
        _time(found["request"]["recordedtime"]),
        _time(found["reply"]["data"]["diperiksa_pada"]),
        _time(found["reply"]["recordedtime"]),
        got,
    )
    return tuple(after - before for before, after in pairwise(times))


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds."""
    ranked = sorted(seconds)
    last = len(ranked) - 1
    return {
        f"p{part}": 1000 * ranked[min(last, len(ranked) * part // 100)] for part in (50, 95, 99)
    }


def main() -> None:
    """Read an Ask as JSON from standard input, write what was found to standard output."""
    ask = Ask(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(runner.run(_carry_out(ask)), sys.stdout)


def as_question(ask: Ask) -> dict[str, Any]:
    """What `main` reads."""
    return asdict(ask)


if __name__ == "__main__":
    main()
