"""What the bench tells while it works."""

import time

from rich.console import Console

WIDTH = 190  # of the tables where nobody looks at a terminal

console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=WIDTH)
_began = time.monotonic()


def say(text: str) -> None:
    """One line with the seconds since the start."""
    console.print(f"[dim]{time.monotonic() - _began:5.0f} s[/]  {text}")
