"""What lint says."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """For comparing: the higher, the more it matters."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of advice. `document` is contract, schema or reply; `pointer` leads into it."""

    rule: str
    level: Level
    document: str
    pointer: str
    message: str
    advice: str
