"""The incarnation of the journal: which of its lives a process works in (decision 0033).

A journal that was restored to an older state is another journal with the same beginning. Whoever
remembers the other one, by a cursor, a head or a receipt, must not act on that memory. So each
connection *enters* the journal before anything else, and tells it what the process knows. The
database answers with the present incarnation, and begins a new one where the two do not fit.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from gateway.base.database import AnyConnection
from gateway.base.errors import JournalUnavailable
from gateway.journal import sql

Newest = dict[int, tuple[int, datetime]]
"""By shard, the sequence and time of an entry."""

SECONDS = 10.0  # for entering

# What a statement raises while a dump is restored, and an append into tables that were replaced.
RESTORING: tuple[type[asyncpg.PostgresError], ...] = (
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedColumnError,
)


class JournalRestored(JournalUnavailable):
    """The journal is in another incarnation than the process. It begins again from the start."""


class Gap(NamedTuple):
    """No entry of the shard has a sequence above `restored` and up to `begins`."""

    restored: int
    begins: int


@dataclass(frozen=True, slots=True)
class PastIncarnation:
    """An incarnation in the history of the journal, the present one included, and its gaps."""

    number: int
    id: str
    began: datetime
    reason: str
    gaps: Mapping[int, Gap]


class Incarnation:
    """The incarnation that a process works in, and the newest entries that it has seen there."""

    def __init__(self, id: str | None = None, known: Newest | None = None) -> None:
        """A process knows nothing at its start; `id` and `known` are what others have noted."""
        self.id = id
        self.history: Sequence[PastIncarnation] = ()
        self.over = False
        """Whether the journal is in another incarnation now."""
        self._known = dict(known or {})
        self._gaps: dict[int, list[Gap]] = {}
        self._on_change: list[Callable[[], object]] = []
        self._entering = asyncio.Lock()

    def on_change(self, call: Callable[[], object]) -> None:
        """Call this once the journal is in another incarnation."""
        self._on_change.append(call)

    @property
    def known(self) -> Newest:
        """The sequence and time of the newest entry of each shard that was seen."""
        return dict(self._known)

    def saw(self, entries: Newest) -> None:
        """Remember the sequence and time of the newest entry of each shard."""
        known = self._known
        for shard, entry in entries.items():
            if entry[0] > (known[shard][0] if shard in known else 0):
                known[shard] = entry

    def fits(self, shard: int, sequence: int, incarnation: str, *, same_table: bool) -> bool:
        """Whether a head may be of this incarnation."""
        if self.id is None:
            return True
        known = self._known.get(shard)
        return incarnation == self.id and same_table and (known is None or sequence >= known[0])

    async def enter(self, connection: AnyConnection) -> None:
        """Enter the journal. Raises JournalRestored if this is not our incarnation any more."""
        id, known = self.id, dict(self._known)
        present = await _enter(connection, id, known)
        if self.id is None:
            async with self._entering:
                if self.id is None:
                    history = await _history(connection)
                    self._gaps = _merged(history)
                    self.history, self.id = history, present
        if present != self.id:
            self._leave()

    async def compare(self, connection: AnyConnection) -> None:
        """Let the journal begin a new incarnation where what is known here does not fit it."""
        await _enter(connection, self.id, self._known)

    def _leave(self) -> None:
        if not self.over:
            self.over = True
            for call in self._on_change:
                call()
        raise JournalRestored("The journal was restored to another state. Try again in a second.")

    def entries_between(self, shard: int, low: int, high: int) -> int:
        """How many entries of a shard are above `low` and up to `high`; never negative."""
        missing = sum(
            max(0, min(high, gap.begins) - max(low, gap.restored))
            for gap in self._gaps.get(shard, ())
        )
        return max(0, high - low - missing)

    def span_end(self, shard: int, low: int, high: int, span: int) -> int:
        """Where a scan of `span` sequences above `low` ends, `high` at most. Gaps count nothing."""
        end = low + span
        for gap in self._gaps.get(shard, ()):
            if gap.restored <= end < gap.begins:
                end = gap.begins
        return min(high, end)

    def restored_of(self, id: str) -> Mapping[int, int] | None:
        """Up to where the entries of an earlier incarnation are still there, by shard.

        None for one that this journal has never had.
        """
        later = [each.gaps for each in self.history if each.number > self._number_of(id)]
        if not later or self._number_of(id) == 0:
            return None
        return {shard: min(gaps[shard].restored for gaps in later) for shard in later[0]}

    def _number_of(self, id: str) -> int:
        return next((each.number for each in self.history if each.id == id), 0)

    def gap_at(self, shard: int, sequence: int) -> Gap | None:
        """The gap that a sequence is in, or None."""
        for gap in self._gaps.get(shard, ()):
            if gap.restored < sequence <= gap.begins:
                return gap
        return None


async def _enter(connection: AnyConnection, id: str | None, known: Newest) -> str:
    """The id of the present incarnation."""
    try:
        row: Any = await connection.fetchrow(
            sql.ENTER,
            id,
            list(known),
            [sequence for sequence, _ in known.values()],
            [recorded for _, recorded in known.values()],
            timeout=SECONDS,
        )
    except RESTORING as error:
        raise JournalUnavailable(
            "The journal is being restored, or was not migrated. Try again later."
        ) from error
    return str(row[1])


async def _history(connection: AnyConnection) -> list[PastIncarnation]:
    found: dict[int, PastIncarnation] = {}
    gaps: dict[int, dict[int, Gap]] = {}
    for number, id, began, reason, shard, restored, begins in await connection.fetch(
        sql.INCARNATIONS, timeout=SECONDS
    ):
        own = gaps.setdefault(number, {})
        found.setdefault(number, PastIncarnation(number, id, began, reason, own))
        if shard is not None:
            own[shard] = Gap(restored, begins)
    return list(found.values())


def _merged(history: Sequence[PastIncarnation]) -> dict[int, list[Gap]]:
    """The gaps of each shard in order. One that begins where another did, without an entry between
    them, stands for both.
    """
    merged: dict[int, list[Gap]] = {}
    for each in history:
        for shard, gap in each.gaps.items():
            before = merged.setdefault(shard, [])
            while before and before[-1].restored >= gap.restored:
                before.pop()
            before.append(gap)
    return merged
