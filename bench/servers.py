"""The private servers of one bench, and a prepared database that every measurement copies."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.children import run
from bench.events import SCHEMAS
from bench.queues import Queues
from deploy.local.postgres import Postgres, copy_database
from deploy.local.rabbitmq import RabbitMQ

PREPARED = "nusabus"  # the database with contracts, clients and the subscription, and no event
# The bench measures what the bus can do: no organisation has a limit here.
QUOTAS = ("EVENTS", "BYTES", "REFUSALS", "CHECKS", "IN_FLIGHT", "STREAMS", "LONG_POLLS", "CLIENTS",
          "GRANTS", "CONTRACTS", "SUBSCRIPTIONS", "REDRIVES")  # fmt: skip
# Instead of `replica`: what is filled into a table made in the same transaction is not logged.
FAST_FILL = {"wal_level": "minimal", "max_wal_senders": "0", "maintenance_work_mem": "1GB"}


class Servers:
    """PostgreSQL and RabbitMQ in a temporary folder, both erased at the end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nusabus-bench-"))
        self.folder.chmod(0o755)  # PostgreSQL runs as another user where we are root
        self.postgres = Postgres(self.folder / "postgres")
        self.broker = RabbitMQ(self.folder / "rabbitmq", name="nusabus-bench")
        self.token = ""
        self.operator = ""
        """A token of whoever may do everything."""
        self.queue = ""
        """The queue of the one subscription, which gets every event."""
        self._secret_key = secrets.token_urlsafe(48)
        self._made: set[str] = set()
        self.queues: Queues

    async def __aenter__(self) -> Self:
        """Start both servers and load the contracts."""
        try:
            await asyncio.gather(
                asyncio.to_thread(self.postgres.start), asyncio.to_thread(self.broker.start)
            )
            self.queues = Queues(self.broker.amqp_url, self.broker.management_url)
            await self.queues.open()
            for command in (("migrate",), ("topology",), ("contracts", str(SCHEMAS))):
                own = {"NUSABUS_MIGRATION_DATABASE_URL": _on(self.postgres.owner_url, PREPARED)}
                await run("-m", "gateway", *command, own=self.settings(PREPARED, 0) | own)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop and erase everything."""
        await self._end()

    async def _end(self) -> None:
        if hasattr(self, "queues"):
            await self.queues.close()
        await asyncio.to_thread(self.broker.erase)
        await asyncio.to_thread(self.postgres.erase)
        shutil.rmtree(self.folder, ignore_errors=True)

    def settings(self, database: str, port: int) -> dict[str, str]:
        """The environment of a gateway process on one of the databases."""
        return {
            "NUSABUS_DATABASE_URL": _on(self.postgres.url, database),
            "NUSABUS_AMQP_URL": self.broker.amqp_url,
            "NUSABUS_MANAGEMENT_URL": self.broker.management_url,
            "NUSABUS_SECRET_KEY": self._secret_key,
            "NUSABUS_PORT": str(port),
            "NUSABUS_TOKEN_SECONDS": "3600",  # longer than the bench
            # Nobody reads most of the queues here, and all that is published has to reach them.
            "NUSABUS_QUEUE_DEPTH_LIMIT": "1000000000",
            **{f"NUSABUS_QUOTA_{quota}": "1000000000" for quota in QUOTAS},
        }

    async def clone(self, name: str) -> None:
        """Make a database as prepared, and put what that costs behind us."""
        await self.drop(name)
        self._made.add(name)
        await self.administer(
            *copy_database(name, PREPARED, "STRATEGY file_copy"),
            "CHECKPOINT",
        )
        await self.queues.forget_journal()

    async def drop(self, name: str) -> None:
        """Delete a clone, if it was made."""
        if name in self._made:
            self._made.discard(name)
            await self.administer(f"DROP DATABASE {name} WITH (FORCE)")

    async def administer(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as the superuser, each in a transaction of its own."""
        connection = await asyncpg.connect(_on(self.postgres.superuser_url, database))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            with suppress(Exception):
                await connection.close(timeout=5)

    async def connect(self, database: str) -> asyncpg.Connection:
        """A connection to one of the databases, as its owner."""
        return await asyncpg.connect(_on(self.postgres.owner_url, database))

    async def restart_postgres(self, *, fast_fill: bool) -> None:
        """Start PostgreSQL again, with the settings for filling or with its usual ones."""
        await asyncio.to_thread(self.postgres.stop)
        place = self.folder / "postgres"
        self.postgres = Postgres(place, settings=FAST_FILL if fast_fill else None)
        await asyncio.to_thread(self.postgres.start)

    def postgres_pids(self) -> Iterable[int | None]:
        """For a Meter."""
        return (self.postgres.pid,)

    def broker_pids(self) -> Iterable[int | None]:
        """For a Meter."""
        return (self.broker.pid,)


def _on(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
