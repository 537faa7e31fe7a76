"""How a command takes events: JSON from an argument, a file or standard input."""

import json
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from adapters.cli.exits import Failure

Data = Annotated[
    str, typer.Option("--data", "-d", metavar="JSON|@FILE|-", help="The data. - is standard input.")
]
Source = Annotated[
    str,
    typer.Option(
        "--source",
        "-s",
        envvar="NUSABUS_SOURCE",
        help="The system that publishes: a URI reference.",
    ),
]
Subject = Annotated[str, typer.Option("--subject", help="What the event is about.")]
Key = Annotated[
    str, typer.Option("--key", help="The ordering key, if it is not source and subject.")
]
Id = Annotated[
    str, typer.Option("--id", help="The event id. Default: random. The same id is stored once.")
]
Attributes = Annotated[
    list[str] | None,
    typer.Option("--attribute", "-a", metavar="NAME=VALUE", help="Another context attribute."),
]
LIMIT = 4 << 20  # bytes that the gateway takes in one call


def read_bytes(value: str) -> bytes:
    """The bytes of a `--data` value, which are JSON. Raises Failure if not."""
    with _opened(value) as file:
        content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise Failure(f"{_named(value)} is larger than {LIMIT:,} bytes. Use --lines, or split it.")
    parse(content, _named(value), value)
    return content


def read_json(value: str) -> Any:
    """The value of a `--data` option. Raises Failure if it is not JSON."""
    return json.loads(read_bytes(value))


def read_lines(value: str) -> Iterator[Any]:
    """The JSON values of a file or of standard input, one on each line, read as needed."""
    with _opened(value) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield parse(line, f"Line {number} of {_named(value)}")


def parse(content: bytes, name: str, value: str = "") -> Any:
    """Parse JSON. Raises Failure with what to do."""
    try:
        return json.loads(content)
    except ValueError as error:
        hint = ""
        if value and not value.startswith("@") and Path(value).is_file():
            hint = f" To read the file, write @{value}."
        elif "Extra data" in str(error):
            hint = " If each line holds one value, add --lines."
        raise Failure(f"{name} is not JSON: {error}.{hint}") from None


def an_event(
    type: str,
    data: Any,
    *,
    source: str,
    subject: str = "",
    id: str = "",
    attributes: Iterable[tuple[str, str]] = (),
) -> dict[str, Any]:
    """A CloudEvent with these data. Raises Failure without a source."""
    if not source:
        raise Failure(
            "Missing --source. Name the system that publishes, for example /kemendikbud/dapodik, "
            "or set NUSABUS_SOURCE."
        )
    event = {
        "specversion": "1.0",
        "id": id or str(uuid.uuid4()),
        "source": source,
        "type": type,
        "datacontenttype": "application/json",
        **dict(attributes),
        "data": data,
    }
    return event | ({"subject": subject} if subject else {})


def pairs(given: Sequence[str] | None) -> dict[str, str]:
    """The `NAME=VALUE` options as a dictionary. Raises Failure for what is none."""
    found = {}
    for each in given or ():
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise Failure(f"{each!r} has no value. Write name=value.")
        found[name] = value
    return found


@contextmanager
def _opened(value: str) -> Iterator[BinaryIO]:
    if value in ("-", "@-"):
        yield sys.stdin.buffer
    elif value.startswith("@"):
        with Path(value[1:]).open("rb") as file:
            yield file
    else:
        yield BytesIO(value.encode())


def _named(value: str) -> str:
    if value in ("-", "@-"):
        return "Standard input"
    return value[1:] if value.startswith("@") else "--data"
