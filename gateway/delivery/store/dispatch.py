"""The writes of dispatchers: successful deliveries in batches, and a row for each exception.

A dispatcher keeps its successes in memory until the cursor passes them. A dispatcher that dies
repeats at most what is above the cursor; its successor skips what it wrote as open or dead.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.base.leases import Lease
from gateway.base.transactions import Connection, Transactions
from gateway.contracts import Failure
from gateway.delivery.store import due_sql
from gateway.delivery.store.deliveries import columns, insert_dead_letters
from gateway.delivery.store.values import Claim, FailedDelivery, Key, NewDelivery, Settlement
from gateway.journal import Cursor, Position

# Only from the cursor that the dispatcher knows: a seek in the meantime wins.
ADVANCE = """
UPDATE delivery_cursors SET sequence = $5, recorded = $6
WHERE organisation = $1 AND name = $2 AND shard = $3 AND sequence = $4
RETURNING shard
"""
MOVE = """
UPDATE delivery_cursors f SET sequence = u.after, recorded = u.recorded
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::smallint[], $5::bigint[], $6::bigint[],
            $7::timestamptz[]) AS u(organisation, name, epoch, shard, before, after, recorded)
JOIN delivery_leases l USING (organisation, name, epoch)
WHERE f.organisation = u.organisation AND f.name = u.name AND f.shard = u.shard
  AND f.sequence = u.before
RETURNING f.organisation, f.name, f.shard
"""
SETTLE = """
INSERT INTO delivery_settlements (organisation, name, shard, lowest, highest, sequences, settlement)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
OPEN = """
INSERT INTO delivery_open (organisation, name, shard, sequence, recorded, type, ordering_key,
                           attempts, due)
SELECT $1, $2, u.shard, u.sequence, u.recorded, u.type, u.ordering_key, u.attempts,
       clock_timestamp() + make_interval(secs => u.delay)
FROM unnest($3::smallint[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[], $8::int[],
            $9::float8[]) AS u(shard, sequence, recorded, type, ordering_key, attempts, delay)
ON CONFLICT DO NOTHING
"""
RECORD_ATTEMPTS = """
INSERT INTO delivery_attempts (organisation, name, shard, sequence, number, failure, detail)
SELECT $1, $2, u.shard, u.sequence, u.number, u.failure, u.detail
FROM unnest($3::smallint[], $4::bigint[], $5::int[], $6::text[], $7::text[])
     AS u(shard, sequence, number, failure, detail)
"""
RELEASE = """
WITH back AS (
    UPDATE delivery_open o SET lock = NULL, due = clock_timestamp() + make_interval(secs => u.delay)
    FROM unnest($3::smallint[], $4::bigint[], $5::bytea[], $6::float8[], $7::text[], $8::text[])
         AS u(shard, sequence, lock, delay, failure, detail)
    WHERE o.organisation = $1 AND o.name = $2 AND o.shard = u.shard AND o.sequence = u.sequence
      AND o.lock = u.lock
    RETURNING o.shard, o.sequence, o.attempts, u.failure, u.detail
)
INSERT INTO delivery_attempts (organisation, name, shard, sequence, number, failure, detail)
SELECT $1, $2, shard, sequence, attempts, failure, detail FROM back
"""
STORED_ABOVE_CURSOR = """
SELECT o.shard, o.sequence FROM delivery_open o JOIN delivery_cursors f
  USING (organisation, name, shard)
WHERE o.organisation = $1 AND o.name = $2 AND o.sequence > f.sequence
UNION
SELECT d.shard, d.sequence FROM dead_letters d JOIN delivery_cursors f
  USING (organisation, name, shard)
WHERE d.organisation = $1 AND d.name = $2 AND d.sequence > f.sequence
"""
OPEN_BY_ORDERING_KEY = """
SELECT ordering_key, count(*) FROM delivery_open WHERE organisation = $1 AND name = $2
GROUP BY ordering_key
"""


class ShardAdvance(NamedTuple):
    """The move of a shard's cursor, and the sequences that were delivered on the way."""

    shard: int
    before: Cursor
    after: Cursor
    delivered: Sequence[int]


class DeferredDelivery(NamedTuple):
    """A delivery to attempt again in `delay` seconds, and the failure of the last attempt.

    With no attempts it only waits for earlier deliveries of its ordering key.
    """

    delivery: NewDelivery
    attempts: int
    delay: float
    failure: Failure
    detail: str


class ReleasedDelivery(NamedTuple):
    """An open delivery that failed again and is attempted again in `delay` seconds."""

    claim: Claim
    delay: float
    failure: Failure
    detail: str


