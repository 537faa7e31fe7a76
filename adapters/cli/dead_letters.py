"""`nusabus dead-letters`: what failed for good, and sending it again."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from adapters.cli import screen
from adapters.cli.exits import Exit, Failure
from adapters.cli.session import AsJson, ProfileName, over
from adapters.client import DeadLetters

app = typer.Typer(help="Deliveries that failed for good.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(min=1, help="As `list` shows it.")]
OfSubscription = Annotated[str, typer.Option("--subscription", help="Of this one only.")]
OfType = Annotated[str, typer.Option("--type", help="Of this event type only.")]
OfFailure = Annotated[str, typer.Option("--failure", help="Such as rejected or returned.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        "-w",
        metavar="NAME=VALUE",
        help="event (its id), source, trace, organisation, died_from, died_before, unattended.",
    ),
]
FOUND_BY = {"event", "source", "trace", "organisation", "died_from", "died_before", "unattended"}
LIMIT = 4 << 20  # bytes; more than the gateway takes
LOOK = 0.5  # seconds between two looks at a redrive


@app.command("list")
def list_command(
    subscription: OfSubscription = "",
    type: OfType = "",
    failure: OfFailure = "",
    where: Where = None,
    state: Annotated[str, typer.Option(help="dead, redriven, resent, discarded or all.")] = "dead",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """List dead letters, the oldest first: of your subscriptions, and of events you published."""
    query = _asked(
        subscription=subscription,
        type=type,
        failure=failure,
        state="" if state == "all" else state,
        **_search(where),
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
    """Show a dead letter: each attempt, and the event with personal data masked."""
    screen.print_json(over(profile, lambda bus: DeadLetters(bus).show(number)))


@app.command()
def redrive(
    number: Annotated[int, typer.Argument(min=0, help="One; without it, all that match.")] = 0,
    subscription: OfSubscription = "",
    type: OfType = "",
    failure: OfFailure = "",
    where: Where = None,
    rate: Annotated[int, typer.Option(min=1, max=1000, help="Events a second.")] = 50,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    profile: ProfileName = "default",
) -> int:
    """Send one dead letter again, or all that match, with progress."""
    if number:
        changed = over(profile, lambda bus: DeadLetters(bus).redrive(number))
        screen.out().print("sent again" if changed else "it was not dead any more")
        return Exit.OK
    wish = _asked(subscription=subscription, type=type, failure=failure, **_search(where))
    if not yes:
        typer.confirm("Send all dead letters that match again?", abort=True)
    ended = over(profile, lambda bus: _redrive(DeadLetters(bus), rate, wish))
    screen.out().print(f"{ended['state']}: {ended['sent']} sent, {ended['failed']} stay dead")
    if ended["problem"]:
        screen.out().print(f"  {screen.safe(ended['problem'])}")
    return Exit.ERROR if ended["failed"] else Exit.OK


@app.command()
def discard(
    number: Number,
    reason: Annotated[str, typer.Option(help="Why it is not to be sent again.")],
    profile: ProfileName = "default",
) -> None:
    """Never send it again; who did it and why is kept."""
    changed = over(profile, lambda bus: DeadLetters(bus).discard(number, reason))
    screen.out().print("discarded" if changed else "it was not dead any more")


@app.command()
def resend(
    number: Number,
    data: Annotated[
        str, typer.Option("--data", help="The corrected data in JSON, or - for standard input.")
    ] = "",
    attribute: Annotated[
        list[str] | None,
        typer.Option("--attribute", "-a", help="name=value, or name= to take it away."),
    ] = None,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """Correct it: publish a new event that names the old one, for all who receive its type.

    The same again is stored once. Needs the right to publish the type.
    """
    attributes = {name: value or None for name, value in _pairs(attribute).items()}
    text = _text(data) if data else None
    receipt = over(profile, lambda bus: DeadLetters(bus).resend(number, text, attributes))
    if as_json:
        screen.print_json(receipt)
        return
    again = "  it was there already" if receipt["duplicate"] else ""
    place = f"{receipt['shard']}/{receipt['sequence']}"
    screen.out().print(f"stored    {place}  {screen.safe(receipt['id'])}{again}")


async def _redrive(letters: DeadLetters, rate: int, wish: dict[str, str]) -> Any:
    """Start it and follow it to its end; Ctrl-C leaves it running."""
    job = await letters.redrive_all(rate, **wish)
    with Progress(console=screen.out(), transient=True) as progress:
        task = progress.add_task("sending again", total=job["total"])
        while job["state"] == "running":
            await asyncio.sleep(LOOK)
            job = await letters.progress(job["id"])
            progress.update(task, completed=job["sent"] + job["failed"])
    return job


def _asked(**search: str) -> dict[str, str]:
    """What of it is asked for."""
    return {name: value for name, value in search.items() if value}


def _search(given: list[str] | None) -> dict[str, str]:
    found = _pairs(given)
    for name in found.keys() - FOUND_BY:
        raise Failure(
            f"dead letters are not found by {name!r}, but by {', '.join(sorted(FOUND_BY))}"
        )
    return found


def _pairs(given: list[str] | None) -> dict[str, str]:
    pairs = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise Failure(f"{each!r} says nothing: write name=value")
        pairs[name] = value
    return pairs


def _text(file: str) -> bytes:
    """The data as they are written, which must be JSON for the body to hold them."""
    raw = sys.stdin.buffer.read(LIMIT + 1) if file == "-" else Path(file).read_bytes()
    try:
        json.loads(raw[: LIMIT + 1])
    except ValueError as error:
        raise Failure(f"{file} is no JSON: {error}") from None
    return raw
