"""`diff`: compare two files with one layout, record by record and field by field."""

from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli import screen
from adapters.cli.exits import Exit, Failure
from adapters.cli.flags import AsJson
from adapters.cli.legacy.options import framing_of, with_layout
from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.records.framing import FramingError
from adapters.legacy_cobol.transfer.source_records import SourceReader, SourceRecord

app = typer.Typer()
DataFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]


@app.command()
@with_layout
def diff(
    layout: Layout,
    one: DataFile,
    other: DataFile,
    most: Annotated[int, typer.Option(help="Maximum number of differences to show.")] = 50,
    as_json: AsJson = False,
) -> int:
    """Compare two files field by field, in the order of their records.

    Exit code 0: no difference. 2: the files differ. 1: a file cannot be read.
    """
    reader = SourceReader(layout, framing_of(layout))
    found: list[dict[str, Any]] = []
    count = 0
    try:
        for pair in zip_longest(_all(reader, one), _all(reader, other)):
            for difference in _differences(*pair):
                count += 1
                if len(found) < most:
                    found.append(difference)
    except (FramingError, ValueError) as error:
        raise Failure(str(error)) from None
    if as_json:
        screen.print_json({"count": count, "differences": found})
    else:
        for each in found:
            position = f"record {each['record']} {each['field']}"
            screen.out().print(f"{position}: {each['one']!r} -> {each['other']!r}", markup=False)
        more = f", {most} of them shown" if count > most else ""
        screen.out().print(f"{count} differences{more}." if count else "No difference.")
    return Exit.CHANGES if count else Exit.OK


def _all(reader: SourceReader, file: Path) -> Iterator[SourceRecord]:
    return chain.from_iterable(reader.read(file))


def _differences(one: SourceRecord | None, other: SourceRecord | None) -> Iterator[dict[str, Any]]:
    if one is None or other is None:
        known = one or other
        assert known is not None  # noqa: S101  (zip_longest ends before)
        yield {"record": known.number, "field": "(record)"} | {
            "one": one and one.raw.hex(), "other": other and other.raw.hex(),
        }  # fmt: skip
        return
    if one.raw == other.raw and not one.parts:
        return
    if one.faults or other.faults or one.kind != other.kind:
        yield _difference(one.number, "(record)", one.raw.hex(), other.raw.hex())
        return
    differs = False
    for field, left, right in _fields("", one.document(), other.document()):
        differs = True
        yield _difference(one.number, field, left, right)
    if not differs and one.raw != other.raw:
        yield _difference(one.number, "(bytes)", one.raw.hex(), other.raw.hex())


def _difference(record: int, field: str, one: Any, other: Any) -> dict[str, Any]:
    return {"record": record, "field": field, "one": one, "other": other}


def _fields(name: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one | other:
            yield from _fields(f"{name}.{key}" if name else key, one.get(key), other.get(key))
    elif isinstance(one, list) and isinstance(other, list):
        for at, (left, right) in enumerate(zip_longest(one, other), 1):
            yield from _fields(f"{name}({at})", left, right)
    elif one != other:
        yield name, one, other
