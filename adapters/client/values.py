"""What the gateway answers, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Answer:
    """A value read from a JSON body. Members that it does not know are left aside."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The value in an answer's body."""
        return cls(**{each.name: body[each.name] for each in fields(cls)})


@dataclass(frozen=True, slots=True)
class Receipt(Answer):
    """The event is valid and durably stored, at this place of the journal.

    `duplicate` says that it was stored before: the place is that of the first time.
    """

    id: str
    source: str
    shard: int
    sequence: int
    recordedtime: str
    digest: str
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Subscription(Answer):
    """A queue to read, and as whom; None where it is not delivered over AMQP.

    `amqp_url` holds the password and is there only where it was made for this answer.
    """

    name: str
    types: list[str]
    ordered: bool
    state: str
    queue: str | None
    amqp_url: str | None = field(repr=False)

    @property
    def active(self) -> bool:
        """Whether RabbitMQ routes to it; else it catches up, or is suspended without a right."""
        return self.state == "active"


@dataclass(frozen=True, slots=True)
class Asked(Answer):
    """A request as it stands: waiting, answered, answered-late or expired.

    `reply` is the event that answers it. `refused_replies` tells of those that were none, once it
    has expired.
    """

    id: str
    type: str
    state: str
    expires: str
    request: Mapping[str, Any]
    reply: Mapping[str, Any] | None
    refused_replies: list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Violation(Answer):
    """One way in which data break their contract."""

    pointer: str
    keyword: str
    message: str
