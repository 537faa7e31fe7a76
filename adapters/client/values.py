"""The answers of the gateway, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Answer:
    """A value read from a JSON body. Unknown members are ignored."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The value in an answer's body."""
        return cls(**{each.name: body[each.name] for each in fields(cls)})


@dataclass(frozen=True, slots=True)
class Receipt(Answer):
    """The event is valid and durably stored, at this position of the journal.

    A `duplicate` was stored before; the position is that of the first time.
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
    """A subscription. `queue` is None unless its delivery is `amqp`.

    `amqp_url` contains the password. Only the call that creates the password returns it.
    """

    name: str
    types: list[str]
    ordered: bool
    state: str
    queue: str | None
    amqp_url: str | None = field(repr=False)

    @property
    def active(self) -> bool:
        """Whether RabbitMQ routes to it. It is not while it catches up or lacks a grant."""
        return self.state == "active"


@dataclass(frozen=True, slots=True)
class RequestView(Answer):
    """A request and its `state`: waiting, answered, answered-late or expired.

    `reply` is the event that answers it. Once the request has expired, `refused_replies` lists
    the replies that broke the contract.
    """

    id: str
    type: str
    state: str
    deadline: str
    request: Mapping[str, Any]
    reply: Mapping[str, Any] | None
    refused_replies: list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Violation(Answer):
    """One rule that data break: where, which keyword, and why."""

    pointer: str
    keyword: str
    message: str
