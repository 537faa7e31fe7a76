"""The rules about streams of chunks over gRPC."""

from collections.abc import Iterator

from tests.faults.observed import Observed
from tests.faults.run_log import Identity


def resumed(seen: Observed) -> Iterator[str]:
    """A stream goes on after what is stored: no further, and not before what was answered."""
    stored = {(row.identity, row.digest) for row in seen.rows}
    for each in seen.run_log.resumptions:
        if not each.answered <= each.stored <= each.sent:
            yield (
                f"{each.stream} was told to go on after {each.stored}, when {each.answered} were "
                f"answered and {each.sent} sent"
            )
        for identity, digest in each.unanswered:
            if (identity, digest) not in stored:
                yield f"{each.stream} was told that {identity} is stored, and it is not"


def enough_streamed(seen: Observed) -> Iterator[str]:
    """Streams were cut off and went on, and calls ended with their token."""
    counts = {
        "streams resumed": (
            sum(each.sent > 0 for each in seen.run_log.resumptions),
            seen.minimum.resumed,
        ),
        "calls ended with their token": (seen.run_log.expired, seen.minimum.expired),
    }
    for what, (count, wanted) in counts.items():
        if count < wanted:
            yield f"{count} {what}, at least {wanted} were meant"


def passed_over(seen: Observed) -> set[Identity]:
    """The good events that have no answer of their own, because their stream went on after them."""
    return {identity for each in seen.run_log.resumptions for identity, _ in each.unanswered}
