"""The gateway beside what a careful team builds: durable against durable, in alternating rounds."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.careful import TABLES
from bench.children import Service, fire, wait_serving
from bench.contest import PROCESSES, Batches, Contestant, Single, alternate, sample_of
from bench.costs import CpuMeter
from bench.events import SCHEMA, TYPE
from bench.failure import BenchFailure
from bench.load import Load
from bench.results import Results, Row, Sample, Value, ratio
from bench.scale import Scale
from bench.servers import Servers
from bench.site import SETTLE, Site
from deploy.local.ports import free_port

DATABASE = "careful"
QUEUE, EXCHANGE = "bench.careful", "bench.careful.events"


class Careful:
    """bench/careful.py under uvicorn with so many workers, and its relay."""

    def __init__(self, servers: Servers, database: str, processes: int) -> None:
        self._servers = servers
        self._database = database
        self.processes = processes
        self._watch: asyncpg.Connection | None = None
        self.port = free_port()
        own = {
            "BENCH_DATABASE_URL": database,
            "BENCH_AMQP_URL": servers.broker.amqp_url,
            "BENCH_EXCHANGE": EXCHANGE,
            "BENCH_SCHEMA": str(SCHEMA),
        }
        self.service = Service(
            f"careful-{processes}", "-m", "uvicorn", "bench.careful:app", f"--port={self.port}",
            f"--workers={processes}", "--loop=uvloop", "--http=httptools", "--no-access-log",
            "--log-level=warning", folder=servers.folder, own=own,
        )  # fmt: skip
        self.relay = Service(
            f"careful-relay-{processes}", "-m", "bench.careful_relay",
            folder=servers.folder, own=own,
        )  # fmt: skip

    async def __aenter__(self) -> "Careful":
        self._watch = await asyncpg.connect(self._database)
        await self.service.start()
        await wait_serving(self.service, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.relay.stop()
        await self.service.stop()
        if self._watch is not None:
            await self._watch.close(timeout=5)

    def meter(self) -> CpuMeter:
        """Counts what each part of it spends."""
        return CpuMeter(
            {
                "service": lambda: [self.service.pid],
                "postgres": self._servers.postgres_pids,
                "relay": lambda: [self.relay.pid],
                "broker": self._servers.broker_pids,
            }
        ).start()

    async def settled(self) -> float:
        """Wait until the outbox is empty; when that was. Raises BenchFailure."""
        assert self._watch is not None
        deadline = time.monotonic() + SETTLE
        while await self._watch.fetchval("SELECT true FROM careful_outbox LIMIT 1"):
            self.relay.require_alive()
            if time.monotonic() > deadline:
                raise BenchFailure("the relay of the outbox does not catch up")
            await asyncio.sleep(0.02)
        return time.monotonic()


class CarefulRun:
    """Events given to it: single ones by the answers, batches to the last confirm."""

    def __init__(self, servers: Servers, careful: Careful, scale: Scale, batch: int) -> None:
        self._servers, self._careful, self._scale, self._batch = servers, careful, scale, batch
        self.key = f"careful_{'single' if batch == 1 else 'batch'}_{careful.processes}"
        self.what = f"outbox by hand, {_described(batch, careful.processes)}"

    async def run(self, seconds: float) -> Sample:
        """See Contestant."""
        load = Load(
            self._careful.port, "/events" if self._batch == 1 else "/events/batch",
            {"Content-Type": "application/json"}, self._scale.connections, seconds,
            batch=self._batch,
        )  # fmt: skip
        if self._batch > 1:
            load = replace(
                load, connections=self._scale.batch_connections, requests=self._scale.batch_requests
            )
        await self._careful.relay.start()
        meter = self._careful.meter()
        outcome = await fire(load)
        confirmed = await self._careful.settled()
        costs = meter.per_event(outcome.events)
        await self._careful.relay.stop()  # its polling would disturb the others
        await self._servers.queues.expect(QUEUE, outcome.events)
        sample = sample_of(outcome, costs)
        if self._batch == 1:
            return sample
        return replace(sample, rate=outcome.events / (confirmed - outcome.began))


async def compete_with_careful(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `careful`: single events and batches with one process and with two."""
    async with AsyncExitStack() as stack:
        await servers.queues.like(servers.queue, QUEUE, EXCHANGE, TYPE)
        for name in (DATABASE, "besides"):
            await servers.clone(name)
            stack.push_async_callback(servers.drop, name)
        database = urlunsplit(urlsplit(servers.postgres.owner_url)._replace(path=f"/{DATABASE}"))
        connection = await servers.connect(DATABASE)
        for table in TABLES:
            await connection.execute(table)
        await connection.close()
        site = await stack.enter_async_context(Site(servers, "besides", PROCESSES))
        contestants: list[Contestant] = []
        for processes in PROCESSES:
            careful = await stack.enter_async_context(Careful(servers, database, processes))
            for batch, kind in ((1, Single), (scale.batch, Batches)):
                gateway = kind(servers, site, scale, processes, f"careful_{processes}")
                gateway.what = f"gateway, {_described(batch, processes)}"
                contestants += [CarefulRun(servers, careful, scale, batch), gateway]
        rows = await alternate(contestants, scale)
    results.rows += rows
    results.values += _ratios({row.key: row for row in rows})


def _described(batch: int, processes: int) -> str:
    kind = "single events" if batch == 1 else f"batches of {batch}"
    return f"{kind}, {'one process' if processes == 1 else f'{processes} processes'}"


def _ratios(rows: dict[str, Row]) -> Sequence[Value]:
    """The worse of one and two processes counts; both are said."""
    found = []
    for kind, aim in (("single", "2.5"), ("batch", "6")):
        ratios = [
            ratio(rows[f"{kind}_careful_{count}"], rows[f"careful_{kind}_{count}"])
            for count in PROCESSES
        ]
        detail = "the worse of: " + ", ".join(
            f"{each:.2f} with {count}" for each, count in zip(ratios, PROCESSES, strict=True)
        )
        key = f"{kind}_vs_careful"
        found.append(Value(key, min(ratios), "ratio", f"{detail} process(es)", aim))
    return found
