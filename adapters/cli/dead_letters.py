"""`nusabus dead-letters`: list, show, redrive, resend, discard."""

import asyncio
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from adapters.cli import event_input, screen
from adapters.cli.event_input import pairs
from adapters.cli.exits import Exit, Failure
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.session import over
from adapters.client import DeadLetters

app = typer.Typer(help="Dead letters: deliveries that failed for good.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(min=1, help="The number that `list` shows.")]
OfSubscription = Annotated[str, typer.Option("--subscription", help="Only of this subscription.")]
OfType = Annotated[str, typer.Option("--type", help="Only of this event type.")]
OfFailure = Annotated[
    str, typer.Option("--failure", help="Only of this failure, for example rejected or returned.")
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        "-w",
        metavar="NAME=VALUE",
        help="Filter by event (its id), source, trace, organisation, died_from, died_before or "
        "unseen.",
    ),
]
FILTERS = {"event", "source", "trace", "organisation", "died_from", "died_before", "unseen"}
POLL = 0.5  # seconds between two reads of the progress of a redrive


@app.command("list")
def list_command(
    subscription: OfSubscription = "",
    type: OfType = "",
    failure: OfFailure = "",
    where: Where = None,
    state: Annotated[str, typer.Option(help="dead, redriven, resent, discarded, or all.")] = "dead",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """List the dead letters of your subscriptions and of your events, the oldest first."""
    query = _filled(
        subscription=subscription,
        type=type,
        failure=failure,
        state="" if state == "all" else state,
        **_where(where),
    )
    found = over(profile, lambda bus: DeadLetters(bus).find(limit="200", **query))
    if as_json:
        screen.print_json({"items": found})
        return
    names = ("number", "organisation", "subscription", "type", "died", "state", "failure", "detail")
    table = Table(*names[:-1], "why", box=None)
    for each in found:
        table.add_row(*(screen.safe(each[name]) for name in names))
    screen.out().print(table)


@app.command()
def show(number: Number, profile: ProfileName = "default") -> None:
    """Show a dead letter: its attempts, and the event with personal data masked."""
    screen.print_json(over(profile, lambda bus: DeadLetters(bus).show(number)))


@app.command()
def redrive(
    number: Annotated[int, typer.Argument(min=0, help="Redrive one. Default: all that match.")] = 0,
    subscription: OfSubscription = "",
    type: OfType = "",
    failure: OfFailure = "",
    where: Where = None,
    rate: Annotated[int, typer.Option(min=1, max=1000, help="Events per second.")] = 50,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    profile: ProfileName = "default",
) -> int:
    """Deliver one dead letter again, or all that match."""
    if number:
        changed = over(profile, lambda bus: DeadLetters(bus).redrive(number))
        screen.out().print("redriven" if changed else "unchanged: it is no longer dead")
        return Exit.OK
    filters = _filled(subscription=subscription, type=type, failure=failure, **_where(where))
    if not yes:
        typer.confirm("Redrive all dead letters that match?", abort=True)
    job = over(profile, lambda bus: _redrive(DeadLetters(bus), rate, filters))
    screen.out().print(f"{job['state']}: {job['sent']} redriven, {job['failed']} still dead")
    if job["last_error"]:
        screen.out().print(f"  {screen.safe(job['last_error'])}")
    return Exit.ERROR if job["failed"] else Exit.OK


@app.command()
def discard(
    number: Number,
    reason: Annotated[str, typer.Option(help="Why it must not be delivered.")],
    profile: ProfileName = "default",
) -> None:
    """End a dead letter for good. Who did it, and why, is kept."""
    changed = over(profile, lambda bus: DeadLetters(bus).discard(number, reason))
    screen.out().print("discarded" if changed else "unchanged: it is no longer dead")


@app.command()
def resend(
    number: Number,
    data: event_input.Data = "",
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute",
            "-a",
            metavar="NAME=VALUE",
            help="Correct an attribute; NAME= removes it.",
        ),
    ] = None,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """Publish a corrected event, which names the old one, to all subscriptions of its type.

    Without --data the data stay as they are. You need the right to publish the type. The same
    correction is stored once.
    """
    attributes = {name: value or None for name, value in pairs(attribute).items()}
    text = event_input.read_bytes(data) if data else None
    receipt = over(profile, lambda bus: DeadLetters(bus).resend(number, text, attributes))
    if as_json:
        screen.print_json(receipt)
        return
    screen.out().print(screen.stored(receipt))


async def _redrive(dead_letters: DeadLetters, rate: int, filters: dict[str, str]) -> Any:
    """Start a redrive and show its progress. Ctrl-C leaves it running."""
    job = await dead_letters.redrive_all(rate, **filters)
    with Progress(console=screen.out(), transient=True) as progress:
        task = progress.add_task("redriving", total=job["total"])
        while job["state"] == "running":
            await asyncio.sleep(POLL)
            job = await dead_letters.progress(job["id"])
            progress.update(task, completed=job["sent"] + job["failed"])
    return job


def _filled(**search: str) -> dict[str, str]:
    """The filters that are set."""
    return {name: value for name, value in search.items() if value}


def _where(given: list[str] | None) -> dict[str, str]:
    found = pairs(given)
    for name in found.keys() - FILTERS:
        raise Failure(
            f"Unknown filter {name!r} in --where. Use one of: {', '.join(sorted(FILTERS))}."
        )
    return found
