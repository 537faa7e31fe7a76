"""When to repeat a call, and after how long."""

import random
from dataclasses import dataclass

import httpx

from adapters.client.problem import Problem

UNSETTLED = frozenset({429, 500, 502, 503, 504})  # not carried out, or nobody knows
FINAL = frozenset({"no-responder", "no-reply"})  # answered with 503 or 504, and certain


@dataclass(frozen=True, slots=True)
class CallRetryPolicy:
    """How often to make a call, and how long to wait between two.

    Delays are in seconds: random, below a bound that doubles from `first_delay` to
    `longest_delay`. A Retry-After of the gateway is added, up to `longest_delay`.
    """

    attempts: int = 6
    first_delay: float = 0.2
    longest_delay: float = 20.0

    def delay(self, failed: int, error: Exception) -> float | None:
        """Seconds until the next call after `failed` calls that failed; None to give up."""
        if failed >= self.attempts or not is_unknown(error):
            return None
        retry_after = error.retry_after or 0.0 if isinstance(error, Problem) else 0.0
        bound = min(self.first_delay * 2 ** min(failed - 1, 30), self.longest_delay)
        # Random, so that callers which failed together do not come back together; no secret.
        return min(retry_after, self.longest_delay) + random.uniform(0, bound)  # noqa: S311


def is_unknown(error: Exception) -> bool:
    """Whether nobody knows if the call was carried out, so that it has to be repeated."""
    if isinstance(error, Problem):
        return error.status in UNSETTLED and error.code not in FINAL
    return isinstance(error, httpx.TransportError)
