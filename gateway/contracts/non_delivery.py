"""The format of a report of non-delivery: what a report contract has to accept."""

from enum import StrEnum
from typing import Any

_EXACT = (1 << 53) - 1  # what every reader of JSON keeps; no journal comes so far
_LONGEST = {
    "dead_letter": _EXACT,
    "organisation": "o" * 31,
    "subscription": "s" * 63,
    "shard": 63,
    "sequence": _EXACT,
    "source": "/" * 512,
    "id": "i" * 255,
    "type": "t" * 255,
    "attempts": (1 << 31) - 1,
    "died": "2026-05-01T08:00:00.123456Z",
}
_SHORTEST = {
    "dead_letter": 1,
    "organisation": "oo",
    "subscription": "s",
    "shard": 0,
    "sequence": 1,
    "source": "s",
    "id": "i",
    "type": "id.go.oo.e.f.v1",
    "attempts": 1,
    "died": "2026-05-01T08:00:00Z",
}


class Failure(StrEnum):
    """How an attempt went wrong."""

    RELEASED = "released"  # the receiver gave it back
    REJECTED = "rejected"  # the receiver never wants it again
    LOCK_EXPIRED = "lock-expired"  # the receiver said nothing in time
    REFUSED = "refused"  # an endpoint answered, and not with success
    UNREACHABLE = "unreachable"  # no answer of an endpoint at all
    RETURNED = "returned"  # to the queue, more often than its delivery limit
    EXPIRED = "expired"  # nobody took it in time


def report_samples() -> list[dict[str, Any]]:
    """Reports that the schema of every report type must accept: each failure, and the extremes."""
    return [
        {**extreme, "failure": failure.value}
        for failure in Failure
        for extreme in (_SHORTEST, _LONGEST)
    ]
