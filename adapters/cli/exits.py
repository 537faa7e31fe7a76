"""How a command ends."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command; docs/contracts.md explains them to readers."""

    OK = 0
    """Done; or nothing to do, nothing found."""
    ERROR = 1
    """It could not be done: the reason is on standard error."""
    CHANGES = 2
    """Done, and the answer is that something is different, or does not fit."""
    BREAKING = 3
    """Done, and something would break those who publish or subscribe."""


class Failure(Exception):
    """It cannot be done; the text says why and what to do."""
