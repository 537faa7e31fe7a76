"""What the checker checks: the run log, and what the gateway itself holds at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.faults.run_log import Identity, KnownSubscription, RunLog


@dataclass(frozen=True, slots=True)
class JournalRow:
    """An entry as the journal's table has it."""

    shard: int
    sequence: int
    source: str
    id: str
    type: str
    key: str
    digest: bytes
    publisher: str = ""

    @property
    def identity(self) -> Identity:
        """What names the event for ever."""
        return self.source, self.id

    @property
    def position(self) -> tuple[int, int]:
        """Shard and sequence."""
        return self.shard, self.sequence


@dataclass(frozen=True, slots=True)
class SequenceGap:
    """Where an incarnation of the journal began: no entry has a sequence in it."""

    incarnation: int
    shard: int
    restored: int
    begins: int


@dataclass(frozen=True, slots=True)
class LeaseWrite:
    """One update of a journal lease, seen by a trigger of ours.

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
class CursorMove:
    """One move of a webhook's cursor, seen by a trigger of ours.

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
class ReportedStage:
    """The stage of a delivery, as the gateway reports it."""

    shard: int
    sequence: int
    queue: str
    stage: str

    @property
    def position(self) -> tuple[int, int]:
        """Shard and sequence."""
        return self.shard, self.sequence


@dataclass(frozen=True)
class Minimum:
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
    actions: int = 0
    """Of each kind that endpoints have."""
    reported: int = 0
    """Of each way of delivery."""
    resumed: int = 0
    """Streams that had sent something before."""
    expired: int = 0


@dataclass
class Observed:
    """All that is known at the end of a run."""

    run_log: RunLog
    rows: Sequence[JournalRow] = ()
    journal_leases: Sequence[LeaseWrite] = ()
    moves: Sequence[CursorMove] = ()
    dead: Sequence[DeadLetter] = ()
    effects: Sequence[Effect] = ()
    reported: Sequence[ReportedStage] = ()
    asked: Sequence[tuple[int, int]] = ()
    """The positions whose deliveries the gateway was asked for."""
    held: Mapping[str, int] = field(default_factory=dict)
    """Messages left in each subscription's queue after its consumers had gone."""
    backlog: int = 0
    unsettled: str = ""
    """What did not come to rest."""
    planned: Sequence[str] = ()
    minimum: Minimum = field(default_factory=Minimum)
    gaps: Sequence[SequenceGap] = ()


def wants(subscription: KnownSubscription, row: JournalRow) -> bool:
    """Whether an entry is promised to a subscription."""
    above = row.sequence > subscription.start_positions.get(row.shard, 0)
    return above and any(_matches(pattern, row.type) for pattern in subscription.types)


def _matches(pattern: str, type: str) -> bool:
    """`*` is one word, and at the end all that remain. Made here anew, not the gateway's own."""
    words, parts = type.split("."), pattern.split(".")
    if parts[-1] == "*":
        parts += ["*"] * (len(words) - len(parts))
    return len(words) == len(parts) and all(
        part in ("*", word) for part, word in zip(parts, words, strict=True)
    )
