"""The values of the journal. They are structs because one is made for every event."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from gateway.base.event import Event
from gateway.base.times import rfc3339


def sequence_text(shard: int, sequence: int) -> str:
    """A position as the CloudEvents extension `sequence`; the texts sort as the shard does."""
    return f"{shard:02}-{sequence:016}"


class Position(NamedTuple):
    """Where an entry is in the journal: its shard and its gapless number there."""

    shard: int
    sequence: int


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The result of an append: the position of the event and when it was recorded (UTC).

    `digest` is that of the event stored there; `duplicate` means that it was stored before, and
    `same` that it is the event that was given: otherwise its source and id belong to another one.
    """

    shard: int
    sequence: int
    recorded: datetime
    digest: bytes
    duplicate: bool
    same: bool = True


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A valid event, its sender (a client and its organisation, the publisher), its version."""

    event: Event
    client: str
    publisher: str
    contract_version: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An event in the journal. `publisher` is the organisation that published it, as of then."""

    shard: int
    sequence: int
    recorded: datetime
    event: Event
    client: str
    publisher: str
    contract_version: int

    @classmethod
    def of(cls, candidate: Candidate, appended: Appended) -> "Entry":
        """The entry that a candidate became when it was appended."""
        return cls(
            appended.shard,
            appended.sequence,
            appended.recorded,
            candidate.event,
            candidate.client,
            candidate.publisher,
            candidate.contract_version,
        )

    @property
    def digest(self) -> bytes:
        """That of the event: the journal keeps it beside the identity, and not once more here."""
        return self.event.digest

    @property
    def journal_attributes(self) -> tuple[str, str, str]:
        """What the journal adds to the event: `sequence`, `recordedtime` and `publisher`."""
        return sequence_text(self.shard, self.sequence), rfc3339(self.recorded), self.publisher


BEGINNING = datetime.min.replace(tzinfo=UTC)


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """How far a reader is in a shard: everything up to `sequence` is done.

    No later entry of the shard was recorded before `recorded`; so older partitions are not read.
    """

    sequence: int
    recorded: datetime = BEGINNING
