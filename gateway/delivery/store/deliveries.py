"""Deliveries in the database: opened, handed out, settled.

Every method is one transaction. It raises DatabaseUnavailable where PostgreSQL does not answer;
what was asked for may have happened then, and asking again does no harm.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.errors import Overloaded
from gateway.base.transactions import Connection, Transactions
from gateway.contracts import Failure
from gateway.delivery.store import deliveries_sql as sql
from gateway.delivery.store.values import (
    TEST_SHARD,
    TOO_OLD,
    Claim,
    DeliveryLimits,
    FailedDelivery,
    Key,
    Locked,
    LockedBatch,
    NewDelivery,
)
from gateway.journal import Cursor, Position

TEST_EVENTS_AT_ONCE = 10


class Deliveries(Transactions):
    """The deliveries of every subscription that the gateway serves itself.

    Opening and locking do not wait for the disk. What a crash of the server takes back of that is
    found and handed out once more; what was settled is always on the disk, and all before it.
    """

    @staticmethod
    async def begin(session: AsyncSession, key: Key, starts: Mapping[int, int]) -> None:
        """Let a new subscription have what is above `starts`, in the transaction that makes it."""
        for shard, start in starts.items():
            await session.execute(
                text(sql.BEGIN),
                {"organisation": key[0], "name": key[1], "shard": shard, "start": start},
            )

    async def cursors(self, key: Key) -> dict[int, Cursor]:
        """Up to where the journal was looked through for it, shard by shard."""
        rows = await self.fetch(sql.FRONTIERS, *key)
        return {shard: Cursor(sequence, recorded) for shard, sequence, recorded in rows}

    async def summed_cursors(self, keys: Sequence[Key]) -> dict[Key, int]:
        """The frontiers of each of these subscriptions, added up over the shards."""
        rows = await self.fetch(sql.SUMMED, [key[0] for key in keys], [key[1] for key in keys])
        return {(organisation, name): int(total) for organisation, name, total in rows}

    async def count_open(self, key: Key) -> int:
        """How many deliveries are open: waiting, or locked."""
        return int((await self.fetch(sql.OPEN, *key))[0][0])

    async def due(self, keys: Sequence[Key]) -> set[Key]:
        """Which of these subscriptions have a delivery that may be handed out now."""
        rows = await self.fetch(sql.DUE, [key[0] for key in keys], [key[1] for key in keys])
        return {(organisation, name) for organisation, name in rows}

    async def settled(self, key: Key) -> dict[int, int]:
        """Per shard, up to where everything is settled."""
        rows = await self.fetch(sql.SETTLED, *key)
        return {shard: sequence for shard, sequence in rows}

    async def advance(
        self,
        key: Key,
        shard: int,
        *,
        before: Cursor,
        after: Cursor,
        fresh: Sequence[NewDelivery],
        old: Sequence[NewDelivery] = (),
        in_flight: int,
    ) -> bool:
        """Open what was found between two frontiers, and make dead letters of what is too old.

        False, and nothing is done, where another has advanced meanwhile, or more than `in_flight`
        would be open: processes that find at once would else each fill it up.
        """
        async with self.transaction(flush=False) as connection:
            if fresh:
                await connection.execute(sql.TAKE_TURN, *key)
                rows = await connection.fetch(sql.OPEN_UP_TO, *key, in_flight)
                if rows[0][0] + len(fresh) > in_flight:
                    return False
            moved = await connection.fetch(
                sql.ADVANCE, *key, shard, before.sequence, after.sequence, after.recorded
            )
            if not moved:
                return False
            if fresh:
                await connection.execute(sql.OPEN_UP, *key, *columns(fresh))
            if old:
                expired = [FailedDelivery(each, Failure.EXPIRED, TOO_OLD, 0) for each in old]
                await insert_dead_letters(connection, key, expired)
        return True

    async def arrived(self, key: Key, places: Mapping[int, int]) -> None:
        """Note up to where a reader that keeps its place itself has got everything."""
        await self.fetch(sql.ARRIVED, *key, list(places), list(places.values()))

    async def seek(self, key: Key, places: Mapping[int, int]) -> None:
        """Let it have what lies above these places, and drop what is open; its locks are void."""
        await self.fetch(sql.SEEK, *key, list(places), list(places.values()))

    async def lock(self, key: Key, *, limit: int, limits: DeliveryLimits) -> LockedBatch:
        """Hand out what is due, as far as its rate allows.

        What was handed out too often, or is too old, becomes a dead letter instead.
        """
        async with self.transaction(flush=False) as connection:
            await connection.execute(sql.DEAD_LETTER_EXHAUSTED, *key, limits.attempts)
            if limits.max_age is not None:
                await connection.execute(sql.DEAD_LETTER_EXPIRED, *key, limits.max_age, TOO_OLD)
            if limits.rate is None:
                locked = await _lock(connection, key, limit, limits)
                return LockedBatch(locked, limit - len(locked), 0.0)
            left = await allowance(connection, key, limits.rate)
            locked = await _lock(connection, key, min(limit, left.whole), limits)
            left = await spend(connection, key, left, len(locked))
            return LockedBatch(locked, min(limit - len(locked), left.whole), left.wait)

    async def acknowledge(self, key: Key, claims: Iterable[Claim]) -> set[Claim]:
        """Settle what was handed out and worked off. Returns those whose lock was still ours."""
        return await self._settle(sql.ACKNOWLEDGE, key, claims)

    async def expire(self, key: Key, claims: Iterable[Claim]) -> set[Claim]:
        """Settle what came to nobody in time."""
        return await self._settle(sql.EXPIRE, key, claims)

    async def release(
        self, key: Key, claims: Iterable[Claim], *, delay: float, failure: Failure, detail: str
    ) -> set[Claim]:
        """Give deliveries back, to be handed out again after `delay` seconds."""
        return await self._settle(sql.RELEASE, key, claims, delay, failure.value, detail)

    async def reject(
        self, key: Key, claims: Iterable[Claim], *, failure: Failure, detail: str
    ) -> set[Claim]:
        """Make deliveries dead letters at once."""
        return await self._settle(sql.REJECT, key, claims, failure.value, detail)

    async def renew(self, key: Key, claims: Iterable[Claim], *, seconds: float) -> set[Claim]:
        """Let locks end later: `seconds` from now."""
        return await self._settle(sql.RENEW, key, claims, seconds)

    async def open_test_event(self, key: Key, number: int, type: str) -> None:
        """Open a test event. Raises Overloaded where many of them were not taken yet."""
        opened = await self.fetch(
            sql.OPEN_TEST_EVENT, *key, TEST_SHARD, number, type, TEST_EVENTS_AT_ONCE
        )
        if not opened:
            raise Overloaded(
                f"{TEST_EVENTS_AT_ONCE} test events wait there already: take them first"
            )

    async def report(self, key: Key, positions: Iterable[Position]) -> None:
        """Note that a consumer has settled what came to it by its queue, once."""
        given = list(positions)
        async with self.transaction() as connection:
            await connection.execute(sql.TAKE_TURN, *key)
            await connection.execute(
                sql.REPORT,
                *key,
                [position.shard for position in given],
                [position.sequence for position in given],
            )

    async def _settle(
        self, statement: str, key: Key, claims: Iterable[Claim], *arguments: object
    ) -> set[Claim]:
        given = list(claims)
        rows = await self.fetch(
            statement,
            *key,
            [claim.position.shard for claim in given],
            [claim.position.sequence for claim in given],
            [claim.lock for claim in given],
            *arguments,
        )
        return {Claim(Position(shard, sequence), lock) for shard, sequence, lock in rows}


async def _lock(
    connection: Connection, key: Key, limit: int, limits: DeliveryLimits
) -> list[Locked]:
    if limit <= 0:
        return []
    lock = secrets.token_bytes(16)
    rows = await connection.fetch(sql.LOCK, *key, limit, lock, limits.lock_seconds)
    return sorted(
        Locked(Position(shard, sequence), recorded, attempt, lock, until, since)
        for shard, sequence, recorded, attempt, until, since in rows
    )


@dataclass(frozen=True, slots=True)
class Allowance:
    """`tokens` deliveries may be handed out at the time `at`; `rate` more in each second."""

    tokens: float
    rate: float
    at: datetime

    @property
    def whole(self) -> int:
        """How many deliveries that is."""
        return int(self.tokens)

    @property
    def wait(self) -> float:
        """Seconds until there is one more."""
        return 0.0 if self.whole else (1.0 - self.tokens) / self.rate


async def allowance(connection: Connection, key: Key, rate: float) -> Allowance:
    """What is left, held for this transaction: a second's worth at most, and one at least."""
    burst = max(1.0, rate)
    rows = await connection.fetch(sql.ALLOWED, *key, rate, burst)
    if not rows:
        await connection.execute(sql.BEGIN_PACE, *key, burst)
        rows = await connection.fetch(sql.ALLOWED, *key, rate, burst)
    tokens, at = rows[0]
    return Allowance(tokens, rate, at)


async def spend(connection: Connection, key: Key, left: Allowance, count: int) -> Allowance:
    """Take out what was handed out; returns what is left."""
    after = Allowance(left.tokens - count, left.rate, left.at)
    if count:
        await connection.execute(sql.SPEND, *key, after.tokens, after.at)
    return after


async def insert_dead_letters(
    connection: Connection, key: Key, buried: Sequence[FailedDelivery]
) -> None:
    """Make dead letters of them; what lies there already is kept once."""
    await connection.execute(
        sql.INSERT_DEAD_LETTERS,
        *key,
        *columns([each.fresh for each in buried]),
        [each.failure.value for each in buried],
        [each.detail for each in buried],
        [each.attempts for each in buried],
    )


def columns(fresh: Sequence[NewDelivery]) -> tuple[list[object], ...]:
    """Shards, sequences, times, types and orders: one list for each."""
    return (
        [each.position.shard for each in fresh],
        [each.position.sequence for each in fresh],
        [each.recorded for each in fresh],
        [each.type for each in fresh],
        [each.order for each in fresh],
    )
