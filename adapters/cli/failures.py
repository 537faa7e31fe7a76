"""How a command says that it failed."""

from typing import Any

import httpx

from adapters.cli import screen
from adapters.cli.exits import Failure
from adapters.client import OutcomeUnknown, Problem, UnusableFile

_EXPECTED = Problem, OutcomeUnknown, Failure, UnusableFile, httpx.TransportError, OSError


def fail(error: Exception, *, as_json: bool = False) -> None:
    """Print an error: as lines for people, or as JSON. Raises one that nobody expects."""
    if not isinstance(error, _EXPECTED):
        raise error
    if as_json:
        screen.print_json({"error": _described(error)})
        return
    for line in _lines(error):
        screen.err().print(line)


def _described(error: Exception) -> dict[str, Any]:
    if isinstance(error, Problem):
        return dict(error.document) or {"status": error.status, "title": error.title}
    if isinstance(error, OutcomeUnknown):
        return {"title": "Outcome unknown", "detail": str(error), "ids": error.ids}
    return {"title": type(error).__name__, "detail": str(error)}


def _lines(error: Exception) -> list[str]:
    if isinstance(error, Problem):
        lines = [
            f"[red]{screen.safe(error.title)}[/] [dim]({error.status} {screen.safe(error.code)})[/]"
        ]
        if error.detail:
            lines.append(f"  {screen.safe(error.detail)}")
        if pointer := error.document.get("pointer"):
            lines.append(f"  [dim]at[/] {screen.safe(str(pointer))}")
        lines += [
            f"  [cyan]{screen.safe(each.pointer or '/')}[/] {screen.safe(each.message)}"
            for each in error.violations
        ]
        lines += [
            f"  [cyan]{screen.safe(each['pointer'] or '/')}[/] {screen.safe(each['message'])}"
            for each in error.document.get("faults", ())
        ]
        return lines
    if isinstance(error, OutcomeUnknown):
        ids = "".join(f"\n  id: {screen.safe(each)}" for each in error.ids)
        return [f"[red]Outcome unknown:[/] {screen.safe(str(error))}{ids}"]
    if isinstance(error, httpx.TransportError):
        return [f"[red]Cannot reach the gateway:[/] {screen.safe(str(error) or repr(error))}"]
    return [f"[red]Error:[/] {screen.safe(str(error))}"]
