"""`python -m gateway`: the processes of the gateway and the commands of its operator.

Settings are NUSABUS_... environment variables, see docs/operations/settings.md.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, cast

import asyncpg
import typer
import uvloop

from gateway import contracts, delivery, identity, journal
from gateway.base import telemetry
from gateway.base.database import Database, Topic
from gateway.base.database_hosts import DatabaseHosts
from gateway.base.errors import NusabusError
from gateway.base.retention_periods import retention_periods, set_retention_periods
from gateway.base.settings import InvalidSettings, Settings
from gateway.broker import Broker
from gateway.contracts import governance
from gateway.migrations.run import OWNER as MIGRATION_ROLE
from gateway.migrations.run import migrate as run_migrations
from gateway.processes.context import CONNECT

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
journal_app = typer.Typer(no_args_is_help=True, help="The journal after a restored backup.")
app.add_typer(journal_app, name="journal")


@app.command()
def api() -> None:
    """Serve the HTTP API. Several processes may share one port."""
    settings = _start("api")
    _serve(_process("api"), settings)


@app.command()
def grpc() -> None:
    """Serve gRPC. Several processes may share one port."""
    settings = _start("grpc")
    _serve(_process("grpc"), settings)


@app.command()
def relay() -> None:
    """Publish the journal to RabbitMQ. Several processes share the shards."""
    settings = _start("relay")
    _serve(_process("relay"), settings)


@app.command()
def deliver() -> None:
    """Deliver events to webhooks. Several processes share the subscriptions."""
    settings = _start("deliver")
    _serve(_process("deliver"), settings)


@app.command()
def retention(
    once: Annotated[bool, typer.Option(help="Run once instead of every hour.")] = False,
) -> None:
    """Remove what its contract keeps no longer. Several processes take turns."""
    settings = _start("retention")
    _run(_process("retention")(settings, once=once))


@app.command()
def migrate() -> None:
    """Migrate the database to the newest schema. Safe to repeat."""
    settings = _start("migrate")
    _run(_migrate(settings))


@app.command()
def topology() -> None:
    """Declare the exchanges and the dead letter queue. Safe to repeat."""
    settings = _start("topology")
    _run(_topology(settings))


@app.command("contracts")
def load_contracts(
    folder: Annotated[
        Path,
        typer.Argument(exists=True, file_okay=False, help="Folder of contracts, such as schemas/"),
    ],
) -> None:
    """Load organisations and contracts from files. Safe to repeat."""
    settings = _start("contracts")
    _run(_load_contracts(settings, folder))


@app.command()
def bootstrap(
    reset: Annotated[
        bool, typer.Option(help="Replace the secrets of an existing administrator.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Create the operator's administrator and print its secret, once."""
    settings = _start("bootstrap")
    client, secret = _run(_bootstrap(settings, reset))
    if as_json:
        sys.stdout.write(json.dumps({"client_id": client, "client_secret": secret}) + "\n")
    else:
        sys.stdout.write(f"client_id      {client}\nclient_secret  {secret}\n")


@journal_app.command()
def recover(
    publish: Annotated[
        bool, typer.Option(help="Publish again what is missing. Without it, only report.")
    ] = False,
) -> None:
    """Report what RabbitMQ holds beyond a restored journal, or publish it again. Safe to repeat."""
    settings = _start("recover")
    for line in _serve(partial(_process("recover", "recovery"), publish=publish), settings):
        sys.stdout.write(f"{line}\n")


def _process(name: str, module: str | None = None) -> Callable[..., Any]:
    """The composition root of a process. Each loads only the libraries that it needs."""
    loaded = import_module(f"gateway.processes.{module or name}")
    return cast(Callable[..., Any], getattr(loaded, name))


async def _migrate(settings: Settings) -> None:
    url = (settings.migration_database_url or settings.database_url).get_secret_value()
    await run_migrations(url)
    connection = await DatabaseHosts(url).connect(timeout=60, server_settings=MIGRATION_ROLE)
    try:
        await journal.create_shards(connection, settings.shards)
        await journal.create_partitions(connection)
        await delivery.set_ledger_retention(connection, settings.ledger_retention_days)
        await set_retention_periods(connection, retention_periods(settings))
    finally:
        await connection.close()


async def _topology(settings: Settings) -> None:
    broker = Broker(settings.amqp_url.get_secret_value(), name="nusabus-topology")
    try:
        await broker.declare_base()
    finally:
        await broker.close()


async def _load_contracts(settings: Settings, folder: Path) -> None:
    submissions = list(contracts.submissions(folder))
    async with _database(settings) as database:
        checked = await governance.check_folder(
            database,
            submissions,
            settings.url,
            contracts.Budget(settings.event_limit, settings.validation_seconds),
        )
        async with database.change(Topic.IDENTITY) as session:
            for owner in contracts.owners(folder):
                await identity.provide_organisation(
                    session, name=owner.name, title=owner.title, description=owner.description
                )
        async with database.change(Topic.CONTRACTS) as session:
            changed = await checked.store(session)
    telemetry.log().info("contracts.loaded", contracts=len(submissions), changed=changed)


async def _bootstrap(settings: Settings, reset: bool) -> tuple[str, str]:
    async with _database(settings) as database:
        client, secret = await identity.bootstrap(database, settings, reset)
        return client, secret.get_secret_value()


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = await Database.open(
        settings.database_url.get_secret_value(), connections=1, timeout=CONNECT
    )
    try:
        yield database
    finally:
        await database.close()


def _start(process: str) -> Settings:
    try:
        settings = Settings.parse(os.environ)
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from None
    telemetry.configure(process, settings.log_level)
    return settings


def _serve(process: Callable[[Settings], Coroutine[Any, Any, Any]], settings: Settings) -> Any:
    """Run a process until it is stopped; from the start where the journal was restored meanwhile.

    Nothing that it remembered of the journal before outlives that.
    """
    while True:
        try:
            return _run(process(settings))
        except journal.JournalRestored:
            telemetry.log().warning("journal.restored")


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end. An expected error is printed as one sentence, without a traceback.

    Raises JournalRestored.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except journal.JournalRestored:
        raise
    except (NusabusError, OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app(prog_name="python -m gateway")
