"""The outcome of handling an event, and how often a Retry is tried again."""

import random
import traceback
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """Handled: the transaction is committed, then the message is acknowledged."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: the transaction is rolled back, and the event is handled again later.

    After the last attempt it becomes a dead letter. An exception of the handler is a Retry.
    """

    reason: str
    after: float | None = None
    """Seconds. By default the delay of the retry policy."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Never: the transaction is rolled back, and the event becomes a dead letter at once."""

    reason: str


Outcome = Done | Retry | Reject
DONE = Done()


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to handle an event. Delays are in seconds and double up to the longest."""

    attempts: int = 5
    first_delay: float = 0.5
    longest_delay: float = 30.0

    def delay(self, attempt: int) -> float:
        """The delay after a failed attempt, counted from 1, with up to a fifth of jitter."""
        delay: float = min(self.first_delay * 2.0 ** (attempt - 1), self.longest_delay)
        return delay * random.uniform(0.8, 1.0)  # noqa: S311 - no secret


def facts_of(error: BaseException) -> dict[str, object]:
    """What a log may say of an exception: its class, and where it was raised.

    Its text and the variables may hold the data of an event.
    """
    frames = traceback.extract_tb(error.__traceback__)
    trace = [f"{each.filename}:{each.lineno} {each.name}" for each in frames]
    return {"error": type(error).__name__, "trace": trace}
