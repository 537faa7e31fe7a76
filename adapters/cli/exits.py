"""Exit codes and failures of commands."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command. docs/contracts.md explains them."""

    OK = 0
    """Done, or there was nothing to do."""
    ERROR = 1
    """Failed. The reason is on standard error."""
    CHANGES = 2
    """Done, and something differs or does not fit."""
    BREAKING = 3
    """Done, and something would break publishers or subscribers."""


class Failure(Exception):
    """A command cannot go on. The text says why, and what to do."""
