"""Schemas of others: `convert`, and the files that a version of a folder refers to."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli import screen
from adapters.cli.contracts.folder import Contract, Version, document, pretty
from adapters.cli.contracts.registry import Registry
from adapters.cli.exits import Failure
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.session import over

app = typer.Typer()
_DIALECTS = {
    "draft-04": "http://json-schema.org/draft-04/schema#",
    "draft-06": "http://json-schema.org/draft-06/schema#",
    "draft-07": "http://json-schema.org/draft-07/schema#",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="The schema.", exists=True, dir_okay=False)],
    others: Annotated[
        list[Path] | None,
        typer.Argument(help="Schemas that it refers to: files, or folders of them.", exists=True),
    ] = None,
    dialect: Annotated[
        str, typer.Option(help=f"Of schemas without $schema: {', '.join(_DIALECTS)}.")
    ] = "",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> None:
    """Make one schema that can be registered of several files, and of draft 4.

    Prints the schema; says on standard error what was changed.
    """
    if dialect and dialect not in _DIALECTS:
        raise Failure(f"--dialect takes one of {', '.join(_DIALECTS)}.")
    found = _found(others or [], file)
    answer = over(
        profile,
        lambda bus: Registry(bus).convert(document(file), found, _DIALECTS.get(dialect)),
    )
    if as_json:
        screen.print_json(answer)
        return
    for each in answer["changes"]:
        where = screen.safe(each["pointer"] or "/")
        screen.err().print(f"[cyan]{where}[/] {screen.safe(each['text'])}")
    typer.echo(pretty(answer["schema"]).decode(), nl=False)


async def embedded(registry: Registry, contracts: Sequence[Contract]) -> list[Contract]:
    """The contracts with the files that their schemas refer to embedded."""
    return [await _embedded(registry, each) for each in contracts]


async def _embedded(registry: Registry, contract: Contract) -> Contract:
    if not any(each.files for each in contract.versions.values()):
        return contract
    versions = {
        number: await _version(registry, version) for number, version in contract.versions.items()
    }
    return replace(contract, versions=versions)


async def _version(registry: Registry, version: Version) -> Version:
    if not version.files:
        return version
    text = pretty((await registry.convert(version.schema, version.files))["schema"])
    if version.reply is None:
        return Version(text)
    reply = pretty((await registry.convert(version.reply_schema, version.files))["schema"])
    return Version(text, reply)


def _found(others: Sequence[Path], file: Path) -> Mapping[str, Any]:
    """Schemas by their path relative to the folder of a file, as it would refer to them."""
    files = [
        each
        for other in others
        for each in ([other] if other.is_file() else sorted(other.rglob("*.json")))
    ]
    base = file.resolve().parent
    return {
        Path(os.path.relpath(each.resolve(), base)).as_posix(): document(each)
        for each in files
        if each.resolve() != file.resolve()
    }
