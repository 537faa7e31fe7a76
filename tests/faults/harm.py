"""What every fault has in common."""

from dataclasses import dataclass, field
from random import Random


class NoEvidence(Exception):
    """The fault was carried out, and nothing shows that it took effect."""


@dataclass
class Harm:
    """The choices of a run, all from its seed."""

    random: Random = field(default_factory=Random)
    round: int = 0
