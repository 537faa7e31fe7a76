"""Output: results on standard output, errors and notes on standard error.

Rich is imported by what prints with it: a command that only converts files starts faster without.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console

_encode = msgspec.json.Encoder(decimal_format="number").encode


def out() -> "Console":
    """A console on standard output; plain if that is not a terminal."""
    from rich.console import Console

    return Console(soft_wrap=True, highlight=False)


def printable(text: object) -> str:
    """Text of others, without the characters that a terminal obeys."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in str(text))


def safe(text: object) -> str:
    """Text of others, printable, for use within Rich's markup."""
    from rich.markup import escape

    return escape(printable(text))


def err() -> "Console":
    """A console on standard error, for errors and notes."""
    from rich.console import Console

    return Console(stderr=True, soft_wrap=True, highlight=False)


def stored(receipt: Mapping[str, Any]) -> str:
    """A receipt, as a line in Rich's markup."""
    position = f"{receipt['shard']}/{receipt['sequence']}"
    before = " [dim](duplicate: it was stored before)[/]" if receipt["duplicate"] else ""
    return f"[green]stored[/] {safe(receipt['id'])} at {position}{before}"


def print_json(value: Any) -> None:
    """Print a value as JSON, indented."""
    sys.stdout.write(msgspec.json.format(_encode(value), indent=2).decode() + "\n")
