"""The format of non-delivery reports, which the schema of every report type must accept."""

from enum import StrEnum
from typing import Any

_EXACT = (1 << 53) - 1  # exact in every JSON reader; no journal gets that long
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
    """Why an attempt failed."""

    RELEASED = "released"  # the subscriber released it
    REJECTED = "rejected"  # the subscriber rejected it
    LOCK_EXPIRED = "lock-expired"  # the subscriber did not settle it in time
    REFUSED = "refused"  # the endpoint answered without success
    UNREACHABLE = "unreachable"  # the endpoint did not answer
    RETURNED = "returned"  # returned to the queue more often than its delivery limit
    EXPIRED = "expired"  # not received in time
    DEFECT = "defect"  # the gateway itself failed on it


def sample_reports() -> list[dict[str, Any]]:
    """Reports that every report type must accept: each failure with extreme values."""
    return [
        {**extreme, "failure": failure.value}
        for failure in Failure
        for extreme in (_SHORTEST, _LONGEST)
    ]
