"""Errors in copybooks: where, what is wrong, and what to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """A position in a source file. Lines and columns count from 1, as in editors."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class CopybookError(ValueError):
    """The copybook is invalid or uses an unsupported feature. Nothing is guessed."""

    def __init__(self, where: Where, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}. {remedy}.")
        self.where = where
        self.problem = problem
        self.remedy = remedy
