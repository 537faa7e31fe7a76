"""All that `make run` runs: the servers, the gateway's processes, and the order of it."""

import asyncio
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from deploy.local.broker import Broker, local_broker
from deploy.local.credentials import Credentials
from deploy.local.gateway import ROOT, GatewayProcess, carry_out, end_leftovers
from deploy.local.ports import LOOPBACK, claim
from deploy.local.postgres import Postgres
from deploy.local.processes import Lock, ServerError
from deploy.local.state_file import StateFile
from deploy.local.supervise import Supervised

FIRST_PORT, FIRST_GRPC_PORT = 8080, 8090
GATEWAYS = 2
READY = 60.0  # seconds

Step = Callable[[str], AbstractContextManager[None]]


class Stack:
    """One running Nusabus in a folder such as `.run`; whoever takes it owns it."""

    def __init__(self, run: Path, environ: Mapping[str, str]) -> None:
        self.run = run.resolve()
        self._given = environ
        self._lock = Lock(self.run / "lock")
        self._own: dict[str, str] = {}
        self._migrating: dict[str, str] = {}  # for `migrate` alone
        self._located = asyncio.Event()  # where the database is, is known
        self._postgres: Postgres | None = None
        self._broker: Broker | None = None
        self._gateways: list[GatewayProcess] = []
        self._grpc: GatewayProcess | None = None
        self._relay: GatewayProcess | None = None
        self._deliver: GatewayProcess | None = None
        self._claims: list[socket.socket] = []
        self._state = StateFile(self.run / "state.json")
        self.port = 0
        self.url = self.grpc = ""

    def take(self) -> None:
        """Own the folder, end leftovers, install what is missing.

        Raises AlreadyRunning, or NotInstalled with what to do.
        """
        self.run.mkdir(exist_ok=True)
        self.run.chmod(0o711)  # the account of the servers enters it
        self._lock.take()
        (self.run / "log").mkdir(exist_ok=True)
        (self.run / "log").chmod(0o700)
        end_leftovers(self.run)
        if "NUSABUS_DATABASE_URL" not in self._given:
            self._postgres = Postgres(self.run / "postgres")
        if "NUSABUS_AMQP_URL" not in self._given:
            self._broker = local_broker(self.run / "rabbitmq")
        self.port = self._choose_port("NUSABUS_PORT", "gateway", FIRST_PORT)
        grpc = self._choose_port("NUSABUS_GRPC_PORT", "grpc", FIRST_GRPC_PORT)
        self.grpc = f"{LOOPBACK}:{grpc}"
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._own = {"NUSABUS_URL": self.url, **self._given, "NUSABUS_PORT": str(self.port)}
        self._own["NUSABUS_GRPC_PORT"] = str(grpc)
        if not self._given.keys() & {"NUSABUS_SECRET_KEY", "NUSABUS_SECRET_KEY_FILE"}:
            self._own["NUSABUS_SECRET_KEY_FILE"] = str(_secret_key(self.run / "secret.key"))
        if not self._given.keys() & {"NUSABUS_METRICS_TOKEN", "NUSABUS_METRICS_TOKEN_FILE"}:
            self._own["NUSABUS_METRICS_TOKEN_FILE"] = str(_secret_key(self.run / "metrics.token"))

    async def start(self, step: Step) -> Credentials:
        """Bring everything up; the operator's credentials. Raises ServerError.

        What waits for RabbitMQ and what does not go side by side: most of the time is its own.
        """
        if self._broker:
            await asyncio.to_thread(self._broker.prepare)
            self._own["NUSABUS_AMQP_URL"] = self._broker.amqp_url
            self._own["NUSABUS_MANAGEMENT_URL"] = self._broker.management_url
        migrated = asyncio.Event()
        await asyncio.gather(self._broker_side(step, migrated), self._database_side(step, migrated))
        return await self._operator()

    @property
    def superuser_url(self) -> str | None:
        """Of the database, as its superuser; None where it is not on a server of our own."""
        return self._postgres.superuser_url if self._postgres else None

    def supervised(self) -> list[Supervised]:
        """What is to be supervised."""
        found = [Supervised(each.name, each, each.log) for each in self._gateways]
        if self._grpc:
            found.append(Supervised("grpc", self._grpc, self._grpc.log))
        if self._relay:
            found.append(Supervised("relay", self._relay, self._relay.log))
        if self._deliver:
            found.append(Supervised("deliver", self._deliver, self._deliver.log))
        if self._postgres:
            found.append(Supervised("PostgreSQL", self._postgres, self._postgres.log))
        if self._broker:
            found.append(Supervised("RabbitMQ", self._broker, self.run / "rabbitmq" / "log"))
        return found

    async def stop(self) -> None:
        """End it in order: gateways, relay, then the servers that nobody uses any more."""
        await _together(*(each.stop for each in (*self._gateways, self._grpc) if each))
        await _together(*(each.stop for each in (self._relay, self._deliver) if each))
        await _together(*(each.stop for each in (self._broker, self._postgres) if each))
        for claimed in self._claims:
            claimed.close()
        self._lock.release()

    async def retain(self, database: str) -> None:
        """Run retention once on a database of our own server, which must be ours."""
        assert self._postgres  # noqa: S101
        urls = {
            "NUSABUS_DATABASE_URL": self._postgres.url,
            "NUSABUS_RETENTION_DATABASE_URL": self._postgres.retention_url,
        }
        on_database = {name: url.rpartition("/")[0] + f"/{database}" for name, url in urls.items()}
        await carry_out("retention", "--once", run=self.run, environ=self._own | on_database)

    async def _broker_side(self, step: Step, migrated: asyncio.Event) -> None:
        if self._broker:
            with step("RabbitMQ"):
                await asyncio.to_thread(self._broker.start)
        await self._located.wait()  # every command reads all settings
        with step("Exchanges"):
            await self._carry_out("topology")
        await migrated.wait()
        with step("Relay"):
            self._relay = GatewayProcess("relay", "relay", run=self.run, environ=self._own)
            await asyncio.to_thread(self._relay.start)
            address = urlsplit(self._own["NUSABUS_AMQP_URL"])
            port = address.port or (5671 if address.scheme == "amqps" else 5672)
            await _until(partial(self._relay.connected_to, port), "the relay reached no broker")

    async def _database_side(self, step: Step, migrated: asyncio.Event) -> None:
        if self._postgres:
            with step("PostgreSQL"):
                await asyncio.to_thread(self._postgres.start)
            self._own["NUSABUS_DATABASE_URL"] = self._postgres.url
            self._migrating["NUSABUS_MIGRATION_DATABASE_URL"] = self._postgres.owner_url
        self._located.set()
        with step("Tables"):
            await carry_out("migrate", run=self.run, environ=self._own | self._migrating)
        migrated.set()
        with step("Webhooks"):
            self._deliver = GatewayProcess("deliver", "deliver", run=self.run, environ=self._own)
            await asyncio.to_thread(self._deliver.start)
        with step("Contracts"):
            await self._carry_out("contracts", str(ROOT / "schemas"))
        with step(f"Gateways on {self.url}"):
            for number in range(1, GATEWAYS + 1):
                gateway = GatewayProcess(
                    f"gateway-{number}", "api", run=self.run, environ=self._own
                )
                self._gateways.append(gateway)
                await asyncio.to_thread(gateway.start)
            self._grpc = GatewayProcess("grpc", "grpc", run=self.run, environ=self._own)
            await asyncio.to_thread(self._grpc.start)
            for gateway in self._gateways:
                await _until(partial(gateway.listens_on, self.port), "a gateway did not listen")
            async with httpx.AsyncClient(base_url=self.url, timeout=5) as client:
                await _until_ready(client)
            port = int(self._own["NUSABUS_GRPC_PORT"])
            await _until(partial(self._grpc.listens_on, port), "gRPC did not listen")

    async def _carry_out(self, *arguments: str) -> str:
        return await carry_out(*arguments, run=self.run, environ=self._own)

    async def _operator(self) -> Credentials:
        """The operator's credentials of last time, or new ones where those do not work."""
        file = self.run / "operator.json"
        if file.exists():
            known = Credentials(**json.loads(file.read_text()))
            if await self._accepted(known):
                return known
        made = json.loads(await self._carry_out("bootstrap", "--reset", "--json"))
        _write_secret(file, json.dumps(made))
        fresh = Credentials(**made)
        for _ in range(100):  # the gateways see a change within a second
            if await self._accepted(fresh):
                break
            await asyncio.sleep(0.1)
        return fresh

    async def _accepted(self, credentials: Credentials) -> bool:
        login = (credentials.client_id, credentials.client_secret)
        async with httpx.AsyncClient(base_url=self.url, timeout=5) as client:
            answer = await client.post(
                "/oauth/token", auth=login, data={"grant_type": "client_credentials"}
            )
        return answer.is_success

    def _choose_port(self, variable: str, name: str, first: int) -> int:
        """The port that was asked for, else that of last time, else the first free one."""
        if variable in self._given:
            return int(self._given[variable])
        known = [self._state.port(name)] if self._state.has(name) else []
        for port in (*known, *range(first, 1 << 16)):
            if claimed := claim(port):
                self._claims.append(claimed)
                self._state.note(name, port)
                return int(port)
        raise ServerError(f"no port above {first} is free; name one by {variable}")


async def _together(*ends: Callable[[], None]) -> None:
    await asyncio.gather(*(asyncio.to_thread(end) for end in ends))


async def _until(condition: Callable[[], bool], failure: str) -> None:
    deadline = time.monotonic() + READY
    while not await asyncio.to_thread(condition):
        if time.monotonic() > deadline:
            raise ServerError(f"{failure} within {READY:.0f} s; see the logs in .run/log")
        await asyncio.sleep(0.05)


async def _until_ready(client: httpx.AsyncClient) -> None:
    deadline = time.monotonic() + READY
    while not (answer := await client.get("/health/ready")).is_success:
        if time.monotonic() > deadline:
            raise ServerError(f"the gateway is not ready: {answer.text}")
        await asyncio.sleep(0.05)


def _secret_key(file: Path) -> Path:
    """The key of this folder's gateway, made once: without it stored secrets are worthless."""
    if not file.exists():
        _write_secret(file, secrets.token_urlsafe(48))
    return file


def _write_secret(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.write(text)
    fresh.replace(file)
