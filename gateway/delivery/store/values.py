"""Deliveries and dead letters as values."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from gateway.contracts import Failure
from gateway.journal import Position

Key = tuple[str, str]  # organisation and name of a subscription


class Settlement(StrEnum):
    """How a delivery ended for good."""

    ACKNOWLEDGED = "acknowledged"
    DEAD = "dead"
    DISCARDED = "discarded"
    EXPIRED = "expired"
    SKIPPED = "skipped"  # by a seek
    RESENT = "resent"  # replaced by a corrected event


TEST_SHARD = -1  # the shard of test events: they are not in the journal and never die
TOO_OLD = "older than the subscription's max_age"


class NewDelivery(NamedTuple):
    """An entry for a subscription, above the subscription's cursor.

    `ordering_key` is empty where the subscription is not ordered.
    """

    position: Position
    recorded: datetime
    type: str
    ordering_key: str


class FailedDelivery(NamedTuple):
    """A delivery that failed for good before it had a row of its own."""

    delivery: NewDelivery
    failure: Failure
    detail: str
    attempts: int = 1


class Locked(NamedTuple):
    """A delivery that a receiver has locked until `until`. `attempt` counts from 1.

    `since` is when it was recorded or last redriven: its age counts from then.
    """

    position: Position
    recorded: datetime
    attempt: int
    lock: bytes
    until: datetime
    since: datetime


class LockedBatch(NamedTuple):
    """Locked deliveries. `left` more may be locked now; if none, one more after `wait` seconds."""

    locked: list[Locked]
    left: int
    wait: float


class Claim(NamedTuple):
    """The position and the lock that a receiver presents to settle a delivery."""

    position: Position
    lock: bytes


class Attempt(NamedTuple):
    """A failed attempt. `detail` contains no data of the event."""

    number: int
    at: datetime
    failure: Failure
    detail: str


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """Limits on locking deliveries.

    `attempts` are made before a delivery becomes a dead letter, and each lock lasts `lock_seconds`.
    At most `rate` deliveries are locked per second, and none older than `max_age` seconds.
    """

    attempts: int = 10
    lock_seconds: float = 60.0
    rate: float | None = None
    max_age: float | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that failed for good, until it is redriven, resent or discarded.

    `publisher` is the organisation that published the event; `source` and `event` identify it;
    `trace` is its trace id. Each is None where it is unknown. `key` is secret: the ids of a
    corrected event and of a non-delivery report are derived from it. `resent` is the position of
    the corrected event, `reported` that of the non-delivery report. `seen` and `seen_by` tell when
    and by whom the dead letter was first inspected.
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


class NewDeadLetter(NamedTuple):
    """A dead letter to store: a delivery over AMQP that failed for good."""

    key: Key
    position: Position
    recorded: datetime
    type: str
    failure: Failure
    detail: str
    attempts: int


class ReportDecision(NamedTuple):
    """Whether a dead letter is reported: no, refused, or sent as the event at `position`."""

    number: int
    report: Literal["none", "sent", "refused"]
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class UnseenDeadLetters:
    """How many dead letters of a subscription nobody has inspected, and when the oldest died."""

    organisation: str
    subscription: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class DeadLetterQuery:
    """Conditions that dead letters must meet; None is no condition.

    A dead letter is included where `organisation` is its subscriber or `publisher` published its
    event; with both None, all are. The other conditions must all hold. `receiver` is the
    organisation of the subscription; `unseen` selects those that are dead and not seen.
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
    """What the store knows about the delivery of one event to one subscription.

    `attempts`, `due` and `locked` are those of an open delivery. `cursor` is the sequence up to
    which the journal was scanned for the subscription. `dead_letter` is the state of the last dead
    letter, `failure` its reason, `changed` the time of that state. `settlement` and `settled` tell
    how and when the delivery was settled, as long as that is kept.
    """

    key: Key
    attempts: int | None
    due: datetime | None
    locked: bool
    cursor: int | None
    dead_letter: str | None
    failure: str | None
    changed: datetime | None
    settlement: str | None
    settled: datetime | None
