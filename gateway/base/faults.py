"""One of several things that are wrong with a request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """Where something is wrong, as a JSON pointer, and what to do."""

    pointer: str
    message: str
