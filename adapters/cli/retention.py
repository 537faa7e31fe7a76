"""`nusabus retention`: what was removed, what is held, how much is there."""

from typing import Annotated, Any

import typer
from rich.table import Table

from adapters.cli import screen
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.session import over

app = typer.Typer(
    help="How long events are kept: what was removed, what is held, how much is there.",
    no_args_is_help=True,
)
OfType = Annotated[str, typer.Option("--type", help="Only of this event type.")]
_PATH = "/v1/retention"


@app.command()
def removals(type: OfType = "", as_json: AsJson = False, profile: ProfileName = "default") -> None:
    """List what was removed because its time was over, the newest first."""
    query = {"type": type} if type else {}
    found = over(profile, lambda bus: bus.all(f"{_PATH}/removals", **query))
    _show(
        found,
        "removed",
        "kind",
        "type",
        "month",
        "shard",
        "lowest",
        "highest",
        "count",
        as_json=as_json,
    )


@app.command()
def holds(as_json: AsJson = False, profile: ProfileName = "default") -> None:
    """List events whose time is over and that somebody still has to get."""
    body = over(profile, lambda bus: bus.call("GET", f"{_PATH}/holds"))
    names = ("month", "type", "organisation", "subscription", "reason", "entries", "since")
    _show(body["items"], *names, as_json=as_json)


@app.command()
def months(as_json: AsJson = False, profile: ProfileName = "default") -> None:
    """List how much the months that have ended hold, by month and type."""
    found = over(profile, lambda bus: bus.all(f"{_PATH}/months"))
    _show(found, "month", "type", "entries", "bytes", as_json=as_json)


def _show(found: list[dict[str, Any]], *names: str, as_json: bool) -> None:
    if as_json:
        screen.print_json({"items": found})
        return
    table = Table(*names, box=None)
    for each in found:
        table.add_row(*("" if each[n] is None else screen.safe(str(each[n])) for n in names))
    screen.out().print(table)
