"""What the owner of a type is told of a delivery that died: nothing of what the event says."""

from typing import Any

from gateway.deliveries.values import DeadLetter, Failure
from gateway.times import rfc3339

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


def report(letter: DeadLetter) -> dict[str, Any]:
    """The data of the report; a dead letter always gives the same."""
    return {
        "dead_letter": letter.number,
        "organisation": letter.organisation,
        "subscription": letter.subscription,
        "shard": letter.spot.shard,
        "sequence": letter.spot.sequence,
        "source": letter.source or "",
        "id": letter.event or "",
        "type": letter.type,
        "failure": letter.failure.value,
        "attempts": letter.attempts,
        "died": rfc3339(letter.died),
    }


def report_samples() -> list[dict[str, Any]]:
    """Reports that the schema of every report type must accept: each failure, and the extremes."""
    return [
        {**extreme, "failure": failure.value}
        for failure in Failure
        for extreme in (_SHORTEST, _LONGEST)
    ]
