"""`inspect`, `layout` and `schema`: propose a framing, list positions, derive a schema."""

from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli import screen
from adapters.cli.exits import Exit, Failure
from adapters.cli.flags import AsJson
from adapters.cli.legacy.annotations import schema_of
from adapters.cli.legacy.options import with_layout
from adapters.cli.legacy.proposals import Keys, encoding_keys, flags, framing_keys, write_layout
from adapters.legacy_cobol.copybook.dialects import DIALECTS
from adapters.legacy_cobol.copybook.errors import CopybookError
from adapters.legacy_cobol.copybook.layout import Copybook, Item
from adapters.legacy_cobol.copybook.listing import layout_table
from adapters.legacy_cobol.copybook.parser import CopybookOptions, read_copybook_file
from adapters.legacy_cobol.copybook.source import Form
from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.records.inspection import (
    SAMPLE,
    Characters,
    Proposal,
    characters_of,
    propose,
    zoned_signs_of,
)

app = typer.Typer()
DataFile = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]


@app.command()
def inspect(
    file: DataFile,
    copybook: Annotated[
        Path | None, typer.Option(help="Use its record lengths as evidence.")
    ] = None,
    form: Annotated[Form, typer.Option(help="Reference format of the copybook.")] = Form.FIXED,
    dialect: Annotated[str, typer.Option(help="Compiler of the copybook.")] = "ibm",
    write: Annotated[
        Path | None,
        typer.Option("--write-layout", help="Write a layout file with the best proposal."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Propose framings and a character set for a file, each with its evidence and its flags.

    The best one can be written as a layout file. Exit code 0: a framing fits. 2: none fits.
    """
    lengths = [] if copybook is None else _lengths(_copybook(copybook, form, dialect))
    with file.open("rb") as opened:
        sample = opened.read(SAMPLE)
    if not sample:
        raise Failure(f"{file} is empty. Give a file with records.")
    shares = characters_of(sample)
    found = propose(sample, file.stat().st_size, lengths)
    encoding = encoding_keys(ebcdic=_likely(shares) == "EBCDIC", signs=zoned_signs_of(sample))
    if write is not None and found:
        write_layout(write, copybook, framing_keys(found[0].body), encoding)
    out, code = screen.out(), Exit.OK if found else Exit.CHANGES
    if as_json:
        _print_proposals(shares, found, encoding)
        return code
    out.print(f"[bold]{_likely(shares)}[/]: {shares.evidence}.")
    for each in found:
        out.print(f"[bold]{each.strength:4.0%}[/] {each.name}\n      {each.evidence}.")
        out.print(f"      {flags(framing_keys(each.body), encoding)}", soft_wrap=True)
    if not found:
        out.print(_advice(copybook))
    elif write is not None:
        out.print(f"Written: {write}", markup=False)
    return code


def _likely(shares: Characters) -> str:
    return "EBCDIC" if shares.ebcdic > shares.ascii else "ASCII"


def _lengths(copybook: Copybook) -> list[int]:
    found = {each.minimum_length for each in copybook.records}
    return sorted(found | {each.maximum_length for each in copybook.records})


def _print_proposals(shares: Characters, found: list[Proposal], encoding: Keys) -> None:
    proposals = [
        {
            "name": e.name, "strength": round(e.strength, 3), "evidence": e.evidence,
            "flags": flags(framing_keys(e.body), encoding),
        }
        for e in found
    ]  # fmt: skip
    about = {"ebcdic": round(shares.ebcdic, 3), "ascii": round(shares.ascii, 3)}
    screen.print_json({"characters": about, "framings": proposals})


@app.command()
@with_layout
def layout(layout: Layout, as_json: AsJson = False) -> None:
    """Print the position of every field, like the listing of a COBOL compiler."""
    if as_json:
        records = [
            {
                "record": each.name,
                "minimum_length": each.minimum_length,
                "maximum_length": each.maximum_length,
                "items": [_item(item) for item in each.items()],
            }
            for each in layout.copybook.records
        ]
        screen.print_json({"records": records})
        return
    screen.out().print(layout_table(layout.copybook), markup=False, end="")
    for notice in layout.copybook.notices:
        screen.out().print(f"{notice.file}:{notice.line}: {notice.text}", markup=False)


@app.command()
@with_layout
def schema(
    layout: Layout,
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with id, descriptions, x-pii and tighter bounds.", exists=True
        ),
    ] = None,
    record: Annotated[str, typer.Option(help="Only this record type. Default: all.")] = "",
) -> None:
    """Print the JSON Schema of the events of a layout."""
    screen.print_json(schema_of(layout, annotations, record))


def _advice(copybook: Path | None) -> str:
    if copybook is None:
        return "No framing fits. Give --copybook to use its record lengths as evidence."
    return (
        "No framing fits the lengths of the copybook. Run it without --copybook to see what the "
        "file looks like, and ask the sender."
    )


def _copybook(file: Path, form: Form, dialect: str) -> Copybook:
    if dialect not in DIALECTS:
        raise Failure(f"Unknown --dialect {dialect}. Use one of: {', '.join(DIALECTS)}.")
    options = CopybookOptions(dialect=DIALECTS[dialect], form=form, folders=(file.parent,))
    try:
        return read_copybook_file(file, options)
    except CopybookError as error:
        raise Failure(str(error)) from None


def _item(item: Item) -> dict[str, Any]:
    return {
        "level": item.level,
        "name": ".".join(item.path),
        "from": item.offset + 1,
        "to": item.offset + item.length,
        "length": item.length,
        "picture": item.picture,
        "usage": item.usage if item.kind is not None else "GROUP",
        "redefines": item.redefines,
    }
