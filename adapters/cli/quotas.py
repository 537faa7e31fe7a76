"""`nusabus quotas`: show what an organisation may use and uses, set and remove overrides."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from adapters.cli import screen
from adapters.cli.exits import Failure
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.session import over
from adapters.client import Nusabus, Problem

app = typer.Typer(help="What an organisation may use of the bus, and uses.", no_args_is_help=True)
Organisation = Annotated[str, typer.Argument(help="Name of the organisation.")]
ClientId = Annotated[
    str, typer.Option("--client", help="The id of a client: its own quotas. For `set`, `remove`.")
]
Settings = dict[str, Any]
ATTEMPTS = 3  # somebody else may change the quotas at the same time


@app.command()
def show(
    organisation: Organisation, as_json: AsJson = False, profile: ProfileName = "default"
) -> None:
    """Show each quota, how much of it is used, and which ones are set.

    `used` of a rate is the average of the last minute. `refused` are calls of the last minute.
    """

    async def read(bus: Nusabus) -> tuple[Settings, list[dict[str, Any]]]:
        path = _path(organisation)
        found: Settings = await bus.call("GET", f"{path}/quotas")
        return found, (await bus.call("GET", f"{path}/usage"))["items"]

    given, usage = over(profile, read)
    if as_json:
        screen.print_json({**given, "usage": usage})
    else:
        screen.out().print(_table(given, usage))


@app.command("set")
def set_command(
    organisation: Organisation,
    values: Annotated[list[str], typer.Argument(help="NAME=VALUE, such as events=500.")],
    client: ClientId = "",
    profile: ProfileName = "default",
) -> None:
    """Set quotas of an organisation or of one of its clients. The others stay as they are.

    For administrators of the operator. In force within a second.
    """
    given = dict(map(_pair, values))
    screen.print_json(_change(profile, organisation, client, lambda own: own.update(given)))


@app.command()
def remove(
    organisation: Organisation,
    names: Annotated[list[str] | None, typer.Argument(help="Names of quotas.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are set.")] = False,
    client: ClientId = "",
    profile: ProfileName = "default",
) -> None:
    """Remove quotas that are set: an organisation then has the default again, a client none.

    For administrators of the operator.
    """
    if bool(names) == everything:
        raise Failure("Name the quotas to remove, or use --all.")

    def change(own: Settings) -> None:
        missing = [name for name in names or () if name not in own]
        if missing:
            raise Failure(f"Not set: {', '.join(missing)}. Set are: {', '.join(own) or 'none'}.")
        for name in names or [*own]:
            del own[name]

    screen.print_json(_change(profile, organisation, client, change))


def _change(
    profile: str, organisation: str, client: str, change: Callable[[Settings], None]
) -> Settings:
    """Change the quotas of an organisation or client, as they are when this is in force."""

    async def work(bus: Nusabus) -> Settings:
        path = f"{_path(organisation)}/quotas"
        for attempt in range(1, ATTEMPTS + 1):
            answer = await bus.request("GET", path)
            found: Settings = answer.json()
            change(found["clients"].setdefault(client, {}) if client else found["quotas"])
            found["clients"] = {id: own for id, own in found["clients"].items() if own}
            tag = {"if-match": answer.headers["etag"]}
            try:
                changed: Settings = await bus.call("PUT", path, json=found, headers=tag)
            except Problem as problem:
                if problem.status != HTTPStatus.PRECONDITION_FAILED or attempt == ATTEMPTS:
                    raise
            else:
                return changed
        raise AssertionError("The last attempt returns or raises.")

    return over(profile, work)


def _pair(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    if not (name and value.isascii() and value.isdecimal()):
        raise Failure(f"{text!r} is no quota. Write NAME=VALUE with a whole number: events=500.")
    return name, int(value)


def _path(organisation: str) -> str:
    return f"/v1/organisations/{quote(organisation, safe='')}"


def _table(given: Settings, usage: Sequence[dict[str, Any]]) -> Table:
    table = Table("quota", "client", "limit", "used", "refused", box=None)
    for each in usage:
        client = each.get("client", "")
        own = given["clients"].get(client, {}) if client else given["quotas"]
        limit = f"{each['limit']} (set)" if each["quota"] in own else f"{each['limit']}"
        row = (each["quota"], client, limit, f"{each['used']:g}", each["refused"])
        table.add_row(*map(screen.safe, row))
    return table
