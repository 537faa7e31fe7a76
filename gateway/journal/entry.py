"""What stands in the journal, as values. Structs, as they are made for every event."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from gateway.base.event import Event
from gateway.base.times import rfc3339


def sequence_text(shard: int, sequence: int) -> str:
    """A place as the CloudEvents extension `sequence`: the order of texts is that of the shard."""
    return f"{shard:02}-{sequence:016}"


class Position(NamedTuple):
    """Where an entry is in the journal: a gapless number in a shard. Ordered within a shard."""

    shard: int
    sequence: int


class Appended(msgspec.Struct, frozen=True, gc=False):
    """Where an event stands: a gapless number in a shard, and when it was recorded (UTC).

    `digest` is that of the event stored there; `duplicate` says that it stood there already.
    """

    shard: int
    sequence: int
    recorded: datetime
    digest: bytes
    duplicate: bool


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An event that was judged valid, with who sent it and the contract version that judged."""

    event: Event
    client: str
    contract_version: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An event at its place."""

    shard: int
    sequence: int
    recorded: datetime
    event: Event
    digest: bytes
    client: str
    contract_version: int

    @classmethod
    def of(cls, candidate: Candidate, appended: Appended) -> "Entry":
        """The entry that a candidate became when it was appended."""
        return cls(
            appended.shard,
            appended.sequence,
            appended.recorded,
            candidate.event,
            appended.digest,
            candidate.client,
            candidate.contract_version,
        )

    @property
    def journal_attributes(self) -> tuple[str, str]:
        """What its place adds to the event for whoever gets it: `sequence` and `recordedtime`."""
        return sequence_text(self.shard, self.sequence), rfc3339(self.recorded)


BEGINNING = datetime.min.replace(tzinfo=UTC)


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """A place to read on from: everything up to `sequence` is done with.

    `recorded` is a time that no later entry of the shard lies before; knowing it spares the older
    partitions.
    """

    sequence: int
    recorded: datetime = BEGINNING
