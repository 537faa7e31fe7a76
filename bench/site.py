"""One Nusabus under measurement: its database, its api processes, its relay."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import asyncpg
import httpx
import psutil

from bench.children import Service, run
from bench.costs import CpuMeter, Pids
from bench.events import ORGANISATION, TYPE
from bench.failure import BenchFailure
from bench.load import Load
from bench.servers import PREPARED, Servers
from bench.subscriber import Subscriber, client_of, token_of
from deploy.local.ports import LOOPBACK, free_port

READY = 60.0  # seconds
SETTLE = 120.0  # seconds in which the relay must catch up
SUBSCRIPTION = "bench"
WEBHOOKS = {"NUSABUS_WEBHOOK_NETWORKS": f"{LOOPBACK}/32", "NUSABUS_WEBHOOK_HTTP": "true"}
BACKLOG = """
SELECT sum(s.last)::bigint, sum(l.cursor_sequence)::bigint
FROM journal_shards s JOIN journal_leases l USING (shard)
"""


class Site:
    """A relay, and for each number in `apis` that many api processes behind a port of their own."""

    def __init__(
        self,
        servers: Servers,
        database: str,
        apis: Sequence[int],
        *,
        runner: str = "gateway",
        own: Mapping[str, str] | None = None,
        deliver: bool = False,
        grpc: bool = False,
    ) -> None:
        """`runner` is the module that runs the gateway; `own` adds to its environment.

        With `deliver` there is a process for webhooks, whose endpoints may be on this machine, with
        `grpc` one that serves gRPC at `grpc_port`.
        """
        self.database = database
        self._servers = servers
        self._runner = runner
        self.grpc_port = free_port()
        ports = {"NUSABUS_GRPC_PORT": str(self.grpc_port)}
        self._own = {**ports, **(WEBHOOKS if deliver else {}), **(own or {})}
        self._ports: dict[int, int] = {}
        self._apis: dict[int, list[Service]] = {}
        for count in apis:
            self._ports[count] = port = free_port(tuple(self._ports.values()))
            self._apis[count] = [
                self._service(f"api-{count}-{number}", "api", port) for number in range(count)
            ]
        self.relay = self._service("relay", "relay", 0)
        self.deliver = self._service("deliver", "deliver", 0) if deliver else None
        self.grpc = self._service("grpc", "grpc", 0) if grpc else None
        self._watch: asyncpg.Connection | None = None

    async def __aenter__(self) -> Self:
        """Start it on a database that exists."""
        try:
            self._watch = await self._servers.connect(self.database)
            for service in self._services():
                await service.start()
            await self._wait_listening()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it; its database stays."""
        await self._end()

    async def _end(self) -> None:
        await asyncio.gather(*(service.stop() for service in self._services()))
        if self._watch is not None:
            await self._watch.close(timeout=5)

    def port(self, apis: int) -> int:
        """Where so many api processes listen."""
        return self._ports[apis]

    def processes(self) -> list[Service]:
        """All its processes."""
        return list(self._services())

    def apis(self) -> list[Service]:
        """All api processes."""
        return [each for several in self._apis.values() for each in several]

    def load(self, apis: int, *, batch: int, connections: int, seconds: float) -> Load:
        """Publishing events with a token; `batch` 1 sends single events."""
        kind = "cloudevents" if batch == 1 else "cloudevents-batch"
        return Load(
            port=self.port(apis),
            path="/v1/events",
            headers={
                "Authorization": f"Bearer {self._servers.token}",
                "Content-Type": f"application/{kind}+json",
            },
            connections=connections,
            seconds=seconds,
            batch=batch,
            status=202 if batch == 1 else 207,
            contains="" if batch == 1 else f'"accepted":{batch},"refused":0,',
        )

    def meter(self) -> CpuMeter:
        """Counts what each part of it spends."""
        groups: dict[str, Pids] = {
            "service": lambda: [each.pid for each in self._doors()],
            "postgres": self._servers.postgres_pids,
            "relay": lambda: [self.relay.pid],
            "broker": self._servers.broker_pids,
        }
        if (deliver := self.deliver) is not None:
            groups["deliver"] = lambda: [deliver.pid]
        return CpuMeter(groups).start()

    async def places(self) -> tuple[int, int]:
        """How many entries are stored, and how many relayed."""
        assert self._watch is not None
        row = await self._watch.fetchrow(BACKLOG)
        assert row is not None
        return int(row[0]), int(row[1])

    async def settled(self) -> float:
        """Wait until all that is stored is confirmed and the cursor says so; when that was.

        Raises BenchFailure when it takes too long.
        """
        deadline = time.monotonic() + SETTLE
        while True:
            stored, relayed = await self.places()
            now = time.monotonic()
            if stored == relayed:
                return now
            if now > deadline:
                raise BenchFailure(f"the relay is {stored - relayed} events behind, and stays so")
            self.relay.require_alive()
            await asyncio.sleep(0.02)

    def _doors(self) -> list[Service]:
        return [*self.apis(), *([self.grpc] if self.grpc is not None else [])]

    def _services(self) -> Iterable[Service]:
        yield from self._doors()
        yield self.relay
        if self.deliver is not None:
            yield self.deliver

    def _service(self, name: str, command: str, port: int) -> Service:
        own = {**self._servers.settings(self.database, port), **self._own}
        command_line = ("-m", self._runner, command)
        return Service(
            f"{self.database}-{name}", *command_line, folder=self._servers.folder, own=own
        )

    async def _wait_listening(self) -> None:
        deadline = time.monotonic() + READY
        waiting = self._doors()
        while waiting:
            for service in waiting:
                service.require_alive()
            waiting = [service for service in waiting if not _listens(service)]
            if time.monotonic() > deadline:
                raise BenchFailure(f"{waiting[0].name} did not listen within {READY:.0f} s")
            await asyncio.sleep(0.05)


def _listens(service: Service) -> bool:
    found = psutil.Process(service.pid).net_connections(kind="tcp")
    return any(each.status == psutil.CONN_LISTEN for each in found)


async def prepare(servers: Servers) -> None:
    """Make the client and the subscription in the prepared database."""
    admin = await run("-m", "gateway", "bootstrap", "--json", own=servers.settings(PREPARED, 0))
    async with Site(servers, PREPARED, (1,)) as site:
        url = f"http://{LOOPBACK}:{site.port(1)}"
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            operator = servers.operator = await token_of(http, **json.loads(admin))
            servers.token = await client_of(http, operator, ORGANISATION)
        async with Subscriber(site.port(1), servers.token) as subscriber:
            made = await subscriber.subscribe(SUBSCRIPTION, TYPE)
            servers.queue = made["queue"]
