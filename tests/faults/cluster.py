"""A gateway under test: its own database, virtual host, processes and proxies.

publishers -> api, api -> [proxy] -> PostgreSQL <- relay, grpc, relay -> [proxy] -> RabbitMQ
RabbitMQ -> [proxy] -> subscribers, deliver -> [proxy] -> endpoints, RabbitMQ -> [proxy] -> consumer
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local.ports import LOOPBACK, free_port
from gateway.base.database import OUTAGES
from tests.faults.broker_admin import BrokerAdmin
from tests.faults.children import Child, command
from tests.faults.gateway_client import GatewayClient
from tests.faults.routes import Routes
from tests.faults.run_log import RunLog
from tests.faults.servers import DELIVERS, RELAYS, Servers

POLL = 0.05
PATIENCE = 45.0  # seconds for anything that must happen in the end
MAJORITY_LOST = 60.0  # seconds without most nodes of the broker
UNFORESEEN = ("Traceback", "exc_type", "never retrieved")  # in a log: what nobody caught


class TooLate(Exception):
    """Something that must happen did not happen in time."""


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """How many processes there are, and the bug that is seeded into them."""

    apis: int = 2
    relays: int = 2
    delivers: int = 2
    bug: str | None = None
    majority_lost: float = MAJORITY_LOST


class Cluster:
    """The processes of one run and all that lies between them."""

    def __init__(self, servers: Servers, name: str, folder: Path, options: ClusterOptions) -> None:
        self.servers = servers
        self.run_log = RunLog()
        self._name = name
        self._folder = folder
        self._port = free_port()
        self.url = f"http://{LOOPBACK}:{self._port}"
        self._grpc_port = free_port((self._port,))
        self.grpc_address = f"{LOOPBACK}:{self._grpc_port}"
        self.routes = Routes(servers, name)
        self.admin = BrokerAdmin(self.routes.admin_management_url, self.routes.admin_amqp_url, name)
        self.options = options
        self._bug = options.bug
        self.apis = [self._api(n, options.bug) for n in range(1, options.apis + 1)]
        self.relays = [self._relay(role, options.bug) for role in RELAYS[: options.relays]]
        self.delivers = [self._deliver(role, options.bug) for role in DELIVERS[: options.delivers]]
        self.grpc = self._grpc(options.bug)
        self.consumers: list[Child] = []
        self._watching: asyncio.Task[None] | None = None
        self._clients: dict[str, GatewayClient] = {}

    async def open(self) -> None:
        """Return once every process is at work."""
        self._folder.mkdir(parents=True, exist_ok=True)
        await self.routes.open()
        await self.admin.make_vhost()
        await self.servers.make_database(self._name)
        for child in self.children:
            await child.start()
        await self.until(self._at_work, "the gateway did not start")
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """End the processes, and note what they should not have said."""
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.gather(*(child.stop() for child in self.children))
        for child in self.children:
            self._search_log(child)
        for client in self._clients.values():
            await client.aclose()
        await self.servers.drop_database(self._name)
        await self.admin.delete_vhost()
        await self.admin.close()
        await self.routes.close()

    @property
    def children(self) -> list[Child]:
        """Every process of the gateway."""
        return [*self.apis, self.grpc, *self.relays, *self.delivers, *self.consumers]

    async def consume(self, name: str, queue: str, url: str) -> None:
        """Let a service on the consumer runtime read a queue; its effects are in our database."""
        own = {
            "AMQP_URL": self.routes.consumer_url(url),
            "QUEUE": queue,
            "SUBSCRIPTION": name,
            "DATABASE_URL": self.servers.owner_url(self._name),
        }
        child = Child(name, command("consumer", self._bug), self._folder, own)
        await child.start()
        self.consumers.append(child)

    @property
    def environment(self) -> dict[str, str]:
        """For a program of the gateway that runs beside these processes."""
        return dict(self.routes.environment)

    @property
    def refused_tokens(self) -> int:
        """How often a client's token was not valid any more."""
        return sum(client.refused for client in self._clients.values())

    def client(self, organisation: str) -> GatewayClient:
        """The client of an organisation."""
        if organisation not in self._clients:
            self._clients[organisation] = GatewayClient(
                self.url, self.servers.credentials[organisation]
            )
        return self._clients[organisation]

    async def wake(self, child: Child, holders: str) -> None:
        """SIGCONT, until the process has said twice in the table `holders` that it lives.

        It says so each fifth of a lease, so meanwhile it has written what it believes to hold.
        """
        child.signal(signal.SIGCONT)
        for _ in range(2):
            before = await self._seen(child, holders)

            async def later(before: object = before) -> bool:
                return await self._seen(child, holders) != before

            await self.until(later, f"{child.name} did not go on")

    async def _seen(self, child: Child, holders: str) -> object:
        """When it said so last, under its own name or as host-process-chance."""
        name = f"^{child.name}$|-{child.pid}-[^-]*$"
        return (await self.query(f"SELECT max(seen) FROM {holders} WHERE name ~ $1", name))[0][0]

    async def query(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Ask the database, past the gateway; waits while it is away."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(*OUTAGES):
                connection = await asyncpg.connect(self.servers.owner_url(self._name), timeout=5)
                try:
                    return list(await connection.fetch(statement, *arguments))
                finally:
                    connection.terminate()
            if time.monotonic() > deadline:
                raise TooLate(f"the database does not answer: {statement}")
            await asyncio.sleep(POLL)

    @asynccontextmanager
    async def without_commits(self) -> AsyncIterator[None]:
        """While no event can be stored: somebody holds the counters of the journal."""
        connection = await asyncpg.connect(self.servers.owner_url(self._name), timeout=5)
        try:
            await connection.execute("BEGIN; SELECT FROM journal_shards ORDER BY shard FOR UPDATE")
            yield
        finally:
            connection.terminate()

    async def value(self, statement: str, *arguments: Any) -> Any:
        """The first column of the first row."""
        return (await self.query(statement, *arguments))[0][0]

    async def until(
        self,
        condition: Callable[[], Awaitable[bool]] | Callable[[], bool],
        failure: str,
        seconds: float = PATIENCE,
    ) -> None:
        """Poll until the condition holds. Raises TooLate."""
        deadline = time.monotonic() + seconds
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            if time.monotonic() > deadline:
                raise TooLate(f"{failure} within {seconds:.0f} s")
            await asyncio.sleep(POLL)

    async def backlog(self) -> int:
        """Entries that are not relayed."""
        return int(
            await self.value(
                "SELECT coalesce(sum(s.last - l.cursor_sequence - CASE "
                "WHEN l.cursor_sequence <= s.restored THEN s.begins - s.restored ELSE 0 END), 0)"
                "::bigint "
                "FROM journal_shards s JOIN journal_leases l USING (shard)"
            )
        )

    async def _at_work(self) -> bool:
        for child in self.children:
            if not child.pid:
                raise TooLate(f"{child.name} ended: {child.last_words()}")
        if not all(door.listening for door in (*self.apis, self.grpc)):
            return False
        relays = await self.value("SELECT count(*) FROM journal_relays")
        vacant = await self.value("SELECT count(*) FROM journal_leases WHERE holder IS NULL")
        delivers = await self.value("SELECT count(*) FROM delivery_dispatchers")
        return relays == len(self.relays) and delivers == len(self.delivers) and not vacant

    async def _watch(self) -> None:
        """Start again, and note, each process that ends by itself."""
        while True:
            for child in self.children:
                if child.meant_to_run and not child.pid:
                    self.run_log.incidents.append(
                        f"{child.name} ended with {child.exit_code}: {child.last_words()}"
                    )
                    await child.start()
            await asyncio.sleep(0.2)

    def _search_log(self, child: Child) -> None:
        text = child.log.read_text(errors="replace") if child.log.exists() else ""
        lines = text.splitlines()
        found = [n for n, line in enumerate(lines) if any(word in line for word in UNFORESEEN)]
        if found:
            excerpt = " | ".join(lines[max(0, found[0] - 1) :][-6:])[-600:]
            self.run_log.incidents.append(f"{child.name} logged {len(found)} failures: {excerpt}")

    def _api(self, number: int, bug: str | None) -> Child:
        own = {
            **self.routes.api_environment,
            "NUSABUS_PORT": str(self._port),
            "NUSABUS_URL": self.url,
            "NUSABUS_REQUESTS_IN_PROGRESS": "16",  # so that the fault `overload` needs few more
            "NUSABUS_VALIDATION_SECONDS": "0.25",
        }
        return Child(f"api-{number}", command("api", bug), self._folder, own)

    def _grpc(self, bug: str | None) -> Child:
        own = {
            **self.routes.environment,
            "NUSABUS_GRPC_PORT": str(self._grpc_port),
            "NUSABUS_URL": self.url,
        }
        return Child("grpc", command("grpc", bug), self._folder, own)

    def _relay(self, role: str, bug: str | None) -> Child:
        own = {**self.routes.relay_environment(role), "NUSABUS_RELAY_NAME": role}
        return Child(role, command("relay", bug), self._folder, own)

    def _deliver(self, role: str, bug: str | None) -> Child:
        own = self.routes.deliver_environment(role)
        return Child(role, command("deliver", bug), self._folder, own)
