"""What a dispatcher writes: what it delivered in batches, and a row only for each exception.

It keeps in memory what went well, until the cursor passes it. So a dispatcher that dies repeats
at most what lies above the cursor; what it wrote as open or dead, its successor leaves alone.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.base.leases import Lease
from gateway.base.transactions import Connection, Transactions
from gateway.contracts import Failure
from gateway.delivery.store.deliveries import columns, insert_dead_letters
from gateway.delivery.store.values import Claim, FailedDelivery, Key, NewDelivery, Settlement
from gateway.journal import Cursor, Position

# Only from the cursor that we know: whoever moved it meanwhile (a seek) has the last word.
MOVE = """
UPDATE delivery_cursors SET sequence = $5, recorded = $6
WHERE organisation = $1 AND name = $2 AND shard = $3 AND sequence = $4
RETURNING shard
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
NOTE = """
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
WRITTEN = """
SELECT o.shard, o.sequence FROM delivery_open o JOIN delivery_cursors f
  USING (organisation, name, shard)
WHERE o.organisation = $1 AND o.name = $2 AND o.sequence > f.sequence
UNION
SELECT d.shard, d.sequence FROM dead_letters d JOIN delivery_cursors f
  USING (organisation, name, shard)
WHERE d.organisation = $1 AND d.name = $2 AND d.sequence > f.sequence
"""
ORDERS = """
SELECT ordering_key, count(*) FROM delivery_open WHERE organisation = $1 AND name = $2
GROUP BY ordering_key
"""
DUE = """
SELECT u.organisation, u.name FROM unnest($1::text[], $2::text[]) AS u(organisation, name)
WHERE EXISTS (
    SELECT FROM delivery_open o
    WHERE o.organisation = u.organisation AND o.name = u.name AND o.due <= statement_timestamp())
"""


class ShardAdvance(NamedTuple):
    """How far a shard has come, and what was delivered on the way there."""

    shard: int
    before: Cursor
    after: Cursor
    delivered: Sequence[int]


class DeferredDelivery(NamedTuple):
    """A delivery to be tried again in `delay` seconds, and how the last attempt went wrong.

    Without attempts it waits for others of its ordering key, and nothing went wrong.
    """

    fresh: NewDelivery
    attempts: int
    delay: float
    failure: Failure
    detail: str


class ReleasedDelivery(NamedTuple):
    """An open delivery that failed once more and is to be tried again in `delay` seconds."""

    claim: Claim
    delay: float
    failure: Failure
    detail: str


class Superseded(Exception):
    """The cursor is not where this dispatcher left it: begin again from what is written."""


class DispatchStore(Transactions):
    """The writes of dispatchers. Those with a lease count only while it is held."""

    async def written(self, key: Key) -> set[Position]:
        """What lies above the cursor and is open or dead already."""
        return {Position(shard, sequence) for shard, sequence in await self.fetch(WRITTEN, *key)}

    async def open_orders(self, key: Key) -> dict[str, int]:
        """How many deliveries are open, by ordering key."""
        return {order: count for order, count in await self.fetch(ORDERS, *key)}

    async def due(self, keys: Sequence[Key]) -> set[Key]:
        """Which of these subscriptions have a delivery that is due."""
        rows = await self.fetch(DUE, [key[0] for key in keys], [key[1] for key in keys])
        return {(row[0], row[1]) for row in rows}

    async def release(self, key: Key, returned: Sequence[ReleasedDelivery]) -> None:
        """Give deliveries back, each for its own time. What is locked by another stays."""
        await self.fetch(
            RELEASE,
            *key,
            [each.claim.position.shard for each in returned],
            [each.claim.position.sequence for each in returned],
            [each.claim.lock for each in returned],
            [each.delay for each in returned],
            [each.failure.value for each in returned],
            [each.detail for each in returned],
        )

    async def keep(
        self,
        lease: Lease,
        *,
        settled: Iterable[ShardAdvance],
        opened: Sequence[DeferredDelivery],
        buried: Sequence[FailedDelivery],
    ) -> None:
        """Write it all at once. Raises LeaseLost or Superseded, and then nothing is written.

        What a crash of the server takes back of that is delivered once more.
        """
        async with self.transaction(flush=False) as connection:
            await lease.fence(connection)
            for each in settled:
                await _settle(connection, lease.key, each)
            if opened:
                await _open(connection, lease.key, opened)
            if buried:
                await _bury(connection, lease.key, buried)


async def _settle(connection: Connection, key: Key, each: ShardAdvance) -> None:
    moved = await connection.fetch(
        MOVE, *key, each.shard, each.before.sequence, each.after.sequence, each.after.recorded
    )
    if not moved:
        raise Superseded(key)
    if each.delivered:
        sequences = sorted(each.delivered)
        ends = sequences[0], sequences[-1]
        await connection.execute(
            SETTLE, *key, each.shard, *ends, sequences, Settlement.ACKNOWLEDGED.value
        )


async def _open(connection: Connection, key: Key, opened: Sequence[DeferredDelivery]) -> None:
    await connection.execute(
        OPEN,
        *key,
        *columns([each.fresh for each in opened]),
        [each.attempts for each in opened],
        [each.delay for each in opened],
    )
    tried = [each for each in opened if each.attempts]
    await _note(
        connection, key, [(e.fresh.position, e.attempts, e.failure, e.detail) for e in tried]
    )


async def _bury(connection: Connection, key: Key, buried: Sequence[FailedDelivery]) -> None:
    await insert_dead_letters(connection, key, buried)
    tried = [each for each in buried if each.attempts]
    await _note(
        connection, key, [(e.fresh.position, e.attempts, e.failure, e.detail) for e in tried]
    )


async def _note(
    connection: Connection, key: Key, attempts: Sequence[tuple[Position, int, Failure, str]]
) -> None:
    if attempts:
        await connection.execute(
            NOTE,
            *key,
            [position.shard for position, _, _, _ in attempts],
            [position.sequence for position, _, _, _ in attempts],
            [number for _, number, _, _ in attempts],
            [failure.value for _, _, failure, _ in attempts],
            [detail for _, _, _, detail in attempts],
        )
