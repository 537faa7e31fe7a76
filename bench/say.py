"""What the bench tells while it works."""

import time

from rich.console import Console

console = Console(highlight=False)
_began = time.monotonic()


def say(text: str) -> None:
    """One line with the seconds since the start."""
    console.print(f"[dim]{time.monotonic() - _began:5.0f} s[/]  {text}")
