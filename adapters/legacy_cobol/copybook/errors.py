"""What can be wrong with a copybook: where, what, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a source file. Lines and columns count from 1, as editors show them."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class CopybookError(ValueError):
    """The copybook cannot be read, or says something that cannot be. Nothing was guessed."""

    def __init__(self, where: Where, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}. {remedy}.")
        self.where = where
        self.problem = problem
        self.remedy = remedy
