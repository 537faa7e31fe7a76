"""`nusabus publish` and `nusabus tail`: events from the command line."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any

import httpx
import typer

from adapters.cli import given, screen
from adapters.cli.exits import Exit
from adapters.cli.session import AsJson, ProfileName, over
from adapters.client import Nusabus, Problem

app = typer.Typer()
STREAM_SILENCE = 60.0  # seconds; the gateway gives a sign of life four times as often


@app.command()
def publish(
    file: given.File = "-",
    type: given.Type = "",
    source: given.Source = "",
    subject: given.Subject = "",
    id: given.Id = "",
    whole: Annotated[
        bool,
        typer.Option(
            given.WHOLE, help="The file holds a whole CloudEvent in JSON, or an array of them."
        ),
    ] = False,
    as_json: AsJson = False,
    profile: ProfileName = "default",
) -> int:
    """Publish data as one event, or whole events. Publishing the same again does no harm."""
    content = given.read(file)
    if whole:
        events = content if isinstance(content, list) else [content]
    else:
        events = [given.event(content, type, source, subject, id)]
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
