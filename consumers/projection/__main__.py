"""`python -m consumers.projection COMMAND`: look at projections, build, compare, switch, retry.

The database of the service is in DATABASE_URL.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from consumers.projection.batches import BuildDropped, Diverged, Held
from consumers.projection.definition import Connection, Projection
from consumers.projection.effects import retry_effects
from consumers.projection.failures import EventFailed
from consumers.projection.parking import discard_first, parked_keys, retry_key
from consumers.projection.status import BuildStatus, status
from consumers.projection.store import begin_build, connect, create_tables
from consumers.projection.switching import PATIENCE, NotPossible, compare, drop, switch

T = TypeVar("T")
app = typer.Typer(no_args_is_help=True, help="Projections in the database DATABASE_URL.")
Url = Annotated[str, typer.Option(envvar="DATABASE_URL", help="The database of the service.")]
Name = Annotated[str, typer.Argument(help="The name of the projection.")]
Build = Annotated[int, typer.Argument(help="The number of the build.")]
Class = Annotated[str, typer.Argument(help="The class, as module:Class.")]
_REFUSED = (
    NotPossible, LookupError, EventFailed, Held, BuildDropped, Diverged, ValueError, TypeError,
)  # fmt: skip


def _run(url: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do something over one connection; what is refused is one line and exit code 1."""

    async def run() -> T:
        connection = await connect(url)
        try:
            await create_tables(connection)
            return await work(connection)
        finally:
            await connection.close()

    try:
        return asyncio.run(run())
    except _REFUSED as error:
        typer.echo(str(error) or "The build is held for a moment. Try again.", err=True)
        raise typer.Exit(1) from None


@app.command("status")
def show(name: Name, url: Url) -> None:
    """Show the builds, their lag, and what is parked."""

    async def work(connection: Connection) -> None:
        found = await status(connection, name)
        for each in found.builds:
            typer.echo(_line(each))
            for parked in await parked_keys(connection, name, each.build):
                key = parked.key.replace("\n", " ")
                typer.echo(f"  parked: {key}  {parked.events} events  {parked.reason}")
        typer.echo(f"live effects: {found.effects_due} due, {found.effects_failed} failed")

    _run(url, work)


@app.command()
def rebuild(projection: Class, url: Url) -> None:
    """Begin another build of the class's version. Its runner builds it beside the others."""
    made = _run(url, lambda connection: begin_build(connection, type(_projection(projection))))
    typer.echo(f"build {made}")


@app.command("compare")
def compare_builds(name: Name, build: Build, url: Url) -> None:
    """Compare a build with the active one, by the digests of their tables."""
    found = _run(url, lambda c: compare(c, name, build, patience=PATIENCE))
    for table, (active, other) in found.tables.items():
        same = "equal" if active == other else "different"
        typer.echo(f"{table}  {same}  {active.rows} rows, {other.rows} rows  {other.digest[:16]}")
    for each in found.left_out:
        typer.echo(f"{each}  not compared: only one build has it")
    if found.different:
        raise typer.Exit(1)


@app.command("switch")
def switch_to(
    name: Name,
    build: Build,
    url: Url,
    despite: Annotated[str | None, typer.Option(help="Why a difference is wanted.")] = None,
) -> None:
    """Make a build the one that readers see."""
    _run(url, lambda c: switch(c, name, build, despite=despite, patience=PATIENCE))
    typer.echo(f"build {build} is active")


@app.command("drop")
def drop_build(name: Name, build: Build, url: Url) -> None:
    """Drop a build that is not active, with its tables."""
    dropped = _run(url, lambda connection: drop(connection, name, build))
    typer.echo(f"build {build} dropped" if dropped else f"there is no build {build}")


@app.command()
def retry(
    projection: Class,
    build: Build,
    key: Annotated[list[str], typer.Argument(help="SOURCE SUBJECT, or a partitionkey.")],
    url: Url,
) -> None:
    """Apply the parked events of a key again, in their order."""
    applied = _run(
        url, lambda connection: retry_key(connection, _projection(projection), build, _key(key))
    )
    typer.echo(f"{applied} events applied")


@app.command()
def discard(
    name: Name,
    build: Build,
    key: Annotated[list[str], typer.Argument(help="SOURCE SUBJECT, or a partitionkey.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    url: Url,
) -> None:
    """Give up the first parked event of a key, in all builds. Retry the key afterwards."""
    event = _run(url, lambda c: discard_first(c, name, build, _key(key), reason))
    typer.echo("nothing is parked" if event is None else f"discarded: {event.source} {event.id}")


@app.command("retry-effects")
def retry_failed_effects(name: Name, url: Url) -> None:
    """Carry out the live effects again that failed for good."""
    typer.echo(f"{_run(url, lambda connection: retry_effects(connection, name))} effects due")


def _key(words: list[str]) -> str:
    return "\n".join(words)


def _projection(path: str) -> Projection:
    """An instance of a class, made without arguments."""
    module, _, name = path.partition(":")
    try:
        found: Any = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise LookupError(f"There is no {path}. Give the class as module:Class.") from None
    if not (isinstance(found, type) and issubclass(found, Projection)):
        raise LookupError(f"{path} is no Projection.")
    return found()


def _line(build: BuildStatus) -> str:
    words = [f"build {build.build}", f"version {build.version}", f"{build.events} events"]
    words.append(f"lag {build.lag:.1f} s" if build.running else "not running")
    if build.active:
        words.append("ACTIVE")
    else:
        words.append(f"{build.behind} behind the active one")
    if build.different is not None:
        words.append(f"differs in {', '.join(build.different)}" if build.different else "equal")
    if build.diverged:
        words.append(f"DIVERGED: {build.diverged} Rebuild, then switch.")
    return "  ".join(words)


if __name__ == "__main__":
    app()
