"""The process of all receivers (`bench.receiver_process`), seen from outside, and its latencies."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx

from bench.children import Service, answer_of
from bench.failure import BenchFailure
from bench.servers import Servers
from bench.subscriber import Subscriber
from bench.waiting import until
from deploy.local.ports import LOOPBACK, free_port, listening

ARRIVAL = 60.0  # seconds in which everything must have come
SERVED = ("webhook", "pull", "stream")
CONCURRENCY, RATE = 64, 1000.0  # the most that a webhook may ask for
FAST: Mapping[str, float] = {"concurrency": CONCURRENCY}
ReceivedEvents = dict[str, list[tuple[str, float]]]  # id and time, by subscription


@dataclass(frozen=True)
class Published:
    """Events with the ids `prefix`-0, -1, ..., each due `1 / rate` seconds after the last."""

    prefix: str
    began: float
    events: int
    rate: float

    def latencies(self, received: Sequence[tuple[str, float]], name: str) -> list[float]:
        """Seconds from when each event was due until it first came. Raises BenchFailure."""
        first: dict[int, float] = {}
        for id, at in received:
            prefix, _, number = id.rpartition("-")
            if prefix == self.prefix:
                first.setdefault(int(number), at)
        if len(first) != self.events:
            raise BenchFailure(f"{name} got {len(first)} of {self.events} events")
        return [at - self.began - number / self.rate for number, at in first.items()]


class Receivers:
    """Receivers of the subscriptions of one client."""

    def __init__(self, servers: Servers, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._port = free_port((subscriber.port,))
        self._service = Service(
            "receiving",
            "-m",
            "bench.receiver_process",
            str(self._port),
            folder=servers.folder,
            own={},
        )
        self._http = httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{self._port}", timeout=30)

    async def __aenter__(self) -> Self:
        """Start the process."""
        await self._service.start()

        async def listens() -> bool:
            self._service.require_alive()
            return listening(self._port)

        await until(listens, seconds=30, failure="the receivers do not listen")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        await self._http.aclose()
        await self._service.stop()

    def url(self, name: str, behaviour: str = "take") -> str:
        """An endpoint: `take`, `fail`, `later` or `hang`."""
        return f"http://{LOOPBACK}:{self._port}/{behaviour}/{name}"

    async def open(
        self,
        name: str,
        way: str,
        *types: str,
        behaviour: str = "take",
        readers: int = 1,
        by: Subscriber | None = None,
        endpoint: Mapping[str, float] = FAST,
        **more: Any,
    ) -> None:
        """Make a subscription and receive from it; what does not `take` settles nothing.

        `by` is whose it is, where it is none of our own; `endpoint` is for webhooks.
        """
        by = by or self._subscriber
        if way in SERVED:
            more["delivery"] = way
        if way == "webhook":
            where = {"url": self.url(name, behaviour), **endpoint}
            more["terms"] = {"rate": RATE, "endpoint": where}
        made = await by.make(name, *types, **more)
        if way == "amqp":  # the others are active at once
            await by.active(name)
        if way != "webhook":
            for _ in range(readers):
                await self._follow(name, way, made, by.token, settles=behaviour == "take")

    async def close(self, name: str, way: str) -> None:
        """End the receiver and the subscription."""
        if way != "webhook":
            await self._post("leave", {"name": name})
        await self._subscriber.end(name)

    async def received(self) -> ReceivedEvents:
        """What has come since the last time."""
        self._service.require_alive()
        found: ReceivedEvents = (await self._post("received", {})).json()
        return found

    async def gather(self, expected: Mapping[str, int]) -> ReceivedEvents:
        """Wait until so many events, repeats left out, have come to these subscriptions."""
        found: ReceivedEvents = {name: [] for name in expected}
        deadline = time.monotonic() + ARRIVAL
        while True:
            for name, events in (await self.received()).items():
                found.setdefault(name, []).extend(events)
            lacking = [n for n, count in expected.items() if len({i for i, _ in found[n]}) < count]
            if not lacking:
                return found
            if time.monotonic() > deadline:
                raise BenchFailure(f"events did not come within {ARRIVAL:.0f} s to {lacking}")
            await asyncio.sleep(0.1)

    async def latencies(
        self, names: Sequence[str], *, rate: float, seconds: float
    ) -> dict[str, list[float]]:
        """Publish at a rate; by subscription the seconds until each event was in hands."""
        answer = await answer_of(
            "bench.paced_publisher",
            {
                "port": self._subscriber.port,
                "token": self._subscriber.token,
                "rate": rate,
                "seconds": seconds,
            },
        )
        published = Published(answer["prefix"], answer["began"], answer["events"], rate)
        received = await self.gather(dict.fromkeys(names, published.events))
        return {name: published.latencies(received[name], name) for name in names}

    async def _follow(
        self, name: str, way: str, made: Mapping[str, Any], token: str, *, settles: bool
    ) -> None:
        where: dict[str, Any] = {"port": self._subscriber.port, "token": token}
        if way == "amqp":
            where = {"url": made["amqp_url"], "queue": made["queue"]}
        await self._post("follow", {"name": name, "delivery": way, "settles": settles, **where})

    async def _post(self, what: str, body: object) -> httpx.Response:
        return (await self._http.post(f"/{what}", json=body)).raise_for_status()
