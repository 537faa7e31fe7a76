"""What a command is given: the data of one event and what it is, or whole events."""

import json
import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli.exits import Failure

File = Annotated[str, typer.Argument(metavar="[FILE]", help="JSON data, or - for standard input.")]
Type = Annotated[str, typer.Option("--type", "-t", help="The event type.")]
Source = Annotated[str, typer.Option("--source", "-s", help="Who says it, a URI reference.")]
Subject = Annotated[str, typer.Option("--subject", help="What it is about.")]
Id = Annotated[str, typer.Option("--id", help="By default a random one.")]
WHOLE = "--whole"
LIMIT = 4 << 20  # bytes that the gateway takes in one batch


def read(file: str) -> Any:
    """The JSON in a file. Raises Failure for what is none."""
    raw = sys.stdin.buffer.read(LIMIT + 1) if file == "-" else Path(file).read_bytes()
    if len(raw) > LIMIT:
        raise Failure(f"{file} has more than {LIMIT} bytes: publish it in pieces")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise Failure(f"{file} is no JSON: {error}") from None


def event(data: Any, type: str, source: str, subject: str, id: str) -> dict[str, Any]:
    """The event with these data. Raises Failure where it is not said what it is."""
    if not type or not source:
        raise Failure(f"say --type and --source, or {WHOLE} where the file holds the whole event")
    whole = {
        "specversion": "1.0",
        "id": id or str(uuid.uuid4()),
        "source": source,
        "type": type,
        "datacontenttype": "application/json",
        "data": data,
    }
    return whole | ({"subject": subject} if subject else {})
