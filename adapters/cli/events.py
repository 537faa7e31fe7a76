"""`nusabus publish`, `nusabus tail` and `nusabus requests ask`: events from the command line."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from adapters.cli import screen
from adapters.cli.exits import Exit, Failure
from adapters.cli.session import AsJson, ProfileName, over
from adapters.client import Nusabus, Problem

app = typer.Typer()
requests = typer.Typer(help="Requests and their replies.", no_args_is_help=True)
File = Annotated[str, typer.Argument(metavar="[FILE]", help="JSON data, or - for standard input.")]
TypeOption = Annotated[str, typer.Option("--type", "-t", help="The event type.")]
SourceOption = Annotated[str, typer.Option("--source", "-s", help="Who says it, a URI reference.")]
SubjectOption = Annotated[str, typer.Option("--subject", help="What it is about.")]
IdOption = Annotated[str, typer.Option("--id", help="By default a random one.")]
WHOLE = "--whole"
LIMIT = 4 << 20  # bytes that the gateway takes in one batch
STREAM_SILENCE = 60.0  # seconds; the gateway gives a sign of life four times as often


@app.command()
def publish(
    file: File = "-",
    type: TypeOption = "",
    source: SourceOption = "",
    subject: SubjectOption = "",
    id: IdOption = "",
    whole: Annotated[
        bool,
        typer.Option(WHOLE, help="The file holds a whole CloudEvent in JSON, or an array of them."),
    ] = False,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Publish data as one event, or whole events. Publishing the same again does no harm."""
    given = _read(file)
    if whole:
        events = given if isinstance(given, list) else [given]
    else:
        events = [_event(given, type, source, subject, id)]
    results = over(profile, lambda bus: bus.publish_batch(events))
    refused = sum(isinstance(each, Problem) for each in results)
    if as_json:
        screen.print_json([_described(each) for each in results])
    else:
        for each in results:
            screen.out().print(_line(each))
    return Exit.ERROR if refused else Exit.OK


@app.command()
def tail(
    subscription: Annotated[str, typer.Argument(help="Its delivery must be `stream`.")],
    last: Annotated[str, typer.Option("--last", help="Go on behind this place.")] = "",
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="End after so many.")] = 0,
    profile: ProfileName = "default",
) -> None:
    """Print events as they come, a line of JSON each, until Ctrl-C.

    A lost connection is made again, and nothing is missed or repeated.
    """
    with suppress(BrokenPipeError):
        over(profile, lambda bus: _tail(bus, subscription, last, count))


@requests.command()
def ask(
    file: File = "-",
    type: TypeOption = "",
    source: SourceOption = "",
    subject: SubjectOption = "",
    id: IdOption = "",
    wait: Annotated[int, typer.Option(min=0, max=20, help="Seconds to wait for it.")] = 10,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Ask a question and print the data of the reply. Exit code 2: no reply yet."""
    event = _event(_read(file), type, source, subject, id)
    answer = over(profile, lambda bus: _ask(bus, event, wait))
    reply = answer.get("reply")
    screen.print_json(answer if as_json or reply is None else reply.get("data"))
    return Exit.OK if reply is not None else Exit.CHANGES


async def _ask(bus: Nusabus, event: dict[str, Any], wait: int) -> dict[str, Any]:
    headers = {"content-type": "application/cloudevents+json", "prefer": f"wait={wait}"}
    content = json.dumps(event, ensure_ascii=False).encode()
    answer = await bus.request(
        "POST", "/v1/requests", content=content, headers=headers, timeout=wait + 15
    )
    found: dict[str, Any] = answer.json()
    return found


async def _tail(bus: Nusabus, subscription: str, last: str, count: int) -> None:
    seen = 0
    while True:
        try:
            async for place, data in _events(bus, subscription, last):
                sys.stdout.write(f"{data}\n")
                sys.stdout.flush()
                last, seen = place, seen + 1
                if seen == count:
                    return
        except httpx.TransportError as error:
            sys.stderr.write(f"{type(error).__name__}: connecting again\n")
        await asyncio.sleep(1)


async def _events(bus: Nusabus, subscription: str, last: str) -> AsyncIterator[tuple[str, str]]:
    headers = {"last-event-id": last} if last else {}
    path = f"/v1/subscriptions/{subscription}/stream"
    place, data = "", list[str]()
    async with bus.stream("GET", path, headers=headers, timeout=STREAM_SILENCE) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                place = line[4:]
            elif line.startswith("data: "):
                data.append(line[6:])
            elif not line and data:
                if place:
                    yield place, " ".join(data)
                place, data = "", []


def _read(file: str) -> Any:
    raw = sys.stdin.buffer.read(LIMIT + 1) if file == "-" else Path(file).read_bytes()
    if len(raw) > LIMIT:
        raise Failure(f"{file} has more than {LIMIT} bytes: publish it in pieces")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise Failure(f"{file} is no JSON: {error}") from None


def _event(data: Any, type: str, source: str, subject: str, id: str) -> dict[str, Any]:
    if not type or not source:
        raise Failure(f"say --type and --source, or {WHOLE} where the file holds the whole event")
    event = {
        "specversion": "1.0",
        "id": id or str(uuid.uuid4()),
        "source": source,
        "type": type,
        "datacontenttype": "application/json",
        "data": data,
    }
    return event | ({"subject": subject} if subject else {})


def _described(result: Any) -> Any:
    if isinstance(result, Problem):
        return {"problem": result.document}
    return {"receipt": asdict(result)}


def _line(result: Any) -> str:
    if isinstance(result, Problem):
        where = "".join(
            f"\n  {screen.safe(v.pointer or '/')} {screen.safe(v.message)}"
            for v in result.violations
        )
        return f"[red]refused[/] {screen.safe(result.detail or result.title)}{where}"
    again = " [dim](it was there already)[/]" if result.duplicate else ""
    place = f"{result.shard}/{result.sequence}"
    return f"[green]stored[/] {screen.safe(result.id)} at {place}{again}"
