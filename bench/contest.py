"""Publishers side by side, in short alternating rounds: by hand, management API, gateway.

Nobody reads the queues while a run is measured, the same for all; after each run the queue must
hold exactly what was accepted, and is emptied.
"""

from base64 import b64encode
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Protocol

import httpx

from bench.children import Service, fire, wait_serving
from bench.costs import CpuMeter
from bench.events import EXCHANGE, SCHEMA, TYPE
from bench.load import Load, Outcome
from bench.results import Results, Row, Sample, Value, ratio
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site
from bench.waiting import until
from deploy.local.ports import free_port, listening

PROCESSES = (1, 2)
HAND_QUEUE = "bench.handrolled"
MANAGEMENT_QUEUE = "bench.management"


class Contestant(Protocol):
    """Something that events can be given to."""

    key: str
    what: str

    async def run(self, seconds: float) -> Sample:
        """Give it events for so long. Raises BenchFailure when one is refused or lost."""
        ...


class HandRolled:
    """bench/handrolled.py under uvicorn."""

    def __init__(self, servers: Servers, scale: Scale, processes: int) -> None:
        self.key = f"handrolled_{processes}"
        self.what = f"by hand, no store, {_described(processes)}"
        self._servers = servers
        self._port = free_port()
        self._connections = scale.connections
        self.service = Service(
            self.key, "-m", "uvicorn", "bench.handrolled:app", f"--port={self._port}",
            f"--workers={processes}", "--loop=uvloop", "--http=httptools", "--no-access-log",
            "--log-level=warning", folder=servers.folder,
            own={"BENCH_AMQP_URL": servers.broker.amqp_url, "BENCH_SCHEMA": str(SCHEMA)},
        )  # fmt: skip

    async def start(self) -> None:
        """Start it and wait until it serves."""
        await self.service.start()
        await wait_serving(self.service, self._port)

    async def run(self, seconds: float) -> Sample:
        """See Contestant."""
        meter = CpuMeter(
            {"service": lambda: [self.service.pid], "broker": self._servers.broker_pids}
        )
        meter.start()
        headers = {"Content-Type": "application/json"}
        load = Load(self._port, "/events", headers, self._connections, seconds)
        outcome = await fire(load)
        costs = meter.per_event(outcome.events)
        await self._servers.queues.expect(HAND_QUEUE, outcome.events)
        return sample_of(outcome, costs)


class ManagementApi:
    """`POST /api/exchanges/%2F/amq.default/publish` of RabbitMQ itself."""

    key = "management"
    what = "RabbitMQ's management API"

    def __init__(self, servers: Servers, scale: Scale) -> None:
        self._servers = servers
        self._connections = scale.connections

    async def run(self, seconds: float) -> Sample:
        """See Contestant."""
        url = httpx.URL(self._servers.broker.management_url)
        login = b64encode(f"{url.username}:{url.password}".encode()).decode()
        load = Load(
            port=url.port or 80,
            path="/api/exchanges/%2F/amq.default/publish",
            headers={
                "Authorization": f"Basic {login}",
                "Content-Type": "application/json",
            },
            connections=self._connections,
            seconds=seconds,
            management_key=MANAGEMENT_QUEUE,
            status=200,
            contains='{"routed":true}',
        )
        meter = CpuMeter({"broker": self._servers.broker_pids}).start()
        outcome = await fire(load)
        costs = meter.per_event(outcome.events)
        await self._servers.queues.expect(MANAGEMENT_QUEUE, outcome.events)
        return sample_of(outcome, costs)


class Single:
    """The gateway, one event a request. Its relay works beside it and is part of the cost."""

    def __init__(
        self, servers: Servers, site: Site, scale: Scale, processes: int, special: str = ""
    ) -> None:
        """`special` is what this site has, such as `full journal`; the first word is its key."""
        self.key = f"single_{special.partition(' ')[0] or processes}"
        self.what = f"gateway, single events, {_described(processes, special)}"
        self._servers, self._site = servers, site
        self._scale, self._processes = scale, processes

    async def run(self, seconds: float) -> Sample:
        """See Contestant."""
        connections = self._scale.connections
        load = self._site.load(self._processes, batch=1, connections=connections, seconds=seconds)
        meter = self._site.meter()
        outcome = await fire(load)
        await self._site.settled()
        costs = meter.per_event(outcome.events)
        await self._servers.queues.expect(self._servers.queue, outcome.events)
        return sample_of(outcome, costs)


