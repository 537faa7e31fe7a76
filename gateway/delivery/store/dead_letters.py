"""Dead letters in the database: kept, found, opened again, discarded."""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

from gateway.base.transactions import Transactions
from gateway.contracts import Failure
from gateway.delivery.store import dead_letters_sql as sql
from gateway.delivery.store.values import (
    Attempt,
    DeadLetter,
    DeadLetterQuery,
    DeliveryRecord,
    Key,
    NewDeadLetter,
    ReportDecision,
    Settlement,
    UnseenDeadLetters,
)
from gateway.journal import Position

ALERTS = 5000  # dead letters; their rows are written


class DeadLetters(Transactions):
    """The dead letters of every subscription, however it is delivered.

    Every method raises DatabaseUnavailable where PostgreSQL does not answer.
    """

    async def add(self, dead_letters: Sequence[NewDeadLetter]) -> None:
        """Keep what was given up elsewhere; what lies here already is kept once."""
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

    async def page(self, wanted: DeadLetterQuery, *, after: int, limit: int) -> list[DeadLetter]:
        """Dead letters in the order in which they died."""
        rows = await self.fetch(sql.DEAD_PAGE, after, *astuple(wanted), limit)
        return [_dead_letter(row) for row in rows]

    async def find(self, number: int) -> DeadLetter | None:
        """One of them, or None."""
        rows = await self.fetch(sql.DEAD_ONE, number)
        return _dead_letter(rows[0]) if rows else None

    async def see(self, dead_letter: DeadLetter, *, by: str) -> DeadLetter:
        """Note who looked at it first; as it stands now."""
        if dead_letter.seen is None:
            await self.fetch(sql.SEE, dead_letter.number, by)
        return await self.find(dead_letter.number) or dead_letter

    async def unseen(self) -> list[UnseenDeadLetters]:
        """What nobody has looked at, by subscription."""
        return [UnseenDeadLetters(*row) for row in await self.fetch(sql.UNSEEN)]

    async def alert(self, after: float, *, tell: Callable[[UnseenDeadLetters], None]) -> None:
        """Tell, once, of what nobody has looked at for `after` seconds; twice after a crash.

        At most ALERTS at a time.
        """
        async with self.transaction() as connection:
            for row in await connection.fetch(sql.ALERT, after, ALERTS):
                tell(UnseenDeadLetters(*row))

    async def unreported(self, limit: int) -> list[DeadLetter]:
        """Those of which it is open whether somebody is to be told, the oldest first."""
        return [_dead_letter(row) for row in await self.fetch(sql.UNREPORTED, limit)]

    async def reported(self, decided: Sequence[ReportDecision]) -> None:
        """Note who was told; what is decided already stays."""
        await self.fetch(
            sql.REPORTED,
            [each.number for each in decided],
            [each.report for each in decided],
            [each.position.shard if each.position else None for each in decided],
            [each.position.sequence if each.position else None for each in decided],
        )

    async def attempts(self, dead_letter: DeadLetter) -> list[Attempt]:
        """What was tried, the first first."""
        key = (dead_letter.organisation, dead_letter.subscription)
        rows = await self.fetch(sql.ATTEMPTS, *key, *dead_letter.position)
        return [
            Attempt(number, at, Failure(failure), detail) for number, at, failure, detail in rows
        ]

    async def reopen(self, numbers: Sequence[int], *, by: str) -> set[int]:
        """Let served subscriptions have them again; returns those that were still dead."""
        return {row[0] for row in await self.fetch(sql.REOPEN, list(numbers), by)}

    async def redriven(self, dead_letters: Sequence[DeadLetter], *, by: str) -> set[int]:
        """Note that they were sent again; returns those that were still dead.

        One that has changed since it was read stays as it is: it may have died again.
        """
        numbers, changed = (
            [each.number for each in dead_letters],
            [each.changed for each in dead_letters],
        )
        return {row[0] for row in await self.fetch(sql.REDRIVEN, numbers, changed, by)}

    async def discard(self, numbers: Sequence[int], *, by: str, reason: str) -> set[int]:
        """End them for good; returns those that were still dead."""
        async with self.transaction() as connection:
            rows = await connection.fetch(sql.CHANGE, list(numbers), "discarded", by, reason)
            discarded = [row[0] for row in rows]
            await connection.execute(sql.DEAD_SETTLED, discarded, Settlement.DISCARDED.value)
        return set(discarded)

    async def resent(self, number: int, position: Position, *, by: str) -> None:
        """Note the corrected event, which stands at a place; it ends what is dead still."""
        async with self.transaction() as connection:
            rows = await connection.fetch(sql.RESENT, number, by, *position)
            if rows and rows[0][0] == Settlement.RESENT:
                await connection.execute(sql.DEAD_SETTLED, [number], Settlement.RESENT.value)

    async def forget(self, days: int) -> None:
        """Forget settlements and attempts that are older, except of what is still dead."""
        await self.fetch(sql.FORGET_SETTLED, days)
        await self.fetch(sql.FORGET_ATTEMPTS, days)

    async def delivery_records(
        self, position: Position, keys: Sequence[Key]
    ) -> list[DeliveryRecord]:
        """Where an event stands on its way to each of these subscriptions."""
        names = [key[0] for key in keys], [key[1] for key in keys]
        rows = await self.fetch(sql.OF_EVENT, *position, *names)
        return [
            DeliveryRecord((organisation, name), attempts, due, bool(locked), *rest)
            for organisation, name, attempts, due, locked, *rest in rows
        ]


def _dead_letter(row: Any) -> DeadLetter:
    facts = dict(row)
    return DeadLetter(
        subscription=facts.pop("name"),
        position=Position(facts.pop("shard"), facts.pop("sequence")),
        failure=Failure(facts.pop("failure")),
        event=facts.pop("event_id"),
        trace=facts.pop("trace_id"),
        key=str(facts.pop("key")),
        resent=_spot(facts.pop("resent_shard"), facts.pop("resent_sequence")),
        reported=_spot(facts.pop("report_shard"), facts.pop("report_sequence")),
        **facts,
    )


def _spot(shard: int | None, sequence: int | None) -> Position | None:
    return None if shard is None or sequence is None else Position(shard, sequence)
