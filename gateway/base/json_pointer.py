"""JSON pointers (RFC 6901)."""

from collections.abc import Iterable


def json_pointer(steps: Iterable[str | int]) -> str:
    """The pointer to what is at these steps; the empty pointer is the whole document."""
    return "".join(f"/{escaped(str(step))}" for step in steps)


def escaped(step: str) -> str:
    """One step of a pointer."""
    return step.replace("~", "~0").replace("/", "~1")
