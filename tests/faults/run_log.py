"""What the harness saw: every attempt and its answer, every delivery, every fault.

It lives in the harness's own process, which no fault touches. Nothing in here decides anything.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.base.event import Event

Identity = tuple[str, str]  # source and id


class Kind(StrEnum):
    """What an attempt is meant to be."""

    NEW = "new"
    REPEAT = "repeat"
    CONFLICT = "conflict"
    INVALID = "invalid"
    FORBIDDEN = "forbidden"


class Answer(StrEnum):
    """What became of an attempt, as its sender knows it."""

    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """One event's answer; `status` is 0 where none came. A receipt's fields only with `ok`."""

    answer: Answer
    status: int
    shard: int = -1
    sequence: int = 0
    digest: bytes = b""
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One event sent once. `order` numbers the new events of a key as its one publisher made them.

    `sent` and `answered` are seconds of a clock that only runs forward. `streamed`: in a chunk,
    which the gateway itself tries again.
    """

    source: str
    id: str
    type: str
    digest: bytes
    key: str
    order: int
    kind: Kind
    reply: Reply
    sent: float
    answered: float
    streamed: bool = False

    @property
    def identity(self) -> Identity:
        """What names the event for ever."""
        return self.source, self.id


@dataclass(frozen=True, slots=True)
class Resumption:
    """A stream of chunks was opened, and the gateway said up to which one everything is stored.

    `answered` is the highest chunk that was answered before, `sent` the highest that was sent.
    `unanswered` holds the good events, with their digests, that had no answer and will get none.
    """

    stream: str
    answered: int
    stored: int
    sent: int
    unanswered: Sequence[tuple[Identity, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it arrived. `digest` is made anew from what arrived."""

    subscription: str
    source: str
    id: str
    type: str
    digest: bytes
    sequence: str
    redelivered: bool
    rejected: bool
    time: float
    taken: bool = True
    """Whether the receiver did its work, whatever it said then."""

    @classmethod
    def of(
        cls, subscription: str, event: Event, *, again: bool, rejected: bool = False, taken: bool
    ) -> "Delivery":
        """One that arrived now."""
        return cls(
            subscription,
            event.source,
            event.id,
            event.type,
            event.digest,
            str(event.attributes.get("sequence")),
            again,
            rejected,
            time.monotonic(),
            taken,
        )

    @property
    def identity(self) -> Identity:
        """What names the event for ever."""
        return self.source, self.id


@dataclass(frozen=True, slots=True)
class KnownSubscription:
    """A subscription as its subscriber knows it. `starts` is the word of the gateway."""

    name: str
    queue: str
    types: Sequence[str]
    ordered: bool
    start_positions: Mapping[int, int]
    delivery: str = "amqp"


@dataclass(frozen=True, slots=True)
class Replay:
    """The token of a pull that had ended was used once more, and what the gateway said."""

    subscription: str
    identity: Identity
    result: str


@dataclass(frozen=True, slots=True)
class Redriven:
    """A dead letter that was redriven at `time`; `again` says what a second time changed."""

    queue: str
    source: str
    id: str
    time: float
    again: bool | None = None

    @property
    def identity(self) -> Identity:
        """What names the event for ever."""
        return self.source, self.id


@dataclass(frozen=True, slots=True)
class FaultResult:
    """A fault that was planned, and what shows that it happened, or why nothing does."""

    fault: str
    seconds: float
    evidence: str | None
    failure: str
    recovered: bool


@dataclass
class RunLog:
    """Everything, in the order in which it was seen."""

    attempts: list[Attempt] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    subscriptions: list[KnownSubscription] = field(default_factory=list)
    fault_results: list[FaultResult] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)
    """What nobody planned: a process that ended by itself, a failure that reached a log."""
    actions: Counter[str] = field(default_factory=Counter)
    """How often webhook endpoints did what."""
    forged: list[str] = field(default_factory=list)
    """Deliveries to endpoints that no secret of theirs verifies."""
    redirected_calls: list[str] = field(default_factory=list)
    """Calls of what an endpoint redirected to."""
    replays: list[Replay] = field(default_factory=list)
    redriven: list[Redriven] = field(default_factory=list)
    resumptions: list[Resumption] = field(default_factory=list)
    drained: Counter[str] = field(default_factory=Counter)
    """How often the last message of a gRPC process was received, by the kind of call."""
    expired: int = 0
    """How often a call over gRPC ended with its token."""
    failovers: int = 0
    """How often the database went on at another host."""
    accepted: int = 0
    delivered: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    last_delivery: float = field(default_factory=time.monotonic)
    _last: dict[str, float] = field(default_factory=dict)

    def attempt(self, attempt: Attempt) -> None:
        """Note an attempt with its answer."""
        self.attempts.append(attempt)
        self.accepted += attempt.reply.answer is Answer.OK

    def delivery(self, delivery: Delivery) -> None:
        """Note a delivery."""
        self.deliveries.append(delivery)
        self.delivered[delivery.subscription] += 1
        self.last_delivery = delivery.time
        self._last[delivery.subscription] = delivery.time

    def last_of(self, subscription: str) -> float:
        """When the latest delivery to a subscription came; 0 before the first."""
        return self._last.get(subscription, 0.0)
