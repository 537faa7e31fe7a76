"""Deliveries in the database: opened, locked, settled.

Every method is one transaction. It raises DatabaseUnavailable where PostgreSQL does not answer;
the transaction may have been committed then, and repeating the call is safe.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.errors import Overloaded
from gateway.base.rate_limit import RateLimit
from gateway.base.transactions import Connection, Transactions
from gateway.contracts import Failure
from gateway.delivery.store import deliveries_sql as sql
from gateway.delivery.store import due_sql
from gateway.delivery.store.values import (
    TEST_SHARD,
    TOO_OLD,
    Claim,
    DeliveryLimits,
    DeliveryRecord,
    FailedDelivery,
    Key,
    Locked,
    LockedBatch,
    NewDelivery,
)
from gateway.journal import Cursor, Position

TEST_EVENTS_AT_ONCE = 10


class Deliveries(Transactions):
    """The deliveries of all journal-delivered subscriptions.

    Opening and locking do not wait for the disk: what a crash of PostgreSQL loses of them is found
    and delivered again. A settlement is on the disk when its method returns, with all before it.
    """

    @staticmethod
    async def begin(session: AsyncSession, key: Key, start_positions: Mapping[int, int]) -> None:
        """Store the start positions of a new subscription, in the transaction that creates it."""
        for shard, start in start_positions.items():
            await session.execute(
                text(sql.BEGIN),
                {"organisation": key[0], "name": key[1], "shard": shard, "start": start},
            )

    async def cursors(self, key: Key) -> dict[int, Cursor]:
        """Up to where the journal was scanned for the subscription, by shard."""
        rows = await self.fetch(sql.CURSORS, *key)
        return {shard: Cursor(sequence, recorded) for shard, sequence, recorded in rows}

    async def summed_cursors(self, keys: Sequence[Key]) -> dict[Key, int]:
        """For each subscription the sum of its cursors over all shards."""
        rows = await self.fetch(sql.SUMMED_CURSORS, *_key_columns(keys))
        return {(organisation, name): int(total) for organisation, name, total in rows}

    async def count_open(self, key: Key) -> int:
        """How many deliveries are open: waiting or locked."""
        return int((await self.fetch(sql.COUNT_OPEN, *key))[0][0])

    async def due(self, keys: Iterable[Key]) -> set[Key]:
        """Those of these subscriptions that have a delivery which may be locked now."""
        return {(row[0], row[1]) for row in await self.fetch(due_sql.TO_LOCK)} & set(keys)

    async def settled_up_to(self, key: Key) -> dict[int, int]:
        """The sequence up to which every delivery is settled, by shard."""
        return {shard: sequence for shard, sequence in await self.fetch(sql.SETTLED_UP_TO, *key)}

    async def records(self, position: Position, keys: Sequence[Key]) -> list[DeliveryRecord]:
        """What is known about the delivery of one event to each of these subscriptions."""
        rows = await self.fetch(sql.RECORDS, *position, *_key_columns(keys))
        return [
            DeliveryRecord((organisation, name), attempts, due, bool(locked), *rest)
            for organisation, name, attempts, due, locked, *rest in rows
        ]

    async def advance(
        self,
        key: Key,
        shard: int,
        *,
        before: Cursor,
        after: Cursor,
        new: Sequence[NewDelivery],
        expired: Sequence[NewDelivery] = (),
        in_flight: int,
    ) -> bool:
        """Move the cursor, open the new deliveries and make dead letters of the expired ones.

        Returns False and changes nothing where another process moved the cursor, or where more
        than `in_flight` deliveries would be open: processes that scan at the same time would each
        fill it up.
        """
        async with self.transaction(flush=False) as connection:
            if new:
                await connection.execute(sql.LOCK_SUBSCRIPTION, *key)
                rows = await connection.fetch(sql.COUNT_OPEN_UP_TO, *key, in_flight)
                if rows[0][0] + len(new) > in_flight:
                    return False
            moved = await connection.fetch(
                sql.ADVANCE, *key, shard, before.sequence, after.sequence, after.recorded
            )
            if not moved:
                return False
            if new:
                await connection.execute(sql.OPEN, *key, *columns(new))
            if expired:
                failed = [FailedDelivery(each, Failure.EXPIRED, TOO_OLD, 0) for each in expired]
                await insert_dead_letters(connection, key, failed)
        return True

    async def pass_over(self, key: Key, moved: Mapping[int, tuple[Cursor, Cursor]]) -> None:
        """Move cursors from one to the other: nothing between them is the subscription's.

        A cursor that another process moved meanwhile stays.
        """
        await self.fetch(
            sql.MOVE,
            *key,
            list(moved),
            [before.sequence for before, _ in moved.values()],
            [after.sequence for _, after in moved.values()],
            [after.recorded for _, after in moved.values()],
        )

    async def record_delivered(self, key: Key, sequences: Mapping[int, int]) -> None:
        """Record up to which sequence of each shard a stream reader has received everything."""
        await self.fetch(sql.RECORD_DELIVERED, *key, list(sequences), list(sequences.values()))

    async def seek(self, key: Key, sequences: Mapping[int, int]) -> None:
        """Continue after these sequences. Open deliveries are dropped, so their locks are void."""
        await self.fetch(sql.SEEK, *key, list(sequences), list(sequences.values()))

    async def lock(self, key: Key, *, limit: int, limits: DeliveryLimits) -> LockedBatch:
        """Lock deliveries that are due, within the limits.

        Deliveries that were attempted too often or are too old become dead letters instead.
        """
        async with self.transaction(flush=False) as connection:
            await connection.execute(sql.DEAD_LETTER_EXHAUSTED, *key, limits.attempts)
            if limits.max_age is not None:
                await connection.execute(sql.DEAD_LETTER_EXPIRED, *key, limits.max_age, TOO_OLD)
            if limits.rate is None:
                locked = await _lock(connection, key, limit, limits)
                return LockedBatch(locked, limit - len(locked), 0.0)
            bucket = await _read_bucket(connection, key, RateLimit.per_second(limits.rate))
            locked = await _lock(connection, key, min(limit, bucket.left), limits)
            bucket = await _spend(connection, key, bucket, len(locked))
            return LockedBatch(locked, min(limit - len(locked), bucket.left), bucket.wait)

    async def acknowledge(self, key: Key, claims: Iterable[Claim]) -> set[Claim]:
        """Settle processed deliveries. Returns the claims whose locks were still valid."""
        return await self._settle(sql.ACKNOWLEDGE, key, claims)

    async def expire(self, key: Key, claims: Iterable[Claim]) -> set[Claim]:
        """Settle requests whose deadline has passed. Returns as `acknowledge` does."""
        return await self._settle(sql.EXPIRE, key, claims)

    async def release(
        self, key: Key, claims: Iterable[Claim], *, delay: float, failure: Failure, detail: str
    ) -> set[Claim]:
        """Make deliveries due again after `delay` seconds. Returns as `acknowledge` does."""
        return await self._settle(sql.RELEASE, key, claims, delay, failure.value, detail)

    async def reject(
        self, key: Key, claims: Iterable[Claim], *, failure: Failure, detail: str
    ) -> set[Claim]:
        """Make dead letters of deliveries. Returns as `acknowledge` does."""
        return await self._settle(sql.REJECT, key, claims, failure.value, detail)

    async def renew(self, key: Key, claims: Iterable[Claim], *, seconds: float) -> set[Claim]:
        """Extend locks to `seconds` from now. Returns as `acknowledge` does."""
        return await self._settle(sql.RENEW, key, claims, seconds)

    async def open_test_event(self, key: Key, number: int, type: str) -> None:
        """Open a test event. Raises Overloaded where too many were not received yet."""
        opened = await self.fetch(
            sql.OPEN_TEST_EVENT, *key, TEST_SHARD, number, type, TEST_EVENTS_AT_ONCE
        )
        if not opened:
            raise Overloaded(f"{TEST_EVENTS_AT_ONCE} test events are waiting. Receive them first.")

    async def record_acknowledged(self, key: Key, positions: Iterable[Position]) -> None:
        """Record, once, that a consumer settled messages of its queue."""
        given = list(positions)
        async with self.transaction() as connection:
            await connection.execute(sql.LOCK_SUBSCRIPTION, *key)
            await connection.execute(
                sql.RECORD_ACKNOWLEDGED,
                *key,
                [each.shard for each in given],
                [each.sequence for each in given],
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
class _Bucket:
    """The token bucket of a subscription, which all processes share, at the time `at`."""

    limit: RateLimit
    tokens: float
    at: datetime

    @property
    def left(self) -> int:
        return int(self.tokens)

    @property
    def wait(self) -> float:
        return self.limit.wait(self.tokens)


async def _read_bucket(connection: Connection, key: Key, limit: RateLimit) -> _Bucket:
    """Read and refill the bucket. Its row stays locked until the transaction ends."""
    rows = await connection.fetch(sql.READ_BUCKET, *key)
    if not rows:
        await connection.execute(sql.BEGIN_BUCKET, *key, limit.burst)
        rows = await connection.fetch(sql.READ_BUCKET, *key)
    tokens, seconds, now = rows[0]
    return _Bucket(limit, limit.refilled(tokens, seconds), now)


async def _spend(connection: Connection, key: Key, bucket: _Bucket, count: int) -> _Bucket:
    after = _Bucket(bucket.limit, bucket.tokens - count, bucket.at)
    if count:
        await connection.execute(sql.SPEND, *key, after.tokens, after.at)
    return after


async def insert_dead_letters(
    connection: Connection, key: Key, failed: Sequence[FailedDelivery]
) -> None:
    """Make dead letters of deliveries that had no row. One that is dead already is kept once."""
    await connection.execute(
        sql.INSERT_DEAD_LETTERS,
        *key,
        *columns([each.delivery for each in failed]),
        [each.failure.value for each in failed],
        [each.detail for each in failed],
        [each.attempts for each in failed],
    )


def columns(deliveries: Sequence[NewDelivery]) -> tuple[list[object], ...]:
    """Their shards, sequences, times, types and ordering keys: a list of each, for `unnest`."""
    return (
        [each.position.shard for each in deliveries],
        [each.position.sequence for each in deliveries],
        [each.recorded for each in deliveries],
        [each.type for each in deliveries],
        [each.ordering_key for each in deliveries],
    )


def _key_columns(keys: Sequence[Key]) -> tuple[list[str], list[str]]:
    return [key[0] for key in keys], [key[1] for key in keys]
