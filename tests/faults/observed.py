"""What the checker judges: the ledger, and what the gateway itself holds at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.faults.ledger import Identity, Interest, Ledger


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as the journal's table has it."""

    shard: int
    sequence: int
    source: str
    id: str
    type: str
    key: str
    digest: bytes

    @property
    def identity(self) -> Identity:
        """What names the event for ever."""
        return self.source, self.id

    @property
    def place(self) -> tuple[int, int]:
        """Shard and sequence."""
        return self.shard, self.sequence


@dataclass(frozen=True, slots=True)
class LeadWrite:
    """One update of a lead's row, seen by a trigger of ours.

    `writer` is the database role of the relay that made it; each relay has one of its own.
    """

    shard: int
    at: datetime
    writer: str
    holder_before: str | None
    holder: str | None
    epoch_before: int
    epoch: int
    cursor_before: int
    cursor: int
    expired_before: bool


@dataclass(frozen=True, slots=True)
class FrontierMove:
    """One move of a webhook's frontier, seen by a trigger of ours.

    `writer` is the database role of the process that made it, `holder` that of the one that had
    taken the lease last.
    """

    subscription: str
    shard: int
    at: datetime
    writer: str
    holder: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter that the gateway keeps."""

    queue: str
    source: str
    id: str
    state: str = "dead"

    @property
    def identity(self) -> Identity:
        """What names the event for ever."""
        return self.source, self.id


@dataclass(frozen=True, slots=True)
class Effect:
    """What a consumer wrote when it handled an event, in the order of `serial`."""

    subscription: str
    serial: int
    source: str
    id: str

    @property
    def identity(self) -> Identity:
        """What names the event for ever."""
        return self.source, self.id


@dataclass(frozen=True, slots=True)
class Told:
    """How far an entry has come with a subscription, in the words of the gateway."""

    shard: int
    sequence: int
    queue: str
    stage: str

    @property
    def place(self) -> tuple[int, int]:
        """Shard and sequence."""
        return self.shard, self.sequence


@dataclass(frozen=True)
class Least:
    """How much must have happened for a run to prove anything."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    unknown: int = 0
    stored_though_unknown: int = 0
    delivered: int = 0
    """To each subscription."""
    rejected: int = 0
    redriven: int = 0
    replays: int = 0
    moods: int = 0
    """Of each kind that endpoints have."""
    told: int = 0
    """Of each way of delivery."""


@dataclass
class Observed:
    """All that is known at the end of a run."""

    ledger: Ledger
    rows: Sequence[Row] = ()
    leads: Sequence[LeadWrite] = ()
    moves: Sequence[FrontierMove] = ()
    dead: Sequence[DeadLetter] = ()
    effects: Sequence[Effect] = ()
    told: Sequence[Told] = ()
    asked: Sequence[tuple[int, int]] = ()
    """The places of which the gateway was asked to tell."""
    held: Mapping[str, int] = field(default_factory=dict)
    """Messages left in each subscription's queue after its consumers had gone."""
    backlog: int = 0
    restless: str = ""
    """What did not come to rest."""
    planned: Sequence[str] = ()
    least: Least = field(default_factory=Least)


def wants(interest: Interest, row: Row) -> bool:
    """Whether an entry is promised to a subscription."""
    above = row.sequence > interest.starts.get(row.shard, 0)
    return above and any(_matches(pattern, row.type) for pattern in interest.types)


def _matches(pattern: str, type: str) -> bool:
    """`*` is one word, and at the end all that remain. Made here anew, not the gateway's own."""
    words, places = type.split("."), pattern.split(".")
    if places[-1] == "*":
        places += ["*"] * (len(words) - len(places))
    return len(words) == len(places) and all(
        place in ("*", word) for place, word in zip(places, words, strict=True)
    )