class Batches:
    """The gateway, many events a request: from the first POST to the last confirm."""

    def __init__(
        self, servers: Servers, site: Site, scale: Scale, processes: int, special: str = ""
    ) -> None:
        """`special` is what this site has, such as `full journal`; the first word is its key."""
        self.key = f"batch_{special.partition(' ')[0] or processes}"
        self.what = f"gateway, batches of {scale.batch}, {_described(processes, special)}"
        self._servers, self._site = servers, site
        self._scale, self._processes = scale, processes

    async def run(self, seconds: float) -> Sample:
        """See Contestant. Ends after a number of requests if that comes first."""
        scale = self._scale
        load = self._site.load(
            self._processes, batch=scale.batch, connections=scale.batch_connections, seconds=seconds
        )
        load = replace(load, requests=scale.batch_requests)
        meter = self._site.meter()
        outcome = await fire(load)
        confirmed = await self._site.settled()
        costs = meter.per_event(outcome.events)
        await self._servers.queues.expect(self._servers.queue, outcome.events)
        sample = sample_of(outcome, costs)
        rate = outcome.events / (confirmed - outcome.began)
        return replace(sample, rate=rate)


async def compete(servers: Servers, scale: Scale, parts: Sequence[str], results: Results) -> None:
    """Measure the parts handrolled, management, single and batch, and join them to ratios."""
    async with AsyncExitStack() as stack:
        contestants: list[Contestant] = []
        await servers.queues.like(servers.queue, HAND_QUEUE, EXCHANGE, TYPE)
        await servers.queues.like(servers.queue, MANAGEMENT_QUEUE, EXCHANGE, "unused")
        if {"handrolled", "single", "batch"} & set(parts):
            for processes in PROCESSES:
                hand = HandRolled(servers, scale, processes)
                stack.push_async_callback(hand.service.stop)
                await hand.start()
                contestants.append(hand)
        if {"single", "batch"} & set(parts):
            await servers.clone("contest")
            stack.push_async_callback(servers.drop, "contest")
            site = await stack.enter_async_context(Site(servers, "contest", PROCESSES))
            for processes in PROCESSES:
                if "single" in parts:
                    contestants.append(Single(servers, site, scale, processes))
                if "batch" in parts:
                    contestants.append(Batches(servers, site, scale, processes))
        if "management" in parts:
            contestants.append(ManagementApi(servers, scale))
        results.rows += await alternate(contestants, scale)
    results.values += _ratios({row.key: row for row in results.rows})


async def alternate(contestants: Sequence[Contestant], scale: Scale) -> list[Row]:
    """Warm each up, then measure all of them round by round."""
    for each in contestants:
        await each.run(scale.warm_up)
    samples: dict[str, list[Sample]] = {each.key: [] for each in contestants}
    for number in range(scale.rounds):
        for each in contestants if number % 2 == 0 else reversed(contestants):
            sample = await each.run(scale.seconds)
            samples[each.key].append(sample)
            say(f"round {number + 1}: {each.what}: {sample.rate:,.0f}/s")
    return [Row(each.key, each.what, tuple(samples[each.key])) for each in contestants]


def _ratios(rows: dict[str, Row]) -> list[Value]:
    """The worse of one and two processes counts; both are said."""
    found = []
    for key, row, name, unit, aim in (
        ("single_vs_handrolled", "single", "rate", "ratio", "1.5, better 2"),
        ("single_p99_vs_handrolled", "single", "p99", "ratio, less is better", "below 1"),
        ("batch_vs_handrolled", "batch", "rate", "ratio", "4, better 6"),
    ):
        if f"{row}_1" not in rows:
            continue
        pairs = [(rows[f"{row}_{n}"], rows[f"handrolled_{n}"]) for n in PROCESSES]
        ratios = [ratio(ours, theirs, name) for ours, theirs in pairs]
        detail = "the worse of: " + ", ".join(
            f"{found:.2f} with {n}" for n, found in zip(PROCESSES, ratios, strict=True)
        )
        worse = max(ratios) if name == "p99" else min(ratios)
        found.append(Value(key, worse, unit, f"{detail} process(es)", aim))
    return found


def _described(processes: int, special: str = "") -> str:
    described = "one process" if processes == 1 else f"{processes} processes"
    return f"{described}, {special}" if special else described


def sample_of(outcome: Outcome, costs: dict[str, float]) -> Sample:
    """The run of a load, with what it cost."""
    costs["client"] = 1e6 * outcome.cpu / outcome.events
    return Sample(
        outcome.rate, outcome.p50, outcome.p99, costs, outcome.first, outcome.last
    )  # fmt: skip


async def aim_at_nothing(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `client`: the load against a server that does nothing."""
    port = free_port()
    target = Service("target", "-m", "bench.target", str(port), folder=servers.folder, own={})
    await target.start()
    try:

        async def listens() -> bool:
            target.require_alive()
            return listening(port)

        await until(listens, seconds=30, failure="the target does not listen")
        load = Load(port, "/", {}, scale.connections, scale.seconds / 2)
        meter = CpuMeter({"service": lambda: [target.pid]}).start()
        outcome = await fire(load)
        sample = sample_of(outcome, meter.per_event(outcome.events))
    finally:
        await target.stop()
    results.rows.append(Row("client", "load client against a server that does nothing", (sample,)))
