"""Output: results on standard output, errors and notes on standard error."""

import sys
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from rich.console import Console
from rich.markup import escape

from adapters.cli.exits import Failure
from adapters.client import OutcomeUnknown, Problem, UnusableFile

_encode = msgspec.json.Encoder(decimal_format="number").encode


def out() -> Console:
    """A console on standard output; plain if that is not a terminal."""
    return Console(soft_wrap=True, highlight=False)


def printable(text: object) -> str:
    """Text of others, without the characters that a terminal obeys."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in str(text))


def safe(text: object) -> str:
    """Text of others, printable, for use within Rich's markup."""
    return escape(printable(text))


def err() -> Console:
    """A console on standard error, for errors and notes."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def stored(receipt: Mapping[str, Any]) -> str:
    """A receipt, as a line in Rich's markup."""
    position = f"{receipt['shard']}/{receipt['sequence']}"
    before = " [dim](duplicate: it was stored before)[/]" if receipt["duplicate"] else ""
    return f"[green]stored[/] {safe(receipt['id'])} at {position}{before}"


def print_json(value: Any) -> None:
    """Print a value as JSON, indented."""
    sys.stdout.write(msgspec.json.format(_encode(value), indent=2).decode() + "\n")


def fail(error: Exception, *, as_json: bool = False) -> None:
    """Print an error: as lines for people, or as JSON."""
    if as_json:
        print_json({"error": _described(error)})
        return
    for line in _lines(error):
        err().print(line)


def _described(error: Exception) -> dict[str, Any]:
    if isinstance(error, Problem):
        return dict(error.document) or {"status": error.status, "title": error.title}
    if isinstance(error, OutcomeUnknown):
        return {"title": "Outcome unknown", "detail": str(error), "ids": error.ids}
    return {"title": type(error).__name__, "detail": str(error)}


def _lines(error: Exception) -> list[str]:
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
        return [f"[red]Cannot reach the gateway:[/] {safe(str(error) or repr(error))}"]
    if isinstance(error, Failure | UnusableFile | OSError):
        return [f"[red]Error:[/] {safe(str(error))}"]
    raise error
