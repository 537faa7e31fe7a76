"""`nusabus publish`: events from the command line."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from adapters.cli import event_input, screen
from adapters.cli.exits import Exit, Failure
from adapters.cli.session import AsJson, ProfileName, over
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
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Publish data as an event of TYPE, and print the receipt.

    An event with the same source and id is stored once, so it is safe to publish it again.
    Without --data, the data are read from standard input.
    """
    if bool(type) == bool(events):
        raise Failure("Give TYPE and --data, or --events for whole CloudEvents.")
    if lines and id:
        raise Failure("--id names one event, but --lines publishes many. Leave one of them out.")
    documents: Iterable[Any]
    if events:
        documents = event_input.read_lines(events) if lines else _array(events)
    else:
        attributes = event_input.pairs(attribute) | ({"partitionkey": key} if key else {})
        values = (
            event_input.read_lines(data or "-") if lines else [event_input.read_json(data or "-")]
        )
        documents = (
            event_input.an_event(
                type, each, source=source, subject=subject, id=id, attributes=attributes.items()
            )
            for each in values
        )
    return _published(documents, as_json=as_json, profile=profile)


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