class Superseded(Exception):
    """The stored cursor is not the dispatcher's: it must start again from what is stored."""


class DispatchStore(Transactions):
    """Reads and writes of dispatchers. Those with a lease have no effect once it is lost."""

    async def stored_above_cursor(self, key: Key) -> set[Position]:
        """The positions above the cursor that are open or dead already."""
        rows = await self.fetch(STORED_ABOVE_CURSOR, *key)
        return {Position(shard, sequence) for shard, sequence in rows}

    async def open_by_ordering_key(self, key: Key) -> dict[str, int]:
        """The number of open deliveries by ordering key."""
        rows = await self.fetch(OPEN_BY_ORDERING_KEY, *key)
        return {ordering_key: count for ordering_key, count in rows}

    async def due(self, keys: Iterable[Key]) -> set[Key]:
        """Those of these subscriptions that have a delivery which is due."""
        return {(row[0], row[1]) for row in await self.fetch(due_sql.TO_DISPATCH)} & set(keys)

    async def release(self, key: Key, released: Sequence[ReleasedDelivery]) -> None:
        """Make deliveries due again, each after its delay. One locked by others is left alone."""
        await self.fetch(
            RELEASE,
            *key,
            [each.claim.position.shard for each in released],
            [each.claim.position.sequence for each in released],
            [each.claim.lock for each in released],
            [each.delay for each in released],
            [each.failure.value for each in released],
            [each.detail for each in released],
        )

    async def pass_over(self, moves: Sequence[tuple[Lease, ShardAdvance]]) -> set[tuple[Key, int]]:
        """Move cursors past what nobody receives, in one statement for many subscriptions.

        Returns those that moved, by subscription and shard: not one whose lease was lost, and not
        one that was moved by a seek.
        """
        rows = await self.fetch(
            MOVE,
            [lease.key[0] for lease, _ in moves],
            [lease.key[1] for lease, _ in moves],
            [lease.epoch for lease, _ in moves],
            [move.shard for _, move in moves],
            [move.before.sequence for _, move in moves],
            [move.after.sequence for _, move in moves],
            [move.after.recorded for _, move in moves],
        )
        return {((organisation, name), shard) for organisation, name, shard in rows}

    async def write(
        self,
        lease: Lease,
        *,
        advances: Iterable[ShardAdvance],
        deferred: Sequence[DeferredDelivery],
        failed: Sequence[FailedDelivery],
    ) -> None:
        """Write everything in one transaction. Raises LeaseLost or Superseded, writing nothing.

        It does not wait for the disk: what a crash of PostgreSQL loses is delivered again.
        """
        async with self.transaction(flush=False) as connection:
            await lease.fence(connection)
            for each in advances:
                await _advance(connection, lease.key, each)
            if deferred:
                await _defer(connection, lease.key, deferred)
            if failed:
                await _fail(connection, lease.key, failed)


async def _advance(connection: Connection, key: Key, each: ShardAdvance) -> None:
    moved = await connection.fetch(
        ADVANCE, *key, each.shard, each.before.sequence, each.after.sequence, each.after.recorded
    )
    if not moved:
        raise Superseded(key)
    if each.delivered:
        sequences = sorted(each.delivered)
        ends = sequences[0], sequences[-1]
        await connection.execute(
            SETTLE, *key, each.shard, *ends, sequences, Settlement.ACKNOWLEDGED.value
        )


async def _defer(connection: Connection, key: Key, deferred: Sequence[DeferredDelivery]) -> None:
    await connection.execute(
        OPEN,
        *key,
        *columns([each.delivery for each in deferred]),
        [each.attempts for each in deferred],
        [each.delay for each in deferred],
    )
    attempted = [each for each in deferred if each.attempts]
    await _record_attempts(
        connection, key, [(e.delivery.position, e.attempts, e.failure, e.detail) for e in attempted]
    )


async def _fail(connection: Connection, key: Key, failed: Sequence[FailedDelivery]) -> None:
    await insert_dead_letters(connection, key, failed)
    attempted = [each for each in failed if each.attempts]
    await _record_attempts(
        connection, key, [(e.delivery.position, e.attempts, e.failure, e.detail) for e in attempted]
    )


async def _record_attempts(
    connection: Connection, key: Key, attempts: Sequence[tuple[Position, int, Failure, str]]
) -> None:
    if attempts:
        await connection.execute(
            RECORD_ATTEMPTS,
            *key,
            [position.shard for position, _, _, _ in attempts],
            [position.sequence for position, _, _, _ in attempts],
            [number for _, number, _, _ in attempts],
            [failure.value for _, _, failure, _ in attempts],
            [detail for _, _, _, detail in attempts],
        )
