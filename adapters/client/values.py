"""What the gateway answers, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Receipt:
    """The event is valid and durably stored, at this place of the journal.

    `duplicate` says that it was stored before: the place is that of the first time.
    """

    id: str
    source: str
    shard: int
    sequence: int
    recordedtime: datetime
    digest: str
    duplicate: bool

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Receipt":
        """The value of an answer's body."""
        return cls(
            id=body["id"],
            source=body["source"],
            shard=body["shard"],
            sequence=body["sequence"],
            recordedtime=datetime.fromisoformat(body["recordedtime"]),
            digest=body["digest"],
            duplicate=body["duplicate"],
        )


@dataclass(frozen=True, slots=True)
class Subscription:
    """A queue to read, and as whom.

    `amqp_url` holds the password and is there only where it was made for this answer.
    """

    name: str
    types: Sequence[str]
    state: str
    queue: str
    amqp_url: str | None = field(repr=False)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Subscription":
        """The value of an answer's body."""
        return cls(
            name=body["name"],
            types=tuple(body["types"]),
            state=body["state"],
            queue=body["queue"],
            amqp_url=body["amqp_url"],
        )
