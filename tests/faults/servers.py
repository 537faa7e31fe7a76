"""A PostgreSQL and a RabbitMQ, of one host or several, for any number of clusters in turn.

What every cluster begins with (tables, contracts, organisations with their clients, an audit of
writes to the leases) is made once, in a database that is then copied for each.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx

from deploy.local.credentials import Credentials
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.postgres import Postgres, copy_database
from deploy.local.rabbitmq import RabbitMQ
from tests.authority import Authority
from tests.faults.checker_quotas import LIMITED
from tests.faults.children import Child, carry_out, command
from tests.faults.events import SCHEMAS
from tests.faults.gateway_client import GatewayClient
from tests.faults.hosts import SMALL, BrokerNodes, DatabaseHosts, OneHost, OneNode

TEMPLATE = "nusabus"
OPERATOR = "operator"
SECRET_KEY = "a secret key that is only for the fault harness"
ORGANISATIONS = (
    "kemendikbud", "kemendagri", "lkpp", "kemensos", "bmkg", "bps", "dukcapil", "bnpb", "pajak",
    "oss",
)  # fmt: skip
GRANTS = (("dukcapil", "id.go.kemendikbud.*"), ("dukcapil", "id.go.kemendagri.*"))
RELAYS = ("relay-1", "relay-2")
DELIVERS = ("deliver-1", "deliver-2")
DEEP = 300  # messages in a queue that nobody reads until the journal keeps the rest
AUDIT = Path(__file__).with_name("audit.sql")


class Servers:
    """Start them once; take clusters from them one at a time."""

    def __init__(
        self,
        folder: Path,
        broker: BrokerNodes | None = None,
        database: DatabaseHosts | None = None,
    ) -> None:
        """One host each, unless others are given."""
        self.broker = broker or OneNode(folder / "rabbitmq", name="faults")
        self.database = database or OneHost(folder / "postgres", settings=SMALL)
        self.credentials: dict[str, Credentials] = {}
        self.authority: Authority
        self._folder = folder

    @property
    def rabbitmq(self) -> RabbitMQ:
        """The broker's first node."""
        return self.broker.nodes[0]

    @property
    def postgres(self) -> Postgres:
        """The database's present primary."""
        return self.database.primary

    async def start(self) -> None:
        """Return once both answer and the first database is made."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(self._folder)
        await asyncio.gather(asyncio.to_thread(self.broker.start), self._start_database())

    async def erase(self) -> None:
        """End both and delete their data."""
        await asyncio.gather(
            asyncio.to_thread(self.broker.erase), asyncio.to_thread(self.database.erase)
        )

    def database_url(
        self, name: str, role: str | None = None, ports: Sequence[int] | None = None
    ) -> str:
        """The URL of a database at all of its hosts; as a relay's role, or through proxies."""
        return self._on(self.postgres.url, name, role, ports)

    def owner_url(self, name: str) -> str:
        """The URL of a database as its owner, for what the gateway's processes may not do."""
        return self._on(self.postgres.owner_url, name)

    def _on(
        self, url: str, name: str, role: str | None = None, ports: Sequence[int] | None = None
    ) -> str:
        parts = urlsplit(url)
        login = f"{role}:{role}" if role else parts.netloc.rpartition("@")[0]
        ports = ports or [each.port for each in self.database.members]
        hosts = ",".join(f"{LOOPBACK}:{port}" for port in ports)
        query = "target_session_attrs=primary" if len(ports) > 1 else ""
        return urlunsplit(parts._replace(netloc=f"{login}@{hosts}", path=f"/{name}", query=query))

    async def make_database(self, name: str) -> None:
        """A database like the first one."""
        for statement in copy_database(name, TEMPLATE):
            await self._execute("postgres", statement)
        # Or the copied sequences go back at a crash.
        await self._execute("postgres", "CHECKPOINT")

    async def drop_database(self, name: str) -> None:
        """Delete it, with all who are connected."""
        await self._execute("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _start_database(self) -> None:
        await asyncio.to_thread(self.database.start)
        await self._make_template()

    async def _make_template(self) -> None:
        """The tables, contracts and organisations of every run."""
        for role in (*RELAYS, *DELIVERS):
            await self._execute(
                "postgres", f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{role}' IN ROLE nusabus_app"
            )
        own = {**self.environment(TEMPLATE), "NUSABUS_AMQP_URL": f"amqp://{LOOPBACK}"}
        owner = {"NUSABUS_MIGRATION_DATABASE_URL": self.postgres.owner_url}
        await carry_out("migrate", folder=self._folder, own=own | owner)
        await carry_out("contracts", str(SCHEMAS), folder=self._folder, own=own)
        await self._execute(TEMPLATE, AUDIT.read_text(), owner=True)
        made = await carry_out("bootstrap", "--json", folder=self._folder, own=own)
        async with self._api(own) as url:
            self.credentials[OPERATOR] = Credentials(**json.loads(made))
            await self._make_clients(url)

    def environment(self, database: str) -> dict[str, str]:
        """The settings of every process of the gateway."""
        return {
            "NUSABUS_DATABASE_URL": self.database_url(database),
            "NUSABUS_SECRET_KEY": SECRET_KEY,
            "NUSABUS_LEASE_SECONDS": "2",
            "NUSABUS_TOKEN_SECONDS": "60",
            "NUSABUS_QUEUE_STATISTICS_DELAY": "12",
            "NUSABUS_APPEND_TIMEOUT": "5",
            "NUSABUS_CONFIRM_TIMEOUT": "30",
            "NUSABUS_QUEUE_DEPTH_LIMIT": str(DEEP),
            "NUSABUS_WEBHOOK_NETWORKS": f"{LOOPBACK}/32",
            "NUSABUS_WEBHOOK_HTTP": "true",
            "NUSABUS_WEBHOOK_RETRIES": "0.2,0.4,0.8",
            "NUSABUS_WEBHOOK_CA_FILE": str(self.authority.file),
        }

    @asynccontextmanager
    async def _api(self, own: Mapping[str, str]) -> AsyncIterator[str]:
        port = str(free_port())
        child = Child("api-0", command("api", None), self._folder, {**own, "NUSABUS_PORT": port})
        await child.start()
        try:
            while not child.listening:
                assert child.pid, child.last_words()
                await asyncio.sleep(0.05)
            yield f"http://{LOOPBACK}:{port}"
        finally:
            await child.stop()

    async def _make_clients(self, url: str) -> None:
        """A client for every organisation that takes part, and what was granted."""
        async with contextlib.aclosing(GatewayClient(url, self.credentials[OPERATOR])) as admin:
            roles: Sequence[str] = ("publisher", "subscriber")
            for organisation in ORGANISATIONS:
                body = {"organisation": organisation, "title": "Faults", "roles": roles}
                made = (await admin.call("POST", "/v1/clients", body)).raise_for_status()
                id = made.json()["id"]
                secret = await admin.call("POST", f"/v1/clients/{id}/secrets")
                self.credentials[organisation] = Credentials(id, secret.json()["secret"])
            for organisation, types in GRANTS:
                answer = await admin.call(
                    "POST",
                    f"/v1/organisations/{organisation}/grants",
                    {"action": "subscribe", "type": types},
                )
                assert answer.status_code == httpx.codes.CREATED, answer.text
            for organisation, events in LIMITED.items():
                path = f"/v1/organisations/{organisation}/quotas"
                limit = {"quotas": {"events": events}}
                (await admin.call("PUT", path, limit, {"if-match": "*"})).raise_for_status()

    async def _execute(self, database: str, script: str, *, owner: bool = False) -> None:
        url = urlsplit(self.postgres.owner_url if owner else self.postgres.superuser_url)
        connection = await asyncpg.connect(urlunsplit(url._replace(path=f"/{database}")))
        try:
            await connection.execute(script)
        finally:
            await connection.close()
