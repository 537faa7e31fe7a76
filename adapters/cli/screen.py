"""What people see. Results go to standard output, complaints to standard error."""

import sys
from typing import Any

import httpx
import msgspec
from rich.console import Console
from rich.markup import escape

from adapters.cli.exits import Failure
from adapters.client import OutcomeUnknown, Problem

_encode = msgspec.json.Encoder(decimal_format="number").encode


def out() -> Console:
    """Standard output; plain where it is no terminal."""
    return Console(soft_wrap=True, highlight=False)


def safe(text: object) -> str:
    """Text of others in Rich's markup: no markup in it counts, nor what a terminal would obey."""
    return escape("".join(c if c.isprintable() or c == "\n" else "�" for c in str(text)))


def err() -> Console:
    """Standard error, for what is said beside the result."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def print_json(value: Any) -> None:
    """Print a value as JSON, indented."""
    sys.stdout.write(msgspec.json.format(_encode(value), indent=2).decode() + "\n")


def fail(error: Exception, *, as_json: bool = False) -> None:
    """Say why it could not be done."""
    if as_json:
        print_json({"error": _described(error)})
        return
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for line in _told(error):
        console.print(line)


def _described(error: Exception) -> dict[str, Any]:
    if isinstance(error, Problem):
        return dict(error.document) or {"status": error.status, "title": error.title}
    if isinstance(error, OutcomeUnknown):
        return {"title": "Outcome unknown", "detail": str(error), "ids": error.ids}
    return {"title": type(error).__name__, "detail": str(error)}


def _told(error: Exception) -> list[str]:
    """The lines for an error."""
    if isinstance(error, Problem):
        lines = [f"[red]{safe(error.title)}[/] [dim]({error.status} {safe(error.code)})[/]"]
        if error.detail:
            lines.append(f"  {safe(error.detail)}")
        if pointer := error.document.get("pointer"):
            lines.append(f"  [dim]at[/] {safe(str(pointer))}")
        lines += [
            f"  [cyan]{safe(each.pointer or '/')}[/] {safe(each.message)}"
            for each in error.violations
        ]
        return lines
    if isinstance(error, OutcomeUnknown):
        ids = "".join(f"\n  id: {safe(each)}" for each in error.ids)
        return [f"[red]Outcome unknown:[/] {safe(str(error))}{ids}"]
    if isinstance(error, httpx.TransportError):
        return [f"[red]The gateway cannot be reached:[/] {safe(str(error) or repr(error))}"]
    if isinstance(error, Failure | OSError):
        return [f"[red]Error:[/] {safe(str(error))}"]
    raise error
