"""What every fault has in common."""

from dataclasses import dataclass
from random import Random


class NoEvidence(Exception):
    """The fault was carried out, and nothing shows that it took effect."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a fault may choose freely: from the seed, so that it can be done again."""

    random: Random
