"""`nusabus subscriptions`: create, list, show, pause, test, delete."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from adapters.cli import screen
from adapters.cli.exits import Failure
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.session import over

app = typer.Typer(help="Subscriptions of your organisation.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the subscription.")]
PATH = "/v1/subscriptions"


class Delivery(StrEnum):
    """How events reach the subscriber."""

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
        state = f"{state}, diverted" if each.get("diverted_since") else state
        state = f"{state}, queue unavailable" if each.get("unavailable_since") else state
        types = "\n".join(each["types"])
        table.add_row(
            *(screen.safe(each[name]) for name in ("organisation", "name", "delivery")),
            screen.safe(state),
            screen.safe(types),
        )
    screen.out().print(table)


@app.command()
def show(name: Name, profile: ProfileName = "default") -> None:
    """Show a subscription and its lag."""

    async def read(bus: Any) -> Any:
        found = await bus.call("GET", f"{PATH}/{name}")
        return found | {"lag": await bus.call("GET", f"{PATH}/{name}/lag")}

    screen.print_json(over(profile, read))


@app.command()
def create(
    name: Name,
    types: Annotated[list[str], typer.Argument(help="Event types, patterns, or TYPE.reply.")],
    delivery: Annotated[Delivery, typer.Option(help="How events reach you.")] = Delivery.AMQP,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Keep the order of each ordering key.")
    ] = False,
    start: Annotated[
        str, typer.Option(help="Where to begin: now, beginning, waiting, or a time.")
    ] = "",
    terms: Annotated[str, typer.Option(help="The terms as JSON, for example filters.")] = "",
    profile: ProfileName = "default",
) -> None:
    """Create a subscription, or find the identical one. Its AMQP URL is shown only once."""
    body: dict[str, Any] = {"types": types, "delivery": delivery.value, "ordered": ordered}
    body |= {"start": start} if start else {}
    if terms:
        try:
            body["terms"] = json.loads(terms)
        except ValueError as error:
            raise Failure(f"--terms is not JSON: {error}.") from None
    screen.print_json(over(profile, lambda bus: bus.call("PUT", f"{PATH}/{name}", json=body)))


@app.command()
def renew(name: Name, profile: ProfileName = "default") -> None:
    """Give the broker user a new password. Open connections stay open."""
    screen.print_json(over(profile, lambda bus: bus.call("POST", f"{PATH}/{name}/credentials")))


@app.command("test")
def send_test_event(name: Name, profile: ProfileName = "default") -> None:
    """Send a test event to this subscription alone."""
    tested = over(profile, lambda bus: bus.call("POST", f"{PATH}/{name}/test"))
    screen.print_json(tested)
    if not tested["delivered"]:
        raise Failure(f"The test event did not arrive: {tested['detail']}")


@app.command()
def pause(name: Name, profile: ProfileName = "default") -> None:
    """Deliver nothing until `resume`."""
    over(profile, lambda bus: bus.call("POST", f"{PATH}/{name}/pause"))


@app.command()
def resume(name: Name, profile: ProfileName = "default") -> None:
    """Deliver again after `pause`."""
    over(profile, lambda bus: bus.call("POST", f"{PATH}/{name}/resume"))


@app.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    profile: ProfileName = "default",
) -> None:
    """End a subscription. Prints how many events are discarded."""
    if not yes:
        typer.confirm(f"End subscription {name} and lose the events that it holds?", abort=True)
    ended = over(profile, lambda bus: bus.call("DELETE", f"{PATH}/{name}"))
    screen.out().print(f"ended; discarded {ended['discarded_messages']} events")
