"""`nusabus dead-letters`: what failed for good, and sending it again."""

import asyncio
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from adapters.cli import screen
from adapters.cli.exits import Exit
from adapters.cli.session import AsJson, ProfileName, over
from adapters.client import Nusabus

app = typer.Typer(help="Deliveries that failed for good.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(min=1, help="As `list` shows it.")]
OfSubscription = Annotated[str, typer.Option("--subscription", help="Of this one only.")]
OfType = Annotated[str, typer.Option("--type", help="Of this event type only.")]
OfFailure = Annotated[str, typer.Option("--failure", help="Such as rejected or returned.")]
PATH = "/v1/dead-letters"
LOOK = 0.5  # seconds between two looks at a redrive


@app.command("list")
def list_command(
    subscription: OfSubscription = "",
    type: OfType = "",
    failure: OfFailure = "",
    state: Annotated[str, typer.Option(help="dead, redriven or discarded.")] = "dead",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """List dead letters, the oldest first."""
    asked = {"subscription": subscription, "type": type, "failure": failure, "state": state}
    query = {name: value for name, value in asked.items() if value}
    found = over(profile, lambda bus: bus.all(PATH, limit="200", **query))
    if as_json:
        screen.print_json({"items": found})
        return
    table = Table("number", "subscription", "type", "died", "failure", "why", box=None)
    for each in found:
        names = ("number", "subscription", "type", "died", "failure", "detail")
        table.add_row(*(screen.safe(each[name]) for name in names))
    screen.out().print(table)


@app.command()
def show(number: Number, profile: ProfileName = "default") -> None:
    """Show a dead letter: each attempt, and the event with personal data masked."""
    screen.print_json(over(profile, lambda bus: bus.call("GET", f"{PATH}/{number}")))


@app.command()
def redrive(
    number: Annotated[int, typer.Argument(min=0, help="One; without it, all that match.")] = 0,
    subscription: OfSubscription = "",
    type: OfType = "",
    failure: OfFailure = "",
    rate: Annotated[int, typer.Option(min=1, max=1000, help="Events a second.")] = 50,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    profile: ProfileName = "default",
) -> int:
    """Send one dead letter again, or all that match, with progress."""
    if number:
        answer = over(profile, lambda bus: bus.call("POST", f"{PATH}/{number}/redrive"))
        screen.out().print("sent again" if answer["changed"] else "it was not dead any more")
        return Exit.OK
    asked = {"subscription": subscription, "type": type, "failure": failure}
    wish = {name: value for name, value in asked.items() if value} | {"rate": rate}
    if not yes:
        typer.confirm("Send all dead letters that match again?", abort=True)
    ended = over(profile, lambda bus: _redrive(bus, wish))
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
    body = {"reason": reason}
    answer = over(profile, lambda bus: bus.call("POST", f"{PATH}/{number}/discard", json=body))
    screen.out().print("discarded" if answer["changed"] else "it was not dead any more")


async def _redrive(bus: Nusabus, wish: dict[str, Any]) -> Any:
    """Start it and follow it to its end; Ctrl-C leaves it running."""
    job = await bus.call("POST", "/v1/redrives", json=wish)
    with Progress(console=screen.out(), transient=True) as progress:
        task = progress.add_task("sending again", total=job["total"])
        while job["state"] == "running":
            await asyncio.sleep(LOOK)
            job = await bus.call("GET", f"/v1/redrives/{job['id']}")
            progress.update(task, completed=job["sent"] + job["failed"])
    return job
