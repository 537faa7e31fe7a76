"""`validate` and `lint`: check data, and check how contracts are written."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli import screen
from adapters.cli.contracts import rendering
from adapters.cli.contracts.conversion import embedded
from adapters.cli.contracts.folder import Contract, parsed, read
from adapters.cli.contracts.queries import TypeArgument, VersionOption, in_use, path_of
from adapters.cli.contracts.registry import Registry
from adapters.cli.contracts.validation import SchemaValidator
from adapters.cli.exits import Exit, Failure
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.session import over
from adapters.client import Nusabus, Violation

app = typer.Typer()
LEVELS = ("info", "warning", "error")
_EVENT = {"specversion", "type", "data"}


@app.command()
def validate(
    type: TypeArgument,
    file: Annotated[
        str, typer.Argument(help="Data or a whole event as JSON; - for standard input.")
    ],
    version: VersionOption = 0,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Check whether data fit a contract. Exits with 2 if they do not."""
    text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    data = _data_of(parsed(text, file), type)
    number, schema, closed = over(profile, lambda bus: _schema(bus, type, version))
    validator = SchemaValidator.of(schema)
    found = [] if validator.accepts(data) else list(validator.violations(data))
    if as_json:
        violations = [{name: getattr(v, name) for name in Violation.__slots__} for v in found]
        result = {"type": type, "version": number, "valid": not found, "closed": closed}
        screen.print_json({**result, "violations": violations})
    else:
        outcome = "[red]does not fit[/]" if found else "[green]fits[/]"
        screen.out().print(f"{screen.safe(file)} {outcome} {type} version {number}")
        for each in found:
            where = screen.safe(each.pointer or "/")
            screen.out().print(
                f"  [cyan]{where}[/] {screen.safe(each.message)} [dim]({each.keyword})[/]"
            )
        if closed:
            screen.out().print(
                "  [dim]Publishing also refuses members that the schema does not name.[/]"
            )
    return Exit.CHANGES if found else Exit.OK


@app.command()
def lint(
    target: Annotated[
        str, typer.Argument(metavar="FOLDER|TYPE", help="A folder such as schemas/, or a type.")
    ],
    fail_on: Annotated[
        str, typer.Option(help="Exit with 2 for findings from this level: info, warning, error.")
    ] = "error",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Check how contracts are written, by the national profile and their owners' levels."""
    if fail_on not in LEVELS:
        raise Failure(f"--fail-on takes one of {', '.join(LEVELS)}.")
    contracts = read(Path(target)) if Path(target).is_dir() else None
    found = over(profile, lambda bus: _advice(bus, target, contracts))
    listed = [{"type": type, "findings": findings} for type, findings in found.items()]
    if as_json:
        screen.print_json({"contracts": listed})
    else:
        _print_advice(found)
    levels = {each["level"] for findings in found.values() for each in findings}
    return Exit.CHANGES if levels & set(LEVELS[LEVELS.index(fail_on) :]) else Exit.OK


def _data_of(document: Any, type: str) -> Any:
    """The data in a document, which may be a whole event. Raises Failure for another type."""
    if not isinstance(document, dict) or not set(document) >= _EVENT:
        return document
    if document["type"] != type:
        raise Failure(f"The event has the type {document['type']}.")
    return document["data"]


async def _schema(bus: Nusabus, type: str, version: int) -> tuple[int, Any, bool]:
    """The number of the version, its schema, and whether its closed form applies."""
    number = await in_use(bus, type, version)
    path = f"{path_of(type)}/versions/{number}"
    closed = (await bus.call("GET", path))["closed"]
    answer = await bus.request("GET", f"{path}/schema")
    return number, parsed(answer.content, "schema"), bool(closed)


async def _advice(
    bus: Nusabus, type: str, contracts: Sequence[Contract] | None
) -> dict[str, list[dict[str, Any]]]:
    registry = Registry(bus)
    if contracts is None:
        registered = await registry.find(type)
        if registered is None:
            raise Failure(f"{type} is neither a folder nor a contract that you may see.")
        contracts = [registered.contract]
    contracts = await embedded(registry, contracts)
    return {each.type: await registry.advice(each, each.newest) for each in contracts}


def _print_advice(found: dict[str, list[dict[str, Any]]]) -> None:
    out = screen.out()
    for type, findings in found.items():
        if findings:
            out.print(f"[bold]{type}[/]")
        for finding in findings:
            for line in rendering.of_finding(finding):
                out.print(line)
    count = {
        level: sum(f["level"] == level for findings in found.values() for f in findings)
        for level in reversed(LEVELS)
    }
    counts = ", ".join(f"{number} {level}" for level, number in count.items())
    contracts = "1 contract" if len(found) == 1 else f"{len(found)} contracts"
    out.print(f"{contracts}: {counts}.")
