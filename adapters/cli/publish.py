"""`nusabus publish`: events from the command line."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from adapters.cli import event_input, profiles, screen
from adapters.cli.exits import Exit, Failure
from adapters.cli.flags import AsJson, ProfileName
from adapters.cli.session import over
from adapters.client import Nusabus, Problem, Receipt

app = typer.Typer()
Result = Receipt | Problem
MOST = 1000  # events in a call
LARGEST = 3 << 20  # bytes of events in a call; the gateway takes 4 MiB
EXAMPLES = """\
Examples:

nusabus publish id.go.kemendikbud.nisn.diverifikasi.v1 --source /dapodik --data @student.json

nusabus publish TYPE --source /dapodik --lines --data - < students.ndjson

nusabus publish --events @events.json

nusabus publish --stream events.ndjson     over gRPC; the same command goes on where it was cut off

Exit code 0: all events are stored. 1: an event was refused, or the command failed.
"""

Lines = Annotated[
    bool, typer.Option("--lines", help="Each line of the input is one event (NDJSON).")
]
Events = Annotated[
    str,
    typer.Option(
        "--events",
        metavar="@FILE|-",
        help="Publish whole CloudEvents instead: one in JSON, an array, or --lines of them.",
    ),
]

Stream = Annotated[
    Path | None,
    typer.Option(
        "--stream",
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="Publish a large file over gRPC: a CloudEvent on each line, or with TYPE its data.",
    ),
]
Grpc = Annotated[
    str,
    typer.Option(
        "--grpc",
        envvar="NUSABUS_GRPC",
        metavar="HOST:PORT",
        help="Where the gateway serves gRPC. Default: port 8090 of its host.",
    ),
]


@app.command(epilog=EXAMPLES)
def publish(  # noqa: PLR0913 - each is an option of the command
    type: Annotated[str, typer.Argument(metavar="TYPE", help="The event type.")] = "",
    data: event_input.Data = "",
    source: event_input.Source = "",
    subject: event_input.Subject = "",
    key: event_input.Key = "",
    id: event_input.Id = "",
    attribute: event_input.Attributes = None,
    lines: Lines = False,
    events: Events = "",
    stream: Stream = None,
    grpc: Grpc = "",
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Publish data as an event of TYPE, and print the receipt.

    An event with the same source and id is stored once, so it is safe to publish it again.
    Without --data, the data are read from standard input.
    """
    attributes = event_input.pairs(attribute) | ({"partitionkey": key} if key else {})
    shared = _Shared(type, source, subject, attributes)
    if stream is not None:
        if data or events or lines or id:
            raise Failure("--stream names the events. Omit --data, --events, --lines and --id.")
        return _streamed(stream, shared, address=grpc, as_json=as_json, profile=profile)
    if bool(type) == bool(events):
        raise Failure("Give TYPE and --data, or --events for whole CloudEvents.")
    if lines and id:
        raise Failure("--id names one event, but --lines publishes many. Leave one of them out.")
    read = event_input.read_lines if lines else _array if events else _value
    documents = read(events) if events else (shared.event(v, id) for v in read(data or "-"))
    return _published(documents, as_json=as_json, profile=profile)


def _value(data: str) -> list[Any]:
    return [event_input.read_json(data)]


class _Shared(NamedTuple):
    """What the events of a file have in common; without a type each line is a whole event."""

    type: str
    source: str
    subject: str
    attributes: dict[str, str]

    def event(self, value: Any, id: str) -> dict[str, Any]:
        """The event of a line. Raises Failure for what is none."""
        if not self.type:
            if not isinstance(value, dict):
                raise Failure("A line is not a CloudEvent. An event is a JSON object.")
            return {"id": id, **value}
        attributes = self.attributes.items()
        return event_input.an_event(
            self.type, value, source=self.source, subject=self.subject, id=id, attributes=attributes
        )


def _streamed(file: Path, shared: _Shared, *, address: str, as_json: bool, profile: str) -> int:
    # Here, because no other command needs gRPC, which takes long to load.
    from adapters.cli import stream_file

    return stream_file.publish(
        profiles.load(profile),
        file,
        shared.event,
        options=json.dumps(shared),
        address=address,
        as_json=as_json,
    )


def _array(events: str) -> list[Any]:
    found = event_input.read_json(events)
    return found if isinstance(found, list) else [found]


def _published(documents: Iterable[Any], *, as_json: bool, profile: str) -> int:
    """Publish call by call, and print each result as soon as it is known."""
    shown: list[dict[str, Any]] = []
    refused = 0

    async def work(bus: Nusabus) -> None:
        nonlocal refused
        for batch in batches(documents):
            for result in await bus.publish_batch(batch):
                refused += isinstance(result, Problem)
                if as_json:
                    shown.append(_described(result))
                else:
                    screen.out().print(_line(result))

    try:
        over(profile, work)
    finally:
        if as_json and shown:
            screen.print_json(shown)
    return Exit.ERROR if refused else Exit.OK


def batches(documents: Iterable[Any]) -> Iterator[list[dict[str, Any]]]:
    """Group events into calls that the gateway accepts. Raises Failure for what is no event."""
    batch, size = list[dict[str, Any]](), 0
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict):
            raise Failure(f"Value {number} is not a CloudEvent. An event is a JSON object.")
        length = len(json.dumps(document, ensure_ascii=False).encode())
        if batch and (len(batch) == MOST or size + length > LARGEST):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += length
    if batch:
        yield batch


def _described(result: Result) -> dict[str, Any]:
    if isinstance(result, Problem):
        return {"problem": result.document}
    return {"receipt": asdict(result)}


def _line(result: Result) -> str:
    if isinstance(result, Problem):
        violations = "".join(
            f"\n  {screen.safe(v.pointer or '/')} {screen.safe(v.message)}"
            for v in result.violations
        )
        return f"[red]refused[/] {screen.safe(result.detail or result.title)}{violations}"
    return screen.stored(asdict(result))
