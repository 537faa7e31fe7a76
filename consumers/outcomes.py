"""What a handler says of an event."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """It was handled: its transaction is committed and the message settled."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: the transaction is rolled back and the event handled again.

    After the runtime's last attempt it becomes a dead letter. An exception of the handler means
    the same.
    """

    reason: str
    after: float | None = None
    """Seconds; by default a delay that doubles from attempt to attempt."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Never: the transaction is rolled back, and the event becomes a dead letter at once."""

    reason: str


Outcome = Done | Retry | Reject
DONE = Done()
