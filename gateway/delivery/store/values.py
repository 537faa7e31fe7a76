"""What becomes of an event on its way to one subscription that the gateway serves itself."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from gateway.contracts import Failure
from gateway.journal import Position

Key = tuple[str, str]  # organisation and name of a subscription


class Settlement(StrEnum):
    """How a delivery ended, for good."""

    ACKNOWLEDGED = "acknowledged"
    DEAD = "dead"
    DISCARDED = "discarded"
    EXPIRED = "expired"
    SKIPPED = "skipped"  # somebody sought past it
    RESENT = "resent"  # corrected: another event stands for it


TEST_SHARD = -1  # instead of a shard: a test event, which stands in no journal and never dies
TOO_OLD = "older than the subscription's max_age"


class NewDelivery(NamedTuple):
    """An entry that a subscription is to get and that stands above its frontier.

    `order` is its ordering key, or empty where the subscription asks for no order.
    """

    position: Position
    recorded: datetime
    type: str
    order: str


class FailedDelivery(NamedTuple):
    """A delivery that failed for good before it was ever open, after so many attempts."""

    fresh: NewDelivery
    failure: Failure
    detail: str
    attempts: int = 1


class Locked(NamedTuple):
    """A delivery handed out to a receiver until its lock ends. `attempt` counts from 1.

    Its age counts from `since`: when it was recorded, or sent again by somebody.
    """

    position: Position
    recorded: datetime
    attempt: int
    lock: bytes
    until: datetime
    since: datetime


class LockedBatch(NamedTuple):
    """What was handed out; `left` more may follow at once, else one after `wait` seconds."""

    locked: list[Locked]
    left: int
    wait: float


class Claim(NamedTuple):
    """What a receiver shows to settle a delivery: where it is, and the lock it was given."""

    position: Position
    lock: bytes


class Attempt(NamedTuple):
    """An attempt that failed. `detail` holds no data of the event."""

    number: int
    at: datetime
    failure: Failure
    detail: str


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """How long a subscription keeps on: attempts until a dead letter, seconds of one lock.

    At most `rate` are handed out in a second, and nothing that is older than `max_age` seconds.
    """

    attempts: int = 10
    lock_seconds: float = 60.0
    rate: float | None = None
    max_age: float | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that failed for good, until it is sent again, corrected or discarded.

    `publisher` is the organisation that sent the event, `source` and `event` name it, `trace` is
    its trace id; each None where it is not known. `key` is known to nobody outside: ids of what
    follows from it are made of it. `resent` is where the corrected event stands; `seen` when and by
    whom it was looked at first; `reported` where the report to the owner of its type stands.
    """

    number: int
    organisation: str
    subscription: str
    position: Position
    recorded: datetime
    type: str
    died: datetime
    failure: Failure
    detail: str
    attempts: int
    state: str
    changed: datetime
    changed_by: str | None
    note: str | None
    publisher: str | None
    source: str | None
    event: str | None
    trace: str | None
    key: str = field(repr=False)
    resent: Position | None
    seen: datetime | None
    seen_by: str | None
    reported: Position | None


class ReportDecision(NamedTuple):
    """What became of the report of a dead letter: none, refused, or sent to a place."""

    number: int
    report: Literal["none", "sent", "refused"]
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class UnseenDeadLetters:
    """How many dead letters of a subscription nobody has looked at, and since when."""

    organisation: str
    subscription: str
    count: int
    oldest: datetime


class NewDeadLetter(NamedTuple):
    """A delivery that somebody else gave up."""

    key: Key
    position: Position
    recorded: datetime
    type: str
    failure: Failure
    detail: str
    attempts: int


@dataclass(frozen=True, slots=True)
class DeadLetterQuery:
    """Which dead letters are asked for; None is any.

    Those that `organisation` did not get, and those of events that `publisher` sent; with both
    None everybody's. The rest must all hold; `receiver` is the organisation of the subscription.
    """

    organisation: str | None = None
    publisher: str | None = None
    receiver: str | None = None
    subscription: str | None = None
    type: str | None = None
    failure: Failure | None = None
    state: str | None = None
    died_from: datetime | None = None
    died_before: datetime | None = None
    event: str | None = None
    source: str | None = None
    trace: str | None = None
    unseen: bool = False


class DeliveryRecord(NamedTuple):
    """Where an event stands on its way to one subscription.

    `looked_through` is up to where the journal was looked through for it. `dead` is the state of
    its last dead letter, where there is or was one, `failure` why it died, and `changed` when it
    came into that state. `ending` and `settled` are how and when it was settled, as far as that is
    kept.
    """

    key: Key
    attempts: int | None
    due: datetime | None
    locked: bool
    looked_through: int | None
    dead: str | None
    failure: str | None
    changed: datetime | None
    ending: str | None
    settled: datetime | None
