"""Where a reader of a stream is: its `Last-Event-ID`, which names an incarnation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.base.errors import Invalid
from gateway.journal import Cursor, Incarnation

_POSITION = re.compile(r"([0-9a-f]{12}):([0-9]{1,18}(?:\.[0-9]{1,18})*)", re.ASCII)
_INVALID = (
    "Invalid Last-Event-ID. Send the id of an event of this stream, or omit the header to "
    "continue after the last one."
)


@dataclass(frozen=True, slots=True)
class Restored:
    """The journal was restored to an older state, and a reader was beyond it.

    `lost` has, by shard, the first and the last sequence that the reader may have seen and that the
    journal does not have; it is empty where nobody knows.
    """

    incarnation: str
    began: datetime
    lost: Mapping[int, tuple[int, int]]


def format_position(incarnation: Incarnation, cursors: Mapping[int, Cursor]) -> str:
    """`<incarnation>:<sequence>.<sequence>...`, a sequence for each shard in order."""
    sequences = ".".join(str(cursors[shard].sequence) for shard in sorted(cursors))
    return f"{incarnation.id}:{sequences}"


def parse_position(
    text: str, incarnation: Incarnation, stored: Mapping[int, Cursor], heads: Mapping[int, Cursor]
) -> tuple[dict[int, int], Restored | None]:
    """The sequences to continue after, and the restore that the reader has to hear of.

    A position of an earlier incarnation is good up to where the journal was restored. One of an
    incarnation that the journal has never had says nothing: the `stored` cursors count. Raises
    Invalid.
    """
    found = _POSITION.fullmatch(text)
    words = found[2].split(".") if found else []
    if found is None or len(words) != len(heads):
        raise Invalid(_INVALID, parameter="Last-Event-ID")
    id, given = found[1], dict(zip(sorted(heads), map(int, words), strict=True))
    present = incarnation.history[-1]
    if id == present.id:
        if any(given[shard] > head.sequence for shard, head in heads.items()):
            raise Invalid(_INVALID, parameter="Last-Event-ID")
        return given, None
    good = incarnation.restored_of(id)
    if good is None:
        at = {shard: cursor.sequence for shard, cursor in stored.items()}
        return at, Restored(present.id, present.began, {})
    at = {shard: min(sequence, good[shard]) for shard, sequence in given.items()}
    lost = {s: (at[s] + 1, sequence) for s, sequence in given.items() if sequence > at[s]}
    return at, Restored(present.id, present.began, lost) if lost else None
