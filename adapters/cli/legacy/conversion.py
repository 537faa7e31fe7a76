"""`decode`, `encode` and `validate`: convert files to JSON lines and back.

What only some runs need is imported there, as it takes longer than a small file.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Generic, TypeVar

import typer

from adapters.cli import screen
from adapters.cli.exits import Exit, Failure
from adapters.cli.flags import AsJson
from adapters.cli.legacy.options import framing_of, with_layout
from adapters.legacy_cobol.mapping.codecs import encoder_of
from adapters.legacy_cobol.mapping.layout_file import Layout
from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.records.framing import FramingError
from adapters.legacy_cobol.transfer.source_records import SourceLines, SourceReader, SourceRecord

T = TypeVar("T")
app = typer.Typer()
DataFile = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write to this file. Default: standard output."),
]
Rejects = Annotated[
    Path | None,
    typer.Option(
        "--rejects", help="Write the rejected records to this file, with their original bytes."
    ),
]
SHOWN = 20  # rejects on the screen
LISTED = 10_000  # rejects in --json
BATCH = 1000  # documents encoded at once


@dataclass(slots=True)
class _Rejected(Generic[T]):
    """What was rejected: the first few, and the total count."""

    most: int = SHOWN
    count: int = 0
    first: list[T] = field(default_factory=list)

    def add(self, each: T) -> None:
        """Add one."""
        self.count += 1
        if len(self.first) < self.most:
            self.first.append(each)


@app.command()
@with_layout
def decode(
    layout: Layout,
    file: DataFile,
    output: Output = None,
    rejects: Rejects = None,
    typed: Annotated[
        bool, typer.Option("--typed", help='Write {"record": TYPE, "data": DOCUMENT} lines.')
    ] = False,
    originals: Annotated[
        bool,
        typer.Option(
            "--originals",
            help="Add the original bytes in hex, so that `encode` restores every byte.",
        ),
    ] = False,
) -> int:
    """Convert the records of a file to JSON documents, one per line, in constant memory.

    With several record types, each line has its type, as with --typed. Rejected records are
    reported on standard error. Exit code 0: all records are good. 2: some are rejected.
    """
    several = typed or originals or len(layout.records) > 1
    bad: _Rejected[SourceRecord] = _Rejected()
    with ExitStack() as stack:
        out = _output(stack, output)
        kept = stack.enter_context(rejects.open("wb")) if rejects else None
        bar = _bar(file, stack, quiet=output is None)
        for lines in _lines(layout, file, typed=several, originals=originals):
            out.write(lines.text)
            for record in lines.rejected:
                _reject(record, layout, kept, bad)
            bar(lines.end)
    _report(bad)
    return Exit.CHANGES if bad.count else Exit.OK


@app.command()
@with_layout
def encode(
    layout: Layout,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines. - is standard input.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    record: Annotated[str, typer.Option(help="Record type of documents without one.")] = "",
) -> int:
    """Convert JSON documents, one per line, to records. Nothing is cut, rounded or guessed.

    A document that does not fit is reported and left out. The file appears when it is complete.
    Exit code 0: all documents are written. 2: some are left out.
    """
    framing = framing_of(layout)
    events = [each.type.name for each in layout.records]
    record = record or (events[0] if len(events) == 1 else "")
    faults: _Rejected[str] = _Rejected()
    with ExitStack() as stack:
        lines: BinaryIO = sys.stdin.buffer if str(file) == "-" else file.open("rb")
        stack.enter_context(lines)
        out = stack.enter_context(_complete(output))
        try:
            encoder = encoder_of(layout, framing)
            out.writelines(frame_records(_records(encoder, lines, record, faults), framing.body))
        except FramingError as error:
            raise Failure(str(error)) from None
    for each in faults.first:
        screen.err().print(each, markup=False)
    _report_more(faults)
    return Exit.CHANGES if faults.count else Exit.OK


@contextmanager
def _complete(file: Path) -> Iterator[BinaryIO]:
    """A file to write. It appears when it is complete."""
    fresh = file.with_name(f".{file.name}.part")
    try:
        with fresh.open("wb") as out:
            yield out
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


@app.command()
@with_layout
def validate(
    layout: Layout, file: DataFile, rejects: Rejects = None, as_json: AsJson = False
) -> int:
    """Check every record of a file, and report the bad ones.

    Exit code 0: all records are good. 2: some are bad.
    """
    bad: _Rejected[SourceRecord] = _Rejected(LISTED if as_json else SHOWN)
    kinds: dict[str, int] = {}
    with ExitStack() as stack:
        kept = stack.enter_context(rejects.open("wb")) if rejects else None
        for record in _source_records(layout, file, stack, quiet=as_json):
            for part in record.records:
                kinds[part.kind or "(none)"] = kinds.get(part.kind or "(none)", 0) + 1
            if record.faults:
                _reject(record, layout, kept, bad)
    if as_json:
        from adapters.legacy_cobol.transfer.journal import Reject
        from adapters.legacy_cobol.transfer.reject_report import report_lines

        found = [json.loads(line) for line in report_lines(map(Reject.of, bad.first))]
        screen.print_json({"records": kinds, "rejected": bad.count, "rejects": found})
        return Exit.CHANGES if bad.count else Exit.OK
    for kind, count in kinds.items():
        screen.out().print(f"{count:>12,} {kind}", markup=False)
    screen.out().print(f"{bad.count:>12,} rejected")
    _report(bad)
    return Exit.CHANGES if bad.count else Exit.OK


def _source_records(
    layout: Layout, file: Path, stack: ExitStack, *, quiet: bool
) -> Iterator[SourceRecord]:
    """The records of a file, with a progress bar. Raises Failure."""
    bar = _bar(file, stack, quiet=quiet)
    try:
        for batch in SourceReader(layout, framing_of(layout)).read(file):
            yield from batch
            if batch:
                bar(batch[-1].offset)
    except (FramingError, ValueError) as error:
        raise Failure(f"{file}: {error}") from None


def _lines(layout: Layout, file: Path, *, typed: bool, originals: bool) -> Iterator[SourceLines]:
    """The records of a file as lines. Raises Failure."""
    try:
        reader = SourceReader(layout, framing_of(layout))
        yield from reader.originals(file) if originals else reader.lines(file, typed=typed)
    except (FramingError, ValueError) as error:
        raise Failure(f"{file}: {error}") from None


def _bar(file: Path, stack: ExitStack, *, quiet: bool) -> Callable[[int], None]:
    """Shows how much of a file is read, to people."""
    if quiet or not sys.stderr.isatty():
        return lambda _: None
    from adapters.cli.legacy.progress import reading

    return stack.enter_context(reading(file))


def _output(stack: ExitStack, output: Path | None) -> BinaryIO:
    if output is None:
        return sys.stdout.buffer
    return stack.enter_context(output.open("wb"))


def _reject(
    record: SourceRecord, layout: Layout, kept: BinaryIO | None, bad: _Rejected[SourceRecord]
) -> None:
    for part in record.records:
        bad.add(part)
        if kept is not None:
            kept.writelines(frame_records([part.raw], framing_of(layout).body))


def _report(bad: _Rejected[SourceRecord]) -> None:
    if not bad.count:
        return
    from adapters.legacy_cobol.transfer.journal import Reject
    from adapters.legacy_cobol.transfer.reject_report import paragraph

    for each in map(Reject.of, bad.first):
        screen.err().print(b"".join(paragraph(each)).decode().strip("\n"), markup=False)
    _report_more(bad)


def _report_more(bad: _Rejected[Any]) -> None:
    if bad.count > SHOWN:
        screen.err().print(f"and {bad.count - SHOWN:,} more")


def _records(
    encoder: Encoder, lines: Iterable[bytes], record: str, faults: _Rejected[str]
) -> Iterator[bytes]:
    numbered = enumerate(lines, 1)
    while some := list(islice(numbered, BATCH)):
        documents = [_document(number, line, record) for number, line in some if line.strip()]
        try:
            encoded = encoder.encode(
                [document for _, document, _ in documents],
                [kind for kind, _, _ in documents],
                [original for _, _, original in documents],
            )
        except KeyError as error:
            raise Failure(
                f"Unknown record type {error}. Use --record with a type of the layout."
            ) from None
        numbers = [number for number, line in some if line.strip()]
        for at, (number, found) in enumerate(zip(numbers, encoded.records, strict=True)):
            if found is None:
                faults.add(f"Line {number}: " + "; ".join(map(str, encoded.faults[at])))
            else:
                yield found


def _document(number: int, line: bytes, record: str) -> tuple[str, dict[str, Any], bytes | None]:
    """The record type, the document, and the original bytes."""
    try:
        found = json.loads(line, parse_float=Decimal)
    except ValueError as error:
        raise Failure(f"Line {number} is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise Failure(f"Line {number} is not a JSON object.")
    if {"record", "data"} <= set(found) <= {"record", "data", "original"}:
        original = _original(number, found.get("original"))
        if not isinstance(found["record"], str) or not isinstance(found["data"], dict):
            raise Failure(f'Line {number}: write {{"record": "NAME", "data": {{...}}}}.')
        return found["record"], found["data"], original
    return record, found, None


def _original(number: int, text: Any) -> bytes | None:
    """The original bytes of a record."""
    if text is None:
        return None
    try:
        return bytes.fromhex(text)
    except (TypeError, ValueError):
        raise Failure(f"Line {number}: `original` is not hexadecimal.") from None
