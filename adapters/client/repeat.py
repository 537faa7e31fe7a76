"""When to try again, and after how long."""

import random
from dataclasses import dataclass

import httpx

from adapters.client.problem import Problem

AGAIN = frozenset({429, 500, 502, 503, 504})  # not done, or nobody knows
KNOWN = frozenset({"no-responder", "no-reply"})  # what the gateway is sure of all the same


@dataclass(frozen=True, slots=True)
class Repeat:
    """At most `attempts` calls; between them a random time below a bound that doubles.

    `first` and `longest` are in seconds. What Retry-After asks for is waited, up to `longest`.
    """

    attempts: int = 6
    first: float = 0.2
    longest: float = 20.0

    def pause(self, failed: int, error: Exception) -> float | None:
        """Seconds until the next call after so many failed ones; None to give up."""
        if failed >= self.attempts or not is_unknown(error):
            return None
        asked = error.retry_after or 0.0 if isinstance(error, Problem) else 0.0
        bound = min(self.first * 2 ** (failed - 1), self.longest)
        # Spreads callers that failed together; nothing secret hangs on it.
        return min(asked, self.longest) + random.uniform(0, bound)  # noqa: S311


def is_unknown(error: Exception) -> bool:
    """Whether the call may or may not have been carried out, so that it has to be repeated."""
    if isinstance(error, Problem):
        return error.status in AGAIN and error.code not in KNOWN
    return isinstance(error, httpx.TransportError)
