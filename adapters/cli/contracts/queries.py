"""`list`, `show` and `diff`: registered contracts and versions."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import typer

from adapters.cli import screen
from adapters.cli.contracts import rendering
from adapters.cli.contracts.difference import differences
from adapters.cli.contracts.folder import parsed
from adapters.cli.exits import Exit, Failure
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.session import over
from adapters.client import Contracts, Nusabus

app = typer.Typer()
TypeArgument = Annotated[
    str, typer.Argument(metavar="TYPE", help="An event type, id.go.<organisation>. ...")
]
VersionOption = Annotated[
    int, typer.Option("--version", "-v", min=0, help="A version. Default: the one in use.")
]


class View(StrEnum):
    """The views of a version that `show` prints."""

    SCHEMA = "schema"
    REPLY_SCHEMA = "reply-schema"
    PYDANTIC = "pydantic"
    TYPESCRIPT = "typescript"
    EXAMPLE = "example"
    ASYNCAPI = "asyncapi"


@app.command("list")
def list_command(
    text: Annotated[str, typer.Argument(help="Words in the type, title or description.")] = "",
    owner: Annotated[str, typer.Option(help="The organisation that owns them.")] = "",
    pattern: Annotated[str, typer.Option(help="Such as publish-subscribe.")] = "",
    classification: Annotated[str, typer.Option(help="Such as public.")] = "",
    state: Annotated[str, typer.Option(help="draft, active, deprecated or retired.")] = "",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """List the contracts that you may see."""
    filters = {
        "text": text,
        "owner": owner,
        "pattern": pattern,
        "classification": classification,
        "state": state,
    }
    query = {name: value for name, value in filters.items() if value}
    found = over(profile, lambda bus: Contracts(bus).find(limit="200", **query))
    if as_json:
        screen.print_json({"items": found})
        return
    width = max((len(each["type"]) for each in found), default=0)
    for each in found:
        version = f"{each['active_version'] or '-':>3}"
        about = f"{each['state']:<10} {each['classification']:<12} {screen.safe(each['title'])}"
        screen.out().print(f"[bold]{each['type']:<{width}}[/] {version} {about}")


@app.command()
def show(
    type: TypeArgument,
    version: VersionOption = 0,
    view: Annotated[View | None, typer.Option("--as", help="Print this view.")] = None,
    reply: Annotated[bool, typer.Option("--reply", help="Code for the reply.")] = False,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """Show a contract, or one of its versions as schema, code, example or AsyncAPI document."""
    if view is None:
        _show_contract(over(profile, lambda bus: Contracts(bus).show(type)), as_json=as_json)
        return
    text = over(profile, lambda bus: _view(bus, type, version, view, reply=reply))
    if view not in (View.PYDANTIC, View.TYPESCRIPT):
        text = msgspec.json.format(text, indent=2)
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


@app.command()
def diff(
    type: TypeArgument,
    old: Annotated[int, typer.Argument(min=0, help="Default: the version before.")] = 0,
    new: Annotated[
        str, typer.Argument(help="A version or a schema file. Default: the newest version.")
    ] = "",
    check: Annotated[bool, typer.Option("--check", help="Exit with 2 if they differ.")] = False,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Show the differences between two versions, or a version and a file."""

    file = None if not new or new.isdecimal() else parsed(Path(new).read_bytes(), new)

    async def work(bus: Nusabus) -> tuple[Any, Any]:
        numbers = [each["version"] for each in (await Contracts(bus).show(type))["versions"]]
        newest, first = max(numbers), old or max(max(numbers) - 1, 1)
        if file is not None:
            return await _schema(bus, type, old or newest), file
        return await _schema(bus, type, first), await _schema(bus, type, int(new or newest))

    found = list(differences(*over(profile, work)))
    if as_json:
        screen.print_json({"differences": [each.as_json() for each in found]})
    else:
        for each in found:
            screen.out().print(rendering.of_difference(each))
        if not found:
            screen.out().print("No difference.")
    return Exit.CHANGES if check and found else Exit.OK


def path_of(type: str) -> str:
    """The path of a contract."""
    return f"/v1/contracts/{quote(type, safe='')}"


async def in_use(bus: Nusabus, type: str, version: int) -> int:
    """The number of a version; 0 is the one in use. Raises Failure if there is none."""
    if version:
        return version
    contract = await Contracts(bus).show(type)
    usable = [v["version"] for v in contract["versions"] if v["state"] == "deprecated"]
    found = contract["active_version"] or max(usable, default=None)
    if found is None:
        raise Failure(f"No version of {type} is in use. Name one with --version.")
    return int(found)


async def _schema(bus: Nusabus, type: str, version: int) -> Any:
    answer = await bus.request("GET", f"{path_of(type)}/versions/{version}/schema")
    return parsed(answer.content, f"version {version}")


async def _view(bus: Nusabus, type: str, version: int, view: View, *, reply: bool) -> str:
    if view is View.ASYNCAPI:
        return (await bus.request("GET", f"{path_of(type)}/asyncapi.json")).text
    number = await in_use(bus, type, version)
    query = {"part": "reply"} if reply else {}
    path = f"{path_of(type)}/versions/{number}/{view}"
    return (await bus.request("GET", path, params=query)).text


def _show_contract(body: Any, *, as_json: bool) -> None:
    if as_json:
        screen.print_json(body)
        return
    out = screen.out()
    out.print(f"[bold]{body['type']}[/]  {screen.safe(body['title'])}")
    if body["description"]:
        out.print(f"  {screen.safe(body['description'])}")
    ordering = body["ordering"]
    out.print(f"  {body['pattern']}, {body['classification']}, owned by {body['owner']}")
    out.print(f"  ordered by {ordering['key']}: {screen.safe(ordering['description'])}")
    rule = body["compatibility"]
    compatibility = f"{rule['mode']}, {rule['policy']}" if rule else "default of its owner"
    out.print(f"  compatibility: {compatibility}")
    if body["non_delivery_report"]:
        out.print(f"  non-delivery reports: {body['non_delivery_report']}")
    days = body["retention_days"]
    out.print(f"  events kept: {f'{days} days' if days else 'for ever'}")
    for each in body["versions"]:
        mark = (
            " [green]<- validates new events[/]"
            if each["version"] == body["active_version"]
            else ""
        )
        out.print(f"  version {each['version']}: {each['state']}{mark}")
