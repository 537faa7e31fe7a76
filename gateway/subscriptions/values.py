"""A durable interest of an organisation in events, delivered into its own AMQP queue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway import typepattern

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"


class State(StrEnum):
    """Where a subscription stands.

    While it is catching up, the journal is sent into its queue alone; once every shard has
    arrived at the present, its queue is bound to the types and the exchange takes over.
    """

    CATCHING_UP = "catching-up"
    ACTIVE = "active"
    SUSPENDED = "suspended"


Key = tuple[str, str]  # organisation and name


@dataclass(frozen=True)
class Subscription:
    """`types` are event types or patterns of them. `generation` counts how often it caught up."""

    organisation: str
    name: str
    types: tuple[str, ...]
    point_to_point: bool
    ordered: bool
    start: str
    state: State
    generation: int
    password_hash: str = field(repr=False)
    created: datetime
    created_by: str
    repairs: int = 0

    @property
    def key(self) -> Key:
        """What names it on the whole bus."""
        return self.organisation, self.name

    def wants(self, type: str) -> bool:
        """Whether events of this type are to reach it."""
        return any(typepattern.matches(pattern, type) for pattern in self.types)

    @property
    def type_expression(self) -> str:
        """A POSIX regular expression that all its types match, and no others."""
        return typepattern.expression(self.types)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a subscription has caught up in one shard.

    Everything up to `position` went into its queue; `joined` says that the lead of the shard adds
    the queue to whatever it sends after that.
    """

    position: int
    joined: bool


Places = Mapping[int, int]  # a sequence for each shard
