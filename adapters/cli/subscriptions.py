"""`nusabus subscriptions`: who receives what, and how far it has come."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from adapters.cli import screen
from adapters.cli.exits import Failure
from adapters.cli.session import AsJson, ProfileName, over

app = typer.Typer(help="Subscriptions of your organisation.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Its name.")]
PATH = "/v1/subscriptions"


class Delivery(StrEnum):
    """How events are to come."""

    AMQP = "amqp"
    PULL = "pull"
    STREAM = "stream"
    WEBHOOK = "webhook"


@app.command("list")
def list_command(as_json: AsJson = False, profile: ProfileName = "default") -> None:
    """List the subscriptions of your organisation."""
    found = over(profile, lambda bus: bus.all(PATH, limit="200"))
    if as_json:
        screen.print_json({"items": found})
        return
    table = Table("organisation", "name", "delivery", "state", "types", box=None)
    for each in found:
        state = "paused" if each["paused"] else each["state"]
        state = f"{state}, queue too deep" if each.get("diverted") else state
        types = "\n".join(each["types"])
        table.add_row(
            *(screen.safe(each[name]) for name in ("organisation", "name", "delivery")),
            screen.safe(state),
            screen.safe(types),
        )
    screen.out().print(table)


@app.command()
def show(name: Name, profile: ProfileName = "default") -> None:
    """Show a subscription and how far it is behind."""

    async def look(bus: Any) -> Any:
        found = await bus.call("GET", f"{PATH}/{name}")
        return found | {"lag": await bus.call("GET", f"{PATH}/{name}/lag")}

    screen.print_json(over(profile, look))


@app.command()
def create(
    name: Name,
    types: Annotated[
        list[str], typer.Argument(help="Event types, patterns of them, or TYPE.reply.")
    ],
    delivery: Annotated[Delivery, typer.Option(help="How events are to come.")] = Delivery.AMQP,
    ordered: Annotated[bool, typer.Option("--ordered", help="Keep the order of each key.")] = False,
    start: Annotated[str, typer.Option(help="now, beginning, waiting or a time.")] = "",
    terms: Annotated[str, typer.Option(help="Terms as JSON; over AMQP: filters.")] = "",
    profile: ProfileName = "default",
) -> None:
    """Make a subscription, or find the same one again. Its AMQP URL is shown this once."""
    wish: dict[str, Any] = {"types": types, "delivery": delivery.value, "ordered": ordered}
    wish |= {"start": start} if start else {}
    if terms:
        try:
            wish["terms"] = json.loads(terms)
        except ValueError as error:
            raise Failure(f"--terms is no JSON: {error}") from None
    screen.print_json(over(profile, lambda bus: bus.call("PUT", f"{PATH}/{name}", json=wish)))


@app.command()
def renew(name: Name, profile: ProfileName = "default") -> None:
    """A new password for its broker user; the old one is void, open connections stay."""
    screen.print_json(over(profile, lambda bus: bus.call("POST", f"{PATH}/{name}/credentials")))


@app.command("test")
def try_out(name: Name, profile: ProfileName = "default") -> None:
    """Send a test event to it, and to nobody else."""
    tried = over(profile, lambda bus: bus.call("POST", f"{PATH}/{name}/test"))
    screen.print_json(tried)
    if not tried["delivered"]:
        raise Failure(f"the test event did not arrive: {tried['detail']}")


@app.command()
def pause(name: Name, profile: ProfileName = "default") -> None:
    """Hand out nothing more until `resume`."""
    over(profile, lambda bus: bus.call("POST", f"{PATH}/{name}/pause"))


@app.command()
def resume(name: Name, profile: ProfileName = "default") -> None:
    """Go on after `pause`."""
    over(profile, lambda bus: bus.call("POST", f"{PATH}/{name}/resume"))


@app.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    profile: ProfileName = "default",
) -> None:
    """End a subscription; says how many events it still held."""
    if not yes:
        typer.confirm(f"End the subscription {name}, and lose what it still holds?", abort=True)
    ended = over(profile, lambda bus: bus.call("DELETE", f"{PATH}/{name}"))
    screen.out().print(f"ended; it held {ended['held']}")
