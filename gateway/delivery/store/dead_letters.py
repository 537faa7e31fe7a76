"""Dead letters in the database: kept, found, opened again, discarded."""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

from gateway.base.transactions import Transactions
from gateway.contracts import Failure
from gateway.delivery.store import dead_letters_sql as sql
from gateway.delivery.store.values import (
    Attempt,
    Burial,
    DeadLetter,
    Ending,
    Key,
    Standing,
    Told,
    Unattended,
    Wanted,
)
from gateway.journal import Position

ALERTS = 5000  # dead letters; their rows are written


class DeadLetters(Transactions):
    """The dead letters of every subscription, however it is delivered.

    Every method raises DatabaseUnavailable where PostgreSQL does not answer.
    """

    async def bury(self, burials: Sequence[Burial]) -> None:
        """Keep what was given up elsewhere; what lies here already is kept once."""
        await self.fetch(
            sql.BURY_ALL,
            [each.key[0] for each in burials],
            [each.key[1] for each in burials],
            [each.spot.shard for each in burials],
            [each.spot.sequence for each in burials],
            [each.recorded for each in burials],
            [each.type for each in burials],
            [each.failure.value for each in burials],
            [each.detail for each in burials],
            [each.attempts for each in burials],
        )

    async def page(self, wanted: Wanted, *, after: int, limit: int) -> list[DeadLetter]:
        """Dead letters in the order in which they died."""
        rows = await self.fetch(sql.DEAD_PAGE, after, *astuple(wanted), limit)
        return [_letter(row) for row in rows]

    async def find(self, number: int) -> DeadLetter | None:
        """One of them, or None."""
        rows = await self.fetch(sql.DEAD_ONE, number)
        return _letter(rows[0]) if rows else None

    async def see(self, letter: DeadLetter, *, by: str) -> DeadLetter:
        """Note who looked at it first; as it stands now."""
        if letter.seen is None:
            await self.fetch(sql.SEE, letter.number, by)
        return await self.find(letter.number) or letter

    async def unattended(self) -> list[Unattended]:
        """What nobody has looked at, by subscription."""
        return [Unattended(*row) for row in await self.fetch(sql.UNATTENDED)]

    async def alert(self, after: float, *, tell: Callable[[Unattended], None]) -> None:
        """Tell, once, of what nobody has looked at for `after` seconds; twice after a crash.

        At most ALERTS at a time.
        """
        async with self.transaction() as connection:
            for row in await connection.fetch(sql.ALERT, after, ALERTS):
                tell(Unattended(*row))

    async def unreported(self, limit: int) -> list[DeadLetter]:
        """Those of which it is open whether somebody is to be told, the oldest first."""
        return [_letter(row) for row in await self.fetch(sql.UNREPORTED, limit)]

    async def reported(self, decided: Sequence[Told]) -> None:
        """Note who was told; what is decided already stays."""
        await self.fetch(
            sql.REPORTED,
            [each.number for each in decided],
            [each.report for each in decided],
            [each.spot.shard if each.spot else None for each in decided],
            [each.spot.sequence if each.spot else None for each in decided],
        )

    async def attempts(self, letter: DeadLetter) -> list[Attempt]:
        """What was tried, the first first."""
        key = (letter.organisation, letter.subscription)
        rows = await self.fetch(sql.ATTEMPTS, *key, *letter.spot)
        return [
            Attempt(number, at, Failure(failure), detail) for number, at, failure, detail in rows
        ]

    async def reopen(self, numbers: Sequence[int], *, by: str) -> set[int]:
        """Let served subscriptions have them again; returns those that were still dead."""
        return {row[0] for row in await self.fetch(sql.REOPEN, list(numbers), by)}

    async def redriven(self, letters: Sequence[DeadLetter], *, by: str) -> set[int]:
        """Note that they were sent again; returns those that were still dead.

        One that has changed since it was read stays as it is: it may have died again.
        """
        numbers, changed = [each.number for each in letters], [each.changed for each in letters]
        return {row[0] for row in await self.fetch(sql.REDRIVEN, numbers, changed, by)}

    async def discard(self, numbers: Sequence[int], *, by: str, reason: str) -> set[int]:
        """End them for good; returns those that were still dead."""
        async with self.transaction() as connection:
            rows = await connection.fetch(sql.CHANGE, list(numbers), "discarded", by, reason)
            discarded = [row[0] for row in rows]
            await connection.execute(sql.DEAD_SETTLED, discarded, Ending.DISCARDED.value)
        return set(discarded)

    async def resent(self, number: int, spot: Position, *, by: str) -> None:
        """Note the corrected event, which stands at a place; it ends what is dead still."""
        async with self.transaction() as connection:
            rows = await connection.fetch(sql.RESENT, number, by, *spot)
            if rows and rows[0][0] == Ending.RESENT:
                await connection.execute(sql.DEAD_SETTLED, [number], Ending.RESENT.value)

    async def forget(self, days: int) -> None:
        """Forget settlements and attempts that are older, except of what is still dead."""
        await self.fetch(sql.FORGET_SETTLED, days)
        await self.fetch(sql.FORGET_ATTEMPTS, days)

    async def standing(self, spot: Position, keys: Sequence[Key]) -> list[Standing]:
        """Where an event stands on its way to each of these subscriptions."""
        names = [key[0] for key in keys], [key[1] for key in keys]
        rows = await self.fetch(sql.OF_EVENT, *spot, *names)
        return [
            Standing((organisation, name), attempts, due, bool(locked), *rest)
            for organisation, name, attempts, due, locked, *rest in rows
        ]


def _letter(row: Any) -> DeadLetter:
    facts = dict(row)
    return DeadLetter(
        subscription=facts.pop("name"),
        spot=Position(facts.pop("shard"), facts.pop("sequence")),
        failure=Failure(facts.pop("failure")),
        key=str(facts.pop("key")),
        resent=_spot(facts.pop("resent_shard"), facts.pop("resent_sequence")),
        reported=_spot(facts.pop("report_shard"), facts.pop("report_sequence")),
        **facts,
    )


def _spot(shard: int | None, sequence: int | None) -> Position | None:
    return None if shard is None or sequence is None else Position(shard, sequence)
