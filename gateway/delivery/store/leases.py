"""Who dispatches a subscription: one process at a time, told from its predecessors by its epoch."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import asyncpg

from gateway.base.transactions import Connection, Transactions
from gateway.delivery.store.values import Key

# Inserted in order, so that two that take at once do not wait for each other in a circle.
TAKE = """
WITH vacant AS MATERIALIZED (
    SELECT s.organisation, s.name
    FROM unnest($1::text[], $2::text[]) AS s(organisation, name)
    JOIN subscriptions USING (organisation, name)
    LEFT JOIN delivery_leases l USING (organisation, name)
    WHERE l.expires IS NULL OR l.expires < clock_timestamp()
    ORDER BY random() LIMIT $3
)
INSERT INTO delivery_leases AS l (organisation, name, epoch, holder, expires)
SELECT v.organisation, v.name, nextval('delivery_epochs'), $4,
       clock_timestamp() + make_interval(secs => $5)
FROM (SELECT * FROM vacant ORDER BY organisation, name) v
ON CONFLICT (organisation, name) DO UPDATE
SET epoch = excluded.epoch, holder = excluded.holder, expires = excluded.expires
WHERE l.expires < clock_timestamp()
RETURNING l.organisation, l.name, l.epoch
"""
# The holder is asked for as well: what arrives after it has resigned must not prolong anything.
KEEP = """
UPDATE delivery_leases l SET expires = clock_timestamp() + make_interval(secs => $4)
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS u(organisation, name, epoch)
WHERE l.organisation = u.organisation AND l.name = u.name AND l.epoch = u.epoch
  AND l.holder IS NOT NULL
RETURNING l.organisation, l.name
"""
RESIGN = """
UPDATE delivery_leases l SET expires = '-infinity', holder = NULL
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS u(organisation, name, epoch)
WHERE l.organisation = u.organisation AND l.name = u.name AND l.epoch = u.epoch
"""
# Holds the row until the transaction ends, so that nobody takes over meanwhile.
FENCE = """
SELECT FROM delivery_leases WHERE organisation = $1 AND name = $2 AND epoch = $3 FOR SHARE
"""
ATTEND = """
INSERT INTO delivery_dispatchers (name, seen) VALUES ($1, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET seen = excluded.seen
"""
ATTENDING = """
SELECT count(*) FROM delivery_dispatchers
WHERE seen > clock_timestamp() - make_interval(secs => $1)
"""
LEAVE = """
DELETE FROM delivery_dispatchers
WHERE name = $1 OR seen < clock_timestamp() - interval '1 hour'
"""


@dataclass(slots=True)
class Lease:
    """The right to dispatch a subscription, until `expires` by this process's clock."""

    key: Key
    epoch: int
    expires: float

    def __bool__(self) -> bool:
        """False once it has run out: another process may be at work already."""
        return time.monotonic() < self.expires

    async def fence(self, connection: Connection) -> None:
        """Make the rest of this transaction count only while we hold it. Raises LeaseLost."""
        if not await connection.fetch(FENCE, *self.key, self.epoch):
            self.expires = 0.0
            raise LeaseLost(self.key)


class LeaseLost(Exception):
    """Another process dispatches this subscription now, or it has ended."""


class Leases(Transactions):
    """Takes, keeps and gives back leases for the process `name`."""

    def __init__(self, pool: asyncpg.Pool, *, name: str, lease: float) -> None:
        super().__init__(pool, timeout=lease)
        self._name = name
        self._lease = lease

    async def attend(self) -> int:
        """Say that this process lives; returns how many do."""
        await self.fetch(ATTEND, self._name)
        return max(1, int((await self.fetch(ATTENDING, self._lease))[0][0]))

    async def leave(self) -> None:
        """Say that this process ends."""
        await self.fetch(LEAVE, self._name)

    async def take(self, keys: Sequence[Key], *, limit: int) -> list[Lease]:
        """Up to `limit` leases of these subscriptions that nobody holds."""
        asked = time.monotonic()
        try:
            rows = await self.fetch(TAKE, *_columns(keys), limit, self._name, self._lease)
        except asyncpg.ForeignKeyViolationError:  # one of them has ended this moment
            return []
        return [Lease((row[0], row[1]), row[2], asked + self._lease) for row in rows]

    async def keep(self, leases: Iterable[Lease]) -> None:
        """Prolong leases; one that is held by another, or whose subscription ended, expires."""
        asked = time.monotonic()
        held = list(leases)
        rows = await self.fetch(
            KEEP,
            *_columns([lease.key for lease in held]),
            [lease.epoch for lease in held],
            self._lease,
        )
        kept = {(row[0], row[1]) for row in rows}
        for lease in held:
            lease.expires = asked + self._lease if lease.key in kept else 0.0

    async def resign(self, leases: Sequence[Lease]) -> None:
        """Give leases back, so that another process may take them at once."""
        for lease in leases:
            lease.expires = 0.0
        await self.fetch(
            RESIGN,
            *_columns([lease.key for lease in leases]),
            [lease.epoch for lease in leases],
        )


def _columns(keys: Sequence[Key]) -> tuple[list[str], list[str]]:
    return [key[0] for key in keys], [key[1] for key in keys]
