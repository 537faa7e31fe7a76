"""Dead letters in the database: stored, found, redriven, resent, discarded."""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

import asyncpg

from gateway.base.transactions import Transactions
from gateway.contracts import Failure
from gateway.delivery.store import dead_letters_sql as sql
from gateway.delivery.store.values import (
    Attempt,
    DeadLetter,
    DeadLetterQuery,
    NewDeadLetter,
    ReportDecision,
    Settlement,
    UnseenDeadLetters,
)
from gateway.journal import Position

ALERTS = 5000  # dead letters of one alert at most: it writes their rows


class DeadLetters(Transactions):
    """The dead letters of all subscriptions, of every kind of delivery.

    Every method raises DatabaseUnavailable where PostgreSQL does not answer.
    """

    async def add(self, dead_letters: Sequence[NewDeadLetter]) -> None:
        """Store dead letters of queues. One that is dead already is stored once."""
        await self.fetch(
            sql.ADD,
            [each.key[0] for each in dead_letters],
            [each.key[1] for each in dead_letters],
            [each.position.shard for each in dead_letters],
            [each.position.sequence for each in dead_letters],
            [each.recorded for each in dead_letters],
            [each.type for each in dead_letters],
            [each.failure.value for each in dead_letters],
            [each.detail for each in dead_letters],
            [each.attempts for each in dead_letters],
        )

    async def page(self, query: DeadLetterQuery, *, after: int, limit: int) -> list[DeadLetter]:
        """Dead letters after the number `after`, in the order in which they died."""
        rows = await self.fetch(sql.PAGE, after, *astuple(query), limit)
        return [_dead_letter_of(row) for row in rows]

    async def find(self, number: int) -> DeadLetter | None:
        """The dead letter with this number, or None."""
        rows = await self.fetch(sql.ONE, number)
        return _dead_letter_of(rows[0]) if rows else None

    async def mark_seen(self, dead_letter: DeadLetter, *, by: str) -> DeadLetter:
        """Record who inspected it first. Returns the dead letter with that."""
        if dead_letter.seen is None:
            await self.fetch(sql.SEE, dead_letter.number, by)
        return await self.find(dead_letter.number) or dead_letter

    async def unseen(self) -> list[UnseenDeadLetters]:
        """The dead letters that nobody has inspected, counted by subscription."""
        return [UnseenDeadLetters(*row) for row in await self.fetch(sql.UNSEEN)]

    async def alert(self, after: float, *, report: Callable[[UnseenDeadLetters], None]) -> None:
        """Report dead letters that nobody has inspected for `after` seconds, ALERTS at most.

        Each is reported once, or twice where the process crashes meanwhile.
        """
        async with self.transaction() as connection:
            for row in await connection.fetch(sql.ALERT, after, ALERTS):
                report(UnseenDeadLetters(*row))

    async def unreported(self, limit: int) -> list[DeadLetter]:
        """Dead letters without a decision on their non-delivery report, the oldest first."""
        return [_dead_letter_of(row) for row in await self.fetch(sql.UNREPORTED, limit)]

    async def record_reports(self, decisions: Sequence[ReportDecision]) -> None:
        """Store decisions. One that was stored before stays."""
        await self.fetch(
            sql.REPORTED,
            [each.number for each in decisions],
            [each.report for each in decisions],
            [each.position.shard if each.position else None for each in decisions],
            [each.position.sequence if each.position else None for each in decisions],
        )

    async def attempts(self, dead_letter: DeadLetter) -> list[Attempt]:
        """The failed attempts, the first one first."""
        key = (dead_letter.organisation, dead_letter.subscription)
        rows = await self.fetch(sql.ATTEMPTS, *key, *dead_letter.position)
        return [
            Attempt(number, at, Failure(failure), detail) for number, at, failure, detail in rows
        ]

    async def reopen(self, numbers: Sequence[int], *, by: str) -> set[int]:
        """Deliver dead letters of one journal-delivered subscription again.

        Returns those that were still dead; none where the subscription has ended.
        """
        try:
            return {row[0] for row in await self.fetch(sql.REOPEN, list(numbers), by)}
        except asyncpg.ForeignKeyViolationError:
            return set()

    async def record_redriven(self, dead_letters: Sequence[DeadLetter], *, by: str) -> set[int]:
        """Record that dead letters were sent to their queue. Returns those that were still dead.

        One that has changed since it was read stays as it is: it may have died again.
        """
        numbers, changed = (
            [each.number for each in dead_letters],
            [each.changed for each in dead_letters],
        )
        return {row[0] for row in await self.fetch(sql.REDRIVEN, numbers, changed, by)}

    async def discard(self, numbers: Sequence[int], *, by: str, reason: str) -> set[int]:
        """End dead letters for good. Returns those that were still dead."""
        async with self.transaction() as connection:
            rows = await connection.fetch(sql.CHANGE, list(numbers), "discarded", by, reason)
            discarded = [row[0] for row in rows]
            await connection.execute(sql.SETTLE, discarded, Settlement.DISCARDED.value)
        return set(discarded)

    async def record_resent(self, number: int, position: Position, *, by: str) -> None:
        """Link the corrected event. This ends the dead letter if it is still dead."""
        async with self.transaction() as connection:
            rows = await connection.fetch(sql.RESENT, number, by, *position)
            if rows and rows[0][0] == Settlement.RESENT:
                await connection.execute(sql.SETTLE, [number], Settlement.RESENT.value)

    async def forget(self) -> None:
        """Delete settlements and attempts of which the time is over; see `set_ledger_retention`."""
        await self.fetch(sql.FORGET)


async def set_ledger_retention(connection: asyncpg.Connection, days: int) -> None:
    """Set how long the ledger is kept, as the owner of the database: the processes cannot."""
    await connection.execute(sql.SET_RETENTION, days)


def _dead_letter_of(row: Any) -> DeadLetter:
    facts = dict(row)
    return DeadLetter(
        subscription=facts.pop("name"),
        position=Position(facts.pop("shard"), facts.pop("sequence")),
        failure=Failure(facts.pop("failure")),
        event=facts.pop("event_id"),
        trace=facts.pop("trace_id"),
        key=str(facts.pop("key")),
        resent=_position(facts.pop("resent_shard"), facts.pop("resent_sequence")),
        reported=_position(facts.pop("report_shard"), facts.pop("report_sequence")),
        **facts,
    )


def _position(shard: int | None, sequence: int | None) -> Position | None:
    return None if shard is None or sequence is None else Position(shard, sequence)
